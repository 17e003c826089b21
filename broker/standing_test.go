package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
)

// documented is a site whose client has a document, which each process asks for anew.
type documented struct {
	*site
	status atomic.Int64
	body   atomic.Value // of string
	kind   atomic.Value // of string: its Content-Type
	cut    atomic.Bool  // the connection breaks off after the body
	ages   [2]string    // Cache-Control, as each process is told
}

func newDocumented(t *testing.T, ages ...string) *documented {
	t.Helper()
	d := new(documented)
	copy(d.ages[:], ages)
	d.status.Store(200)
	d.kind.Store("application/json")
	process := 0
	d.site = newSite(t, func(c *broker.Config) {
		own := process
		process++
		c.TokenLifetime = time.Hour
		c.HTTPClient = &http.Client{Transport: internet(func(r *http.Request) (*http.Response, error) {
			header := http.Header{"Content-Type": {d.kind.Load().(string)}, "Cache-Control": {d.ages[own]}, "Location": {documentID + "x"}}
			body := io.Reader(strings.NewReader(d.body.Load().(string)))
			if d.cut.Load() {
				body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
			}
			return &http.Response{StatusCode: int(d.status.Load()), Header: header, Body: io.NopCloser(body), Request: r}, nil
		})}
	})
	d.says("Agent", d.callback)
	return d
}

func (d *documented) says(name, redirect string) {
	d.body.Store(`{"client_id":"` + documentID + `","client_name":"` + name + `","redirect_uris":["` + redirect + `"]}`)
}

// at sends a form to an endpoint of one process.
func (s *site) at(process int, endpoint string, form url.Values) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/oauth/"+endpoint, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.brokers[process].Handlers()["/oauth/"+endpoint].ServeHTTP(w, r)
	return w
}

func refreshing(token, client string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client}}
}

// submit answers the consent page, and returns what the person gets to see, or where to.
func (s *site) submit(page *codegranttest.Page, answer string) *codegranttest.Page {
	s.t.Helper()
	form, ok := page.Form("question")
	if !ok {
		s.t.Fatalf("nobody is asked: %d %s", page.Status, page.Body)
	}
	return s.browser.Submit(page, form, map[string]string{"answer": answer})
}

// TestS810_AnotherClientThanWasAgreedTo: a client that changes its name or its addresses has
// what was agreed to no more, neither while the person looks at the page nor afterwards.
func TestS810_AnotherClientThanWasAgreedTo(t *testing.T) {
	for name, change := range map[string]func(*documented){
		"its name":      func(d *documented) { d.says("Your bank", d.callback) },
		"its addresses": func(d *documented) { d.says("Agent", "http://127.0.0.1/elsewhere") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(t, "no-store", "no-store")
			got := d.tokens(documentID)
			if status, next := d.refresh(got.Refresh, documentID, nil); status != 200 {
				t.Fatalf("as it was: %d %+v", status, next)
			} else {
				got = next
			}
			code := d.code(documentID)
			pages := []*codegranttest.Page{d.open(d.request(documentID, nil)), d.open(d.request(documentID, nil))}
			change(d)
			for i, answer := range []string{"allow", "deny"} {
				page := d.submit(pages[i], answer)
				if name == "its name" && answer == "deny" {
					if told := d.told(); told.Get("error") != "access_denied" {
						t.Errorf("no: %v", told)
					}
					continue
				}
				if page.Status != 400 {
					t.Errorf("%s, while the page was open: %d %s", answer, page.Status, page.Body)
				}
				select {
				case told := <-d.arrived:
					t.Errorf("the client is told %v", told)
				default:
				}
			}
			if status, next := d.redeem(code, documentID, nil); status != 400 || next.Access != "" {
				t.Errorf("its code: %d %+v", status, next)
			}
			if status, next := d.refresh(got.Refresh, documentID, nil); status != 400 || next.Error != "invalid_grant" {
				t.Errorf("its refresh token: %d %+v", status, next)
			}
			d.later(time.Second)
			if status, _ := d.call(got.Access); status != 401 {
				t.Errorf("its access token: %d", status)
			}
		})
	}
	// One that has registered an address at a host that is allowed no longer.
	s := newSite(t, nil)
	status, registered := s.register(`{"redirect_uris":["https://claude.ai/cb"]}`)
	client, _ := registered["client_id"].(string)
	if status != 201 {
		t.Fatalf("%d %v", status, registered)
	}
	to := url.Values{"redirect_uri": {"https://claude.ai/cb"}}
	page := s.open(s.request(client, to))
	s.browser.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	back, err := url.Parse(s.submit(page, "allow").Header.Get("Location"))
	if err != nil || back.Host != "claude.ai" {
		t.Fatalf("%v, %v", back, err)
	}
	status, got := s.redeem(back.Query().Get("code"), client, to)
	if status != 200 {
		t.Fatalf("%d %+v", status, got)
	}
	for _, b := range s.brokers {
		b.RedirectHosts = nil
	}
	s.later(time.Second)
	if status, _ := s.call(got.Access); status != 401 {
		t.Errorf("an access token of a client at a host that is not allowed any more: %d", status)
	}
	if status, _ := s.refresh(got.Refresh, client, nil); status != 400 {
		t.Errorf("its refresh token: %d", status)
	}
}

// failing is a store that does not answer one kind of question.
type failing struct {
	cupboard.Store
	now atomic.Value // of string: the operation and the shelf
}

func (f *failing) asked(operation string, kind cupboard.Kind) error {
	if f.now.Load() == operation+" "+kind.Name {
		return fmt.Errorf("%w: out of order", cupboard.ErrUnavailable)
	}
	return nil
}

func (f *failing) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	if err := f.asked("put", kind); err != nil {
		return err
	}
	return f.Store.Put(ctx, kind, r)
}

func (f *failing) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	if err := f.asked("get", kind); err != nil {
		return cupboard.Record{}, err
	}
	return f.Store.Get(ctx, kind, key)
}

func (f *failing) Take(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	if err := f.asked("take", kind); err != nil {
		return cupboard.Record{}, err
	}
	return f.Store.Take(ctx, kind, key)
}

func (f *failing) Swap(ctx context.Context, kind cupboard.Kind, r cupboard.Record) (cupboard.Record, error) {
	if err := f.asked("swap", kind); err != nil {
		return cupboard.Record{}, err
	}
	return f.Store.Swap(ctx, kind, r)
}

func (f *failing) List(ctx context.Context, kind cupboard.Kind, q cupboard.Query) ([]cupboard.Record, error) {
	if err := f.asked("list", kind); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, kind, q)
}

// TestS812_AStoreThatIsDown at any step: nobody is refused for it, nothing is lost, and nothing
// is said to be over that is not.
func TestS812_AStoreThatIsDown(t *testing.T) {
	var shelf *failing
	newShelf = func(t testing.TB, now func() time.Time) cupboard.Store {
		shelf = &failing{Store: inMemory(t, now)}
		shelf.now.Store("")
		return shelf
	}
	defer func() { newShelf = inMemory }()
	s := newSite(t, nil)
	// down has the store fail, and asks whether that is what a program is told.
	down := func(what string, ask func() (int, tokens)) {
		t.Helper()
		shelf.now.Store(what)
		status, got := ask()
		shelf.now.Store("")
		if status != 503 || got.Error != "temporarily_unavailable" || got.Access != "" {
			t.Errorf("%s: %d %+v", what, status, got)
		}
		s.later(time.Second)
	}
	person := func(what string, ask func() *codegranttest.Page) {
		t.Helper()
		shelf.now.Store(what)
		page := ask()
		shelf.now.Store("")
		if page.Status != 503 || page.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d at %s", what, page.Status, page.URL)
		}
		select {
		case told := <-s.arrived:
			t.Errorf("%s: the client is told %v", what, told)
		default:
		}
	}
	client := s.registered()
	person("get broker-client", func() *codegranttest.Page { return s.open(s.request(client, nil)) })
	page := s.open(s.request(client, nil))
	for _, what := range []string{"get broker-client", "put broker-client", "put broker-grant"} {
		person(what, func() *codegranttest.Page { return s.submit(page, "allow") })
	}
	code := s.answer(page, "allow").Get("code") // the same page, once more
	for _, what := range []string{"get broker-grant", "get broker-client", "swap broker-grant"} {
		down(what, func() (int, tokens) { return s.redeem(code, client, nil) })
	}
	status, got := s.redeem(code, client, nil)
	if status != 200 {
		t.Fatalf("the code is lost: %d %+v", status, got)
	}
	for _, what := range []string{"get broker-grant", "get broker-client", "put broker-client", "swap broker-grant"} {
		down(what, func() (int, tokens) { return s.refresh(got.Refresh, client, nil) })
	}
	first := got
	if status, got = s.refresh(got.Refresh, client, nil); status != 200 {
		t.Fatalf("the refresh token is lost: %d %+v", status, got)
	}
	for _, what := range []string{"get broker-grant", "get broker-client"} {
		s.later(time.Second)
		shelf.now.Store(what)
		if status, _ := s.call(got.Access); status != 503 {
			t.Errorf("%s, with an access token: %d", what, status)
		}
		shelf.now.Store("")
	}
	if status, _ := s.call(got.Access); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
	person("list broker-grant", func() *codegranttest.Page { return s.browser.Open(s.url + "/oauth/grants") })
	mine := s.browser.Open(s.url + "/oauth/grants")
	form, ok := mine.Form("item")
	if !ok {
		t.Fatal(mine.Body)
	}
	for _, what := range []string{"get broker-grant", "take broker-grant"} {
		person(what, func() *codegranttest.Page { return s.browser.Submit(mine, form, nil) })
	}
	// What cannot be ended is not said to be over; and it ends as the client comes again.
	for _, what := range []string{"get broker-grant", "take broker-grant"} {
		down(what, func() (int, tokens) {
			return s.post("revoke", url.Values{"token": {got.Refresh}, "client_id": {client}})
		})
	}
	down("take broker-grant", func() (int, tokens) { return s.refresh(first.Refresh, client, nil) })
	if status, _ := s.refresh(first.Refresh, client, nil); status != 400 {
		t.Errorf("a refresh token that comes twice: %d", status)
	}
	s.later(time.Second)
	if status, _ := s.call(got.Access); status != 401 {
		t.Errorf("the grant goes on: %d", status)
	}
	code = s.code(client)
	down("take broker-grant", func() (int, tokens) { return s.redeem(code, "fixed", nil) })
	if status, _ := s.redeem(code, "fixed", nil); status != 400 {
		t.Errorf("a code that another client has: %d", status)
	}
	if status, _ := s.redeem(code, client, nil); status != 400 {
		t.Errorf("the code goes on: %d", status)
	}
	// Whoever has signed out is refused all the same.
	got = s.tokens("fixed")
	s.signOut()
	before := s.records()
	shelf.now.Store("take broker-grant")
	for range 2 {
		s.later(time.Second)
		for i, b := range s.brokers {
			if id, err := b.Issued(s.resource)(t.Context(), got.Access); !errors.Is(err, codegrant.ErrInvalid) {
				t.Errorf("signed out, and the token opens the resource in process %d: %+v, %v", i, id, err)
			}
		}
		if status, again := s.refresh(got.Refresh, "fixed", nil); status != 400 || again.Access != "" {
			t.Errorf("signed out, and a refresh token is taken: %d %+v", status, again)
		}
	}
	if n := s.records(); n != before {
		t.Errorf("%d records, want %d: the store does not take any", n, before)
	}
	shelf.now.Store("")
	if status, again := s.refresh(got.Refresh, "fixed", nil); status != 400 || again.Access != "" || s.records() != before-1 {
		t.Errorf("afterwards: %d %+v, %d records, want %d", status, again, s.records(), before-1)
	}
}

// TestS812_DocumentsWithoutAStore: whether a document is gone cannot be found out, and that one
// is cannot be told: nobody is refused, and nothing goes on for it.
func TestS812_DocumentsWithoutAStore(t *testing.T) {
	var shelf *failing
	newShelf = func(t testing.TB, now func() time.Time) cupboard.Store {
		shelf = &failing{Store: inMemory(t, now)}
		shelf.now.Store("")
		return shelf
	}
	defer func() { newShelf = inMemory }()
	d := newDocumented(t, "no-store", "max-age=86400")
	got := d.tokens(documentID)
	shelf.now.Store("get broker-gone")
	d.later(time.Second)
	if status, _ := d.call(got.Access); status != 503 {
		t.Errorf("an access token: %d", status)
	}
	for process := range 2 {
		if w := d.at(process, "token", refreshing(got.Refresh, documentID)); w.Code != 503 {
			t.Errorf("a refresh token: %d %s", w.Code, w.Body)
		}
	}
	shelf.now.Store("")
	status, got := d.refresh(got.Refresh, documentID, nil)
	if status != 200 {
		t.Fatalf("the refresh token is lost: %d %+v", status, got)
	}
	d.status.Store(404)
	shelf.now.Store("put broker-gone")
	if w := d.at(0, "token", refreshing(got.Refresh, documentID)); w.Code != 503 {
		t.Errorf("gone, which nobody can be told: %d %s", w.Code, w.Body)
	}
	shelf.now.Store("")
	if w := d.at(0, "token", refreshing(got.Refresh, documentID)); w.Code != 401 {
		t.Errorf("gone: %d %s", w.Code, w.Body)
	}
	d.later(time.Second)
	if status, _ := d.call(got.Access); status != 401 {
		t.Errorf("gone, an access token: %d", status)
	}
}

// TestResourcesOfAWholeHost: libraries give the URL of a host a slash, and people write it in
// upper case. The token has the one that is configured; another path is another resource.
func TestResourcesOfAWholeHost(t *testing.T) {
	const host = "https://tools.example.com"
	s := newSite(t, func(c *broker.Config) {
		c.Resources = []broker.Resource{{URL: host, Scopes: []string{"docs/read"}}, {URL: host + "/a", Scopes: []string{"docs/read"}}}
	})
	for _, asked := range []string{host, host + "/", "HTTPS://Tools.Example.com/", "https://TOOLS.example.com"} {
		values := s.answer(s.open(s.request("fixed", url.Values{"resource": {asked}})), "allow")
		status, got := s.redeem(values.Get("code"), "fixed", url.Values{"resource": {asked}})
		if status != 200 {
			t.Errorf("%s: %d %+v", asked, status, got)
			continue
		}
		if id, err := s.brokers[0].Issued(host)(t.Context(), got.Access); err != nil || id == nil {
			t.Errorf("%s: %v, %v", asked, id, err)
		}
		if id, err := s.brokers[0].Issued(host+"/a")(t.Context(), got.Access); err == nil {
			t.Errorf("%s: it opens another resource: %v", asked, id)
		}
		if status, got := s.refresh(got.Refresh, "fixed", url.Values{"resource": {asked}}); status != 200 {
			t.Errorf("%s: refresh: %d %+v", asked, status, got)
		}
	}
	for _, asked := range []string{"", "/", host + "//", host + "/?", host + "/#", host + "?", host + "/A", host + "/a/", "http://tools.example.com", "https://user@tools.example.com", "https://tools.example.com.", "https://tools.example.com:443", host + "/%61", "tools.example.com", host + " "} {
		s.open(s.request("fixed", url.Values{"resource": {asked}}))
		if told := s.told(); told.Get("error") != "invalid_target" {
			t.Errorf("%q: %v", asked, told)
		}
	}
}
