package codegrant_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

func TestS044_S048_HostileReturnTargets(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.AllowedReturnOrigins = []string{"https://www.example.com"} })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	tests := []struct{ target, want string }{
		{"/reports/?a=b#c", "/reports/?a=b#c"},
		{"https://www.example.com/x", "https://www.example.com/x"},
		{a.url + "/reports/", a.url + "/reports/"},
		{"//evil.example", "/"}, {"///evil.example", "/"}, {`/\evil.example`, "/"}, {`\\evil.example`, "/"}, {"/\t/evil.example", "/"},
		{"https://evil.example", "/"}, {"https://www.example.com.evil.example", "/"}, {"https://www.example.com@evil.example", "/"},
		{"http://www.example.com/", "/"}, {"javascript:alert(1)", "/"}, {"data:text/html,x", "/"}, {"/%2f/evil.example", "/"}, {"/.//evil.example", "/"},
		{"/x/../../evil", "/"}, {"evil", "/"}, {"?x", "/"}, {strings.Repeat("/x", 9000), "/"},
		// Ends of our own would loop.
		{"/auth/login", "/"}, {"/auth/logout?redirect_uri=/", "/"}, {"/auth/%6cogout", "/"}, {a.url + "/auth/callback/", "/"},
	}
	for _, tt := range tests {
		t.Run(tt.target[:min(len(tt.target), 40)], func(t *testing.T) {
			// The pool knows the browser, so that the sign-in needs no form.
			r := get(t, browser.Client, a.url+"/auth/login?redirect_uri="+url.QueryEscape(tt.target))
			r = get(t, browser.Client, r.Header.Get("Location"))
			r = get(t, browser.Client, r.Header.Get("Location"))
			if got := r.Header.Get("Location"); r.StatusCode != 303 || got != tt.want {
				t.Errorf("status %d to %q, want %q", r.StatusCode, got, tt.want)
			}
		})
	}
}

func TestS045_HostileRequestTargets(t *testing.T) {
	a := newApp(t, nil)
	for _, path := range []string{"//evil.example/x", "/%5cevil.example", "/x/..//evil.example"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", "text/html")
		r.RequestURI = path
		r.URL.Path = path
		w := httptest.NewRecorder()
		a.auth.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != "/auth/login?redirect_uri=%2F" {
			t.Errorf("%s: sent to %q", path, got)
		}
	}
}

func TestS030_ForeignHostsChangeNothing(t *testing.T) {
	a := newApp(t, nil)
	// Who came by another name is sent to ours, once, and the sign-in begins there.
	r, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/auth/login?begun_at=other", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL"} {
		r.Header.Set(name, "evil.example")
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := url.Parse(response.Header.Get("Location"))
	if err != nil || location.Query().Get("redirect_uri") != a.url+"/auth/callback" || strings.Contains(location.String(), "evil") {
		t.Errorf("sent to %s", location)
	}
}

func TestS040_S041_ParametersOfALink(t *testing.T) {
	a := newApp(t, nil)
	r := get(t, http.DefaultClient, a.url+"/auth/login?identity_provider=Google&lang=de&login_hint=x%26scope%3Dadmin&prompt=login&scope=admin&state=mine&nonce=mine&redirect_uri=/&client_id=other&response_type=token&code_challenge=mine")
	location, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := location.Query()
	if q.Get("identity_provider") != "Google" || q.Get("lang") != "de" || q.Get("prompt") != "login" || q.Get("login_hint") != "x&scope=admin" {
		t.Errorf("not passed on: %v", q)
	}
	for name, values := range q {
		if len(values) != 1 {
			t.Errorf("parameter %s is repeated", name)
		}
	}
	if q.Get("scope") != "openid email profile" || q.Get("state") == "mine" || q.Get("nonce") == "mine" || q.Get("code_challenge") == "mine" ||
		q.Get("client_id") != a.ClientID || q.Get("response_type") != "code" || q.Get("redirect_uri") != a.url+"/auth/callback" {
		t.Errorf("a link decides: %v", q)
	}
}

func TestS037_AttemptsAreCapped(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	base, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		get(t, browser.Client, fmt.Sprintf("%s/auth/login?redirect_uri=/reports/%d", a.url, i))
		a.now.Advance(time.Second)
	}
	size := 0
	cookies := browser.Client.Jar.Cookies(base)
	for _, c := range cookies {
		size += len(c.Name) + len(c.Value) + 3
	}
	if len(cookies) > 24 || size > 8<<10 {
		t.Errorf("the browser carries %d attempts of %d bytes", len(cookies), size)
	}
	// The latest of them is alive.
	if page := browser.SignIn(a.url+"/reports/last", "alice@example.com", codegranttest.Password); page.Body != "alice at /reports/last" {
		t.Errorf("ended at %s: %s", page.URL, page.Body)
	}
}

func cookiesOf(t *testing.T, browser *codegranttest.Browser, target string) []*http.Cookie {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return browser.Client.Jar.Cookies(u)
}

// sessionOf is the session cookie of a browser.
func sessionOf(t *testing.T, browser *codegranttest.Browser, target string) *http.Cookie {
	t.Helper()
	for _, c := range cookiesOf(t, browser, target) {
		if c.Name == "codegrant" {
			return c
		}
	}
	t.Fatalf("no session cookie among %v", cookiesOf(t, browser, target))
	return nil
}

func withCookies(t *testing.T, target string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	var all []string
	for _, c := range cookies {
		all = append(all, c.Name+"="+c.Value)
	}
	return get(t, http.DefaultClient, target, "Cookie", strings.Join(all, "; "))
}

func TestS054_TwoSessionsInOneRequest(t *testing.T) {
	a := newApp(t, nil)
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	alice.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	bob.SignIn(a.url+"/", "bob@example.com", codegranttest.Password)
	hers, his := sessionOf(t, alice, a.url), sessionOf(t, bob, a.url)
	junk := &http.Cookie{Name: hers.Name, Value: "junk"}
	for name, cookies := range map[string][]*http.Cookie{"hers first": {hers, his}, "his first": {his, hers}} {
		if r := withCookies(t, a.url+"/auth/user", cookies...); r.StatusCode != 401 {
			t.Errorf("%s: status %d, want 401", name, r.StatusCode)
		}
	}
	if r := withCookies(t, a.url+"/auth/user", junk, hers, junk); r.StatusCode != 200 {
		t.Errorf("a planted cookie without a session: status %d", r.StatusCode)
	}
}

func TestS064_TooManyCookies(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	var line strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&line, "c%d=x; ", i)
	}
	c := sessionOf(t, browser, a.url)
	line.WriteString(c.Name + "=" + c.Value)
	if r := get(t, http.DefaultClient, a.url+"/auth/user", "Cookie", line.String()); r.StatusCode != 431 {
		t.Errorf("status %d, want 431 and no sign-in loop", r.StatusCode)
	}
}

func TestS059_SessionsOfAnotherPool(t *testing.T) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	one := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	other := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(one.url+"/", "alice@example.com", codegranttest.Password)
	if r := withCookies(t, other.url+"/auth/user", sessionOf(t, browser, one.url)); r.StatusCode != 401 {
		t.Errorf("a session of another pool: status %d", r.StatusCode)
	}
	if r := withCookies(t, one.url+"/auth/user", sessionOf(t, browser, one.url)); r.StatusCode != 200 {
		t.Errorf("and it ended the session: status %d", r.StatusCode)
	}
}

// Two app clients of one pool, side by side on one store: the pool's tokens differ in
// the client alone, and so must the sessions.
func TestS059_SessionsOfAnotherAppClient(t *testing.T) {
	a := newApp(t, nil)
	other := a.Register(a.url)
	other.ClientID, other.ClientSecret = localpool.DemoPublicID, ""
	auth, err := codegrant.New(codegrant.Config{Pool: other, BaseURL: a.url, Sessions: a.sessions, CookieName: "codegrant", Now: a.now.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	server := httptest.NewServer(mux)
	defer server.Close()
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	if r := withCookies(t, server.URL+"/auth/user", cookie); r.StatusCode != 401 {
		t.Errorf("a session of another app client: status %d", r.StatusCode)
	}
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 200 {
		t.Errorf("and it ended the session: status %d", r.StatusCode)
	}
}

func TestS027_CookiesAreOfDifferentKinds(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.ErrorURL = "/open" })
	browser := codegranttest.NewBrowser(t)
	browser.Open(a.url + "/reports/")
	var attempt *http.Cookie
	for _, c := range cookiesOf(t, browser, a.url) {
		if strings.Contains(c.Name, "request") {
			attempt = c
		}
	}
	if attempt == nil {
		t.Fatal("no attempt cookie")
	}
	if r := withCookies(t, a.url+"/auth/user", &http.Cookie{Name: "codegrant", Value: attempt.Value}); r.StatusCode != 401 {
		t.Errorf("an attempt as a session: status %d", r.StatusCode)
	}
	if r := withCookies(t, a.url+"/auth/flash", &http.Cookie{Name: strings.Split(attempt.Name, "request-")[0] + "flash", Value: attempt.Value}); r.StatusCode != 204 {
		t.Errorf("an attempt as a message: status %d", r.StatusCode)
	}
}

func TestS102_Methods(t *testing.T) {
	a := newApp(t, nil)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/auth/login", 405}, {"POST", "/auth/callback", 405}, {"HEAD", "/auth/callback", 405}, {"DELETE", "/auth/logout", 405},
		{"POST", "/auth/user", 405}, {"POST", "/auth/flash", 405}, {"GET", "/auth/nothing", 404}, {"HEAD", "/auth/user", 401},
	} {
		if r := send(t, http.DefaultClient, tt.method, a.url+tt.path); r.StatusCode != tt.want {
			t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, r.StatusCode, tt.want)
		}
	}
}

// second serves the same application from another process, as it were.
func (a *app) second(t *testing.T, store session.Store, keys *session.Keyring) string {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{
		Pool: a.Register(a.url), BaseURL: a.url, Sessions: store, Keys: keys, CookieName: "codegrant", Now: a.now.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestS071_S074_OneRefreshForTwoProcesses(t *testing.T) {
	a := newApp(t, nil)
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	other := a.second(t, a.sessions, session.RandomKeyring())
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	before := a.Calls(localpool.Token)
	a.now.Advance(61 * time.Minute)
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range 200 {
		wg.Go(func() {
			target := a.url
			if i%2 == 0 {
				target = other
			}
			r, err := http.NewRequestWithContext(t.Context(), "GET", target+"/auth/user", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.AddCookie(cookie)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if response.StatusCode != 200 {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := a.Calls(localpool.Token) - before; n != 1 || failed.Load() != 0 {
		t.Errorf("%d refreshes by two processes, %d of 200 requests failed", n, failed.Load())
	}
}

func TestS157_SignInBeginsHereAndEndsThere(t *testing.T) {
	keys, store := session.RandomKeyring(), session.NewMemoryStore(session.MemoryConfig{})
	a := newApp(t, func(c *codegrant.Config) { c.Keys, c.Sessions = keys, store })
	other := a.second(t, store, keys)
	browser := codegranttest.NewBrowser(t)
	callback, err := url.Parse(callbackOf(t, a, browser, "/reports/"))
	if err != nil {
		t.Fatal(err)
	}
	r := withCookies(t, other+"/auth/callback?"+callback.RawQuery, cookiesOf(t, browser, a.url)...)
	if r.StatusCode != 303 || r.Header.Get("Location") != "/reports/" {
		t.Fatalf("status %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	for _, c := range r.Cookies() {
		if c.Name == "codegrant" {
			if r := withCookies(t, a.url+"/auth/user", c); r.StatusCode != 200 {
				t.Errorf("the session there is none here: status %d", r.StatusCode)
			}
		}
	}
}

// hookedStore lets a test step in before a swap.
type hookedStore struct {
	session.Store
	beforeSwap func(session.Record) error
	mu         sync.Mutex
}

func (h *hookedStore) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	h.mu.Lock()
	hook := h.beforeSwap
	h.mu.Unlock()
	if hook != nil {
		if err := hook(r); err != nil {
			return session.Record{}, err
		}
	}
	return h.Store.CompareAndSwap(ctx, r)
}

func (h *hookedStore) set(hook func(session.Record) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beforeSwap = hook
}

func TestS083_SignOutDuringARefreshWins(t *testing.T) {
	store := &hookedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	a.now.Advance(61 * time.Minute)
	store.set(func(r session.Record) error {
		if r.LeaseUntil.IsZero() { // the refreshed tokens are about to be stored
			store.set(nil)
			return store.Delete(context.Background(), r.ID)
		}
		return nil
	})
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 401 {
		t.Errorf("status %d, want 401", r.StatusCode)
	}
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 401 {
		t.Errorf("the session came back: status %d", r.StatusCode)
	}
	if a.Calls(localpool.Revoke) != 1 {
		t.Errorf("the new refresh token was revoked %d times", a.Calls(localpool.Revoke))
	}
}

func TestS075_ARotatedTokenIsStoredInTheEnd(t *testing.T) {
	store := &hookedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	a.now.Advance(61 * time.Minute)
	var failures atomic.Int32
	store.set(func(r session.Record) error {
		if r.LeaseUntil.IsZero() && failures.Add(1) <= 3 {
			return fmt.Errorf("replace session: %w", session.ErrUnavailable)
		}
		return nil
	})
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Fatalf("status %d after %d failed writes", r.StatusCode, failures.Load())
	}
	store.set(nil)
	a.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("the rotated token was lost: status %d", r.StatusCode)
	}
}

func TestS077_ARefreshOutlivesItsRequest(t *testing.T) {
	a := newApp(t, nil)
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	a.now.Advance(61 * time.Minute)

	r := httptest.NewRequest("GET", "/auth/user", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the person has closed the page
	r = r.WithContext(ctx)
	r.AddCookie(cookie)
	mux := http.NewServeMux()
	a.auth.Mount(mux, "/auth")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if err := a.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 200 {
		t.Errorf("the next request: status %d", r.StatusCode)
	}
}

func TestS084_SignOutWithoutAStore(t *testing.T) {
	store := &brokenStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	store.broken.Store(true)
	r := send(t, browser.Client, "POST", a.url+"/auth/logout")
	cleared := false
	for _, c := range r.Cookies() {
		cleared = cleared || (c.Name == "codegrant" && c.MaxAge < 0)
	}
	if r.StatusCode != 503 || !cleared {
		t.Errorf("status %d, cookies %v; want an honest 503 and the cookie taken back", r.StatusCode, r.Cookies())
	}
}

func TestS088_NobodyEndsAnothersSession(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	records, err := a.sessions.List(t.Context(), session.Query{})
	if err != nil || len(records) != 1 {
		t.Fatalf("List() = %v, %v", records, err)
	}
	for _, query := range []string{"?sid=" + records[0].ID, "?sub=" + records[0].Subject, "?id_token_hint=x"} {
		send(t, http.DefaultClient, "POST", a.url+"/auth/logout"+query)
		send(t, http.DefaultClient, "POST", a.url+"/auth/logout"+query, "Cookie", "codegrant="+records[0].ID)
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
}

func TestS049_SignOutTargets(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.SignOutURLs = []string{c.BaseURL + "/", c.BaseURL + "/bye"}
		c.AllowedReturnOrigins = []string{"https://www.example.com"}
	})
	for target, want := range map[string]string{
		"": a.url + "/", "/bye": a.url + "/bye", a.url + "/bye": a.url + "/bye", "/bye/": a.url + "/", "https://www.example.com/": a.url + "/",
		"https://evil.example/": a.url + "/", "//evil.example": a.url + "/",
	} {
		r := send(t, http.DefaultClient, "POST", a.url+"/auth/logout?redirect_uri="+url.QueryEscape(target))
		location, err := url.Parse(r.Header.Get("Location"))
		if err != nil || r.StatusCode != 303 || location.Query().Get("logout_uri") != want {
			t.Errorf("target %q: status %d, sent to %s, want logout_uri %s", target, r.StatusCode, location, want)
		}
	}
}

func TestALeewayBeyondTheTokensLifeIsCutDown(t *testing.T) {
	for name, change := range map[string]func(*codegrant.Config){
		"session": func(*codegrant.Config) {}, "shared tokens": sharing,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			p.backend("a.example.test", func(c *codegrant.Config) { c.RefreshLeeway = time.Hour; change(c) })
			if err := p.SetTokenValidity(p.ClientID, 10*time.Minute); err != nil {
				t.Fatal(err)
			}
			browser := p.browser()
			browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
			calls := p.Calls("token")
			for range 5 {
				browser.Open("https://a.example.test/")
			}
			if err := p.auths["a.example.test"].Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := p.Calls("token") - calls; got != 0 {
				t.Errorf("%d refreshes of a token that is new", got)
			}
		})
	}
}
