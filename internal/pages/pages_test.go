package pages_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/codegrant/codegrant/internal/pages"
)

// hostile is what a stranger would like to see on a page of ours.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}&amp;`

// views is every page, with each of its values set.
func views(value, link string) map[string]pages.View {
	return map[string]pages.View{
		"sign-in failed":   pages.SignInFailed{Message: value, TryAgain: link, Correlation: value},
		"signed in":        pages.SignedIn{Next: link},
		"confirm sign-out": pages.ConfirmSignOut{Action: link, Stay: link, Redirects: []string{"https://pool.example.com"}},
		"unavailable":      pages.Unavailable{TryAgain: link, Correlation: value},
		"denied":           pages.Denied{SignedInAs: value, Home: link, Switch: link, Correlation: value},
		"step-up first":    pages.StepUpFirst{SignIn: link, Home: link},
		"step-up failed":   pages.StepUpFailed{Level: value, Reached: value, TryAgain: link, Home: link, Correlation: value},
		"not found":        pages.NotFound{Home: link},
		"failed":           pages.Failed{Status: 400, TryAgain: link, Correlation: value},
		"too many":         pages.Failed{Status: 429},
		"sessions": pages.Sessions{SignedInAs: value, Action: link, Home: link, List: []pages.Session{
			{ID: value, Browser: value, System: value, Address: value}, {ID: value, Browser: value, Current: true},
		}},
		"agreements": pages.Agreements{SignedInAs: value, Action: link, Home: link, List: []pages.Agreement{
			{Client: value, Place: value, Resource: value, Scopes: []string{value}, Value: value},
		}},
		"signed out everywhere": pages.SignedOutEverywhere{RefreshTokens: true, Next: link},
		"agent refused":         pages.AgentRefused{Reason: value},
		"ask for an agent":      pages.AskForAgent{Client: value, Document: value, Place: value, Resource: value, Scopes: []string{value}, SignedInAs: value, Action: link, Question: value},
		"account": pages.Account{
			Title: "Your account", Message: value, SignedInAs: value, Done: value, Links: []pages.Link{{URL: link, Text: value}},
			Sections: []pages.Section{{
				Title: value, Message: value, Fault: value, Picture: pages.Picture{Name: value, Size: 9, Path: value, Text: value}, Links: []pages.Link{{URL: link, Text: value}},
				Items: []pages.Item{{Title: value, Links: []pages.Link{{URL: link, Text: value}}}},
				Forms: []pages.Form{{URL: link, Text: "Save", Inputs: []pages.Input{
					{Name: "code", Label: value, Value: value, Complete: value, Mode: value, Hint: value, Most: 6, Needed: true}, {Name: "sure", Label: value, Type: "checkbox", Value: value},
				}}},
			}},
		},
		"from elsewhere": pages.FromElsewhere{Home: link, Correlation: value},
	}
}

func render(t *testing.T, method string, view pages.View) (*http.Response, *html.Node) {
	t.Helper()
	w := httptest.NewRecorder()
	pages.Render(w, httptest.NewRequest(method, "/", nil), http.StatusTeapot, view)
	r := w.Result()
	root, err := html.Parse(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, root
}

// TestS036_S070_Headers sweeps every page.
func TestS036_S070_Headers(t *testing.T) {
	for name, view := range views("text", "/next") {
		t.Run(name, func(t *testing.T) {
			r, root := render(t, http.MethodGet, view)
			if r.StatusCode != http.StatusTeapot {
				t.Errorf("status = %d", r.StatusCode)
			}
			for header, want := range map[string]string{
				"Content-Type":           "text/html; charset=utf-8",
				"Content-Language":       "en",
				"Cache-Control":          "no-store",
				"X-Content-Type-Options": "nosniff",
				"X-Frame-Options":        "DENY",
			} {
				if got := r.Header.Get(header); got != want {
					t.Errorf("%s = %q, want %q", header, got, want)
				}
			}
			// A form has to say that it is ours; nobody else is told anything.
			referrer := "no-referrer"
			if slices.Contains([]string{"confirm sign-out", "agreements", "sessions", "ask for an agent", "account"}, name) {
				referrer = "same-origin"
			}
			if got := r.Header.Get("Referrer-Policy"); got != referrer {
				t.Errorf("Referrer-Policy = %q, want %q", got, referrer)
			}
			sum := sha256.Sum256([]byte(text(first(t, root, "style"))))
			policy := r.Header.Get("Content-Security-Policy")
			for _, want := range []string{
				"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
				"style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
			} {
				if !slices.Contains(strings.Split(policy, "; "), want) {
					t.Errorf("policy %q lacks %s", policy, want)
				}
			}
		})
	}
}

func TestFormAction(t *testing.T) {
	tests := []struct {
		name      string
		redirects []string
		want      string
	}{
		{"own origin alone", nil, "form-action 'self'"},
		{"wherever somebody else redirects to", []string{"https:", "http:"}, "form-action 'self' https: http:"},
		{"then the pool and the application", []string{"https://pool.example.com", "http://localhost:8080"}, "form-action 'self' https://pool.example.com http://localhost:8080"},
		{"of a URL, the origin", []string{"https://pool.example.com/logout?client_id=1"}, "form-action 'self' https://pool.example.com"},
		{"an address that the grammar lacks", []string{"http://[::1]:9229"}, "form-action 'self' http:"},
		{"of an app, the scheme", []string{"com.example.app://", "com.example-1.app://callback"}, "form-action 'self' com.example.app: com.example-1.app:"},
		{"characters that would end the directive", []string{"https://a;script-src"}, "form-action 'self' https:"},
		{"other schemes", []string{"javascript:alert(1)", "data:,x", "//a", "", ":", "ftp:"}, "form-action 'self'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := render(t, http.MethodGet, pages.ConfirmSignOut{Action: "/logout", Redirects: tt.redirects})
			directives := strings.Split(r.Header.Get("Content-Security-Policy"), "; ")
			if got := directives[len(directives)-1]; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	r, _ := render(t, http.MethodGet, pages.Denied{})
	if policy := r.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; form-action 'none'") {
		t.Errorf("a page without a form allows one: %s", policy)
	}
}

// TestS035_TextOfStrangers: what a stranger wrote is text, whatever it looks like.
func TestS035_TextOfStrangers(t *testing.T) {
	for name, view := range views(hostile, "/next?a="+hostile) {
		t.Run(name, func(t *testing.T) {
			_, root := render(t, http.MethodGet, view)
			harmless(t, root)
		})
	}
	_, root := render(t, http.MethodGet, pages.SignInFailed{Message: hostile})
	if got := text(first(t, root, "p")); got != hostile {
		t.Errorf("message is shown as %q", got)
	}
}

func TestS047_NoSchemeButTheWebs(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "blob:x", "vbscript:x", "myapp://x"} {
		for name, view := range views("text", link) {
			t.Run(name+" "+link, func(t *testing.T) {
				_, root := render(t, http.MethodGet, view)
				for n := range root.Descendants() {
					for _, a := range n.Attr {
						if (a.Key == "href" || a.Key == "action") && a.Val != "#ZgotmplZ" {
							t.Errorf("%s leads to %q", n.Data, a.Val)
						}
					}
				}
			})
		}
	}
}

// harmless refuses whatever could run, load or restyle.
func harmless(t *testing.T, root *html.Node) {
	t.Helper()
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"script", "img", "iframe", "object", "embed", "link", "base", "foreignobject"}, n.Data) {
			t.Errorf("page has <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "http-equiv" {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

// TestAccessible: what a screen reader and a keyboard need.
func TestAccessible(t *testing.T) {
	for name, view := range views("text", "/next") {
		t.Run(name, func(t *testing.T) {
			_, root := render(t, http.MethodGet, view)
			harmless(t, root)
			if lang := attribute(first(t, root, "html"), "lang"); lang != "en" {
				t.Errorf("lang = %q", lang)
			}
			if title, heading := text(first(t, root, "title")), text(first(t, root, "h1")); title != heading || title == "" {
				t.Errorf("the window is called %q and the page %q", title, heading)
			}
			first(t, root, "main")
			count := make(map[string]int)
			for n := range root.Descendants() {
				if n.Type == html.ElementNode {
					count[n.Data]++
				}
				switch n.Data {
				case "svg":
					if attribute(n, "aria-hidden") != "true" && (attribute(n, "role") != "img" || attribute(n, "aria-label") == "") {
						t.Error("a drawing is read out, and has no name")
					}
				case "input":
					if attribute(n, "type") != "hidden" && (n.Parent.Data != "label" || strings.TrimSpace(text(n.Parent)) == "") {
						t.Errorf("the field %q has no label", attribute(n, "name"))
					}
				case "a", "button":
					if strings.TrimSpace(text(n)) == "" {
						t.Errorf("<%s> has no text", n.Data)
					}
				}
			}
			if count["h1"] != 1 || count["main"] != 1 {
				t.Errorf("page has %d h1, %d main", count["h1"], count["main"])
			}
		})
	}
}

// TestNothingToDo: what has no URL is not offered.
func TestNothingToDo(t *testing.T) {
	for name, view := range map[string]pages.View{
		"unavailable": pages.Unavailable{}, "denied": pages.Denied{}, "from elsewhere": pages.FromElsewhere{},
	} {
		_, root := render(t, http.MethodGet, view)
		for n := range root.Descendants() {
			if n.Data == "a" || n.Data == "button" || n.Data == "form" {
				t.Errorf("%s: page offers %q", name, text(n))
			}
		}
	}
}

func TestHead(t *testing.T) {
	w := httptest.NewRecorder()
	pages.Render(w, httptest.NewRequest(http.MethodHead, "/", nil), http.StatusOK, pages.Denied{})
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: body of %d bytes, Content-Length %s", w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

func first(t *testing.T, root *html.Node, name string) *html.Node {
	t.Helper()
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			return n
		}
	}
	t.Fatalf("page has no <%s>", name)
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
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
