package codegranttest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/publicsuffix"
)

// Browser visits pages as a person's browser does, without scripts: it keeps
// cookies, follows redirects, sends what browsers send about a navigation, and
// fills in forms. It is for one goroutine at a time.
type Browser struct {
	// Client may be used for requests of other kinds with the same cookies.
	Client *http.Client
	t      testing.TB
}

// NewBrowser returns a browser without cookies. Faults end the test.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		t.Fatalf("codegranttest: make a cookie jar: %v", err)
	}
	return &Browser{Client: &http.Client{Jar: jar}, t: t}
}

// Page is what a navigation ended at.
type Page struct {
	URL    *url.URL // after redirects
	Status int
	Header http.Header
	Body   string
	Forms  []Form
}

// Form is a form of a page, with the values that it was served with.
type Form struct {
	Method string
	Action *url.URL
	Values url.Values
	Labels []string // the texts of its submit buttons
}

// Open navigates to a URL.
func (b *Browser) Open(target string) *Page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.t.Fatalf("codegranttest: open %s: %v", target, err)
	}
	r.Header.Set("Sec-Fetch-Site", "none")
	return b.navigate(r)
}

// Submit sends a form of a page with some of its values replaced.
func (b *Browser) Submit(page *Page, form Form, values map[string]string) *Page {
	b.t.Helper()
	for name, value := range values {
		form.Values.Set(name, value)
	}
	target, body := *form.Action, io.Reader(nil)
	if form.Method == http.MethodGet {
		target.RawQuery = form.Values.Encode()
	} else {
		body = strings.NewReader(form.Values.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), form.Method, target.String(), body)
	if err != nil {
		b.t.Fatalf("codegranttest: submit to %s: %v", form.Action, err)
	}
	origin := page.URL.Scheme + "://" + page.URL.Host
	site := "cross-site"
	if origin == target.Scheme+"://"+target.Host {
		site = "same-origin"
	}
	r.Header.Set("Sec-Fetch-Site", site)
	if form.Method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
	}
	return b.navigate(r)
}

// SignIn navigates to a page that demands a sign-in, fills in the pool's login
// form, and returns the page that the sign-in ended at. It ends the test when
// there is no login form, or when the pool shows one again.
func (b *Browser) SignIn(target, username, password string) *Page {
	b.t.Helper()
	page := b.Open(target)
	form, ok := page.Form("password")
	if !ok {
		b.t.Fatalf("codegranttest: sign in at %s: no login form at %s (status %d)", target, page.URL, page.Status)
	}
	ended := b.Submit(page, form, map[string]string{"username": username, "password": password})
	if _, again := ended.Form("password"); again {
		b.t.Fatalf("codegranttest: sign in as %s: refused by %s", username, ended.URL.Host)
	}
	return ended
}

// Form returns the first form of the page that has a field of the given name.
func (p *Page) Form(field string) (Form, bool) {
	for _, f := range p.Forms {
		if f.Values.Has(field) {
			return f, true
		}
	}
	return Form{}, false
}

const maxPage = 4 << 20

func (b *Browser) navigate(r *http.Request) *Page {
	b.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	response, err := b.Client.Do(r)
	if err != nil {
		b.t.Fatalf("codegranttest: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		b.t.Fatalf("codegranttest: read %s: %v", response.Request.URL, err)
	}
	page := &Page{URL: response.Request.URL, Status: response.StatusCode, Header: response.Header, Body: string(body)}
	if page.Forms, err = readForms(page.URL, page.Body); err != nil {
		b.t.Fatalf("codegranttest: %v", err)
	}
	return page
}

func readForms(base *url.URL, body string) ([]Form, error) {
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", base, err)
	}
	var forms []Form
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		action, err := base.Parse(attribute(n, "action"))
		if err != nil {
			return nil, fmt.Errorf("form of %s: %w", base, err)
		}
		form := Form{Method: strings.ToUpper(attribute(n, "method")), Action: action, Values: url.Values{}}
		if form.Method == "" {
			form.Method = http.MethodGet
		}
		for field := range n.Descendants() {
			switch {
			case field.Type != html.ElementNode:
			case field.Data == "button":
				form.Labels = append(form.Labels, strings.TrimSpace(text(field)))
			case field.Data == "input" && attribute(field, "name") != "":
				kind := attribute(field, "type")
				if (kind == "checkbox" || kind == "radio") && !hasAttribute(field, "checked") {
					continue
				}
				form.Values.Set(attribute(field, "name"), attribute(field, "value"))
			}
		}
		forms = append(forms, form)
	}
	return forms, nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func text(n *html.Node) string {
	var s strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			s.WriteString(d.Data)
		}
	}
	return s.String()
}
