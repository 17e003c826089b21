package codegrant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// app is an application under test: reports for analysts, orders for editors.
type app struct {
	*codegranttest.Pool
	url      string
	auth     *codegrant.Auth
	sessions *session.MemoryStore
	log      *logs
	now      *clock
}

type clock struct{ atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.Load())) }
func (c *clock) Advance(d time.Duration) { c.Add(int64(d)) }

// logs keeps what is logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newApp(t *testing.T, change func(*codegrant.Config)) *app {
	t.Helper()
	a := &app{now: new(clock), log: new(logs)}
	a.Pool = codegranttest.NewPool(t, a.now.Now)
	a.sessions = session.NewMemoryStore(session.MemoryConfig{Now: a.now.Now})
	a.url = a.App(func(config codegrant.Config) http.Handler {
		config.Now, config.Sessions = a.now.Now, a.sessions
		config.CookieName = "codegrant" // the same at every port, so that tests can carry it from one to another
		config.Logger = slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if change != nil {
			change(&config)
		}
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		a.auth = auth
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			fmt.Fprintf(w, "%s at %s", id.Username, r.URL.RequestURI())
		})
		mux.Handle("/reports/", auth.Require(codegrant.InGroup("analysts"))(hello))
		mux.Handle("/orders/", auth.Require(codegrant.InGroup("editors"))(hello))
		mux.Handle("/payments/", auth.Require(codegrant.MinimumLevel("urn:cognito:loa:3"), codegrant.SignedInWithin(5*time.Minute))(hello))
		mux.Handle("/open", auth.Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m, ok := codegrant.Flash(r); ok {
				fmt.Fprintf(w, "flash %s: %s", m.Code, m.Message)
				return
			}
			_, ok := codegrant.From(r.Context())
			fmt.Fprintf(w, "signed in: %v", ok)
		})))
		mux.Handle("/", auth.Require()(hello))
		return mux
	})
	return a
}

// get sends a request as a program does.
func get(t *testing.T, client *http.Client, target string, header ...string) *http.Response {
	t.Helper()
	return send(t, client, http.MethodGet, target, header...)
}

func send(t *testing.T, client *http.Client, method, target string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSignInComesBackToWhereItBegan(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	page := browser.SignIn(a.url+"/reports/q3?year=2026", "alice@example.com", codegranttest.Password)
	if page.Status != 200 || page.Body != "alice at /reports/q3?year=2026" {
		t.Fatalf("signed in to %s, status %d: %s", page.URL, page.Status, page.Body)
	}

	var user map[string]any
	r := get(t, browser.Client, a.url+"/auth/user")
	if err := json.NewDecoder(r.Body).Decode(&user); err != nil || r.StatusCode != 200 {
		t.Fatalf("user endpoint: status %d, %v", r.StatusCode, err)
	}
	if user["username"] != "alice" || user["email"] != "alice@example.com" || user["sub"] == "" || fmt.Sprint(user["groups"]) != "[admins analysts]" {
		t.Errorf("user endpoint: %v", user)
	}
	if page := browser.Open(a.url + "/orders/"); page.Status != 403 || !strings.Contains(page.Body, "alice@example.com") {
		t.Errorf("without permission: status %d: %s", page.Status, page.Body)
	}
}

func TestWithoutASession(t *testing.T) {
	a := newApp(t, nil)
	for name, header := range map[string][]string{
		"program": nil,
		"JSON":    {"Accept", "application/json"},
		"script":  {"Sec-Fetch-Mode", "cors", "Accept", "text/html"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/reports/", "/auth/user", "/auth/user/"} {
				r := get(t, http.DefaultClient, a.url+path, header...)
				if r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer ") || r.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: status %d, headers %v", path, r.StatusCode, r.Header)
				}
				if len(r.Cookies()) != 0 {
					t.Errorf("%s: sets cookies %v", path, r.Cookies())
				}
			}
		})
	}
	r := get(t, http.DefaultClient, a.url+"/reports/", "Sec-Fetch-Mode", "navigate", "Accept", "text/html")
	if r.StatusCode != 302 || r.Header.Get("Location") != "/auth/login?redirect_uri=%2Freports%2F" {
		t.Errorf("browser: status %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
}

func TestS082_SignOutIsThorough(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	base, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	old := browser.Client.Jar.Cookies(base)

	r := send(t, browser.Client, "POST", a.url+"/auth/logout", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
	if r.StatusCode != 303 || !strings.HasPrefix(r.Header.Get("Location"), a.Pool.URL+"/logout?") {
		t.Fatalf("sign-out: status %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	if a.Calls(localpool.Revoke) != 1 {
		t.Errorf("the refresh token was revoked %d times", a.Calls(localpool.Revoke))
	}
	end := browser.Open(r.Header.Get("Location"))
	// The pool's session is over too: the start page ends at its login form.
	if _, ok := end.Form("password"); !ok {
		t.Errorf("after sign-out the browser ends at %s: %s", end.URL, end.Body)
	}
	replay, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/auth/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range old {
		replay.AddCookie(c)
	}
	response, err := http.DefaultClient.Do(replay)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 401 {
		t.Errorf("the old cookie still gets status %d", response.StatusCode)
	}
}

func TestS067_SignOutByAnotherSiteAsks(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for name, header := range map[string][]string{
		"GET of another site":            {"GET", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
		"image of another site":          {"GET", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		"GET of a sibling":               {"GET", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"},
		"POST of another site":           {"POST", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
		"POST of another origin":         {"POST", "Origin", "https://evil.example"},
		"old browser, told to be silent": {"GET", "Accept", "text/html,*/*;q=0.8"},
		"prefetch of our own":            {"GET", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"},
	} {
		r := send(t, browser.Client, header[0], a.url+"/auth/logout", header[1:]...)
		if !strings.Contains(text(t, r), "Sign out?") {
			t.Errorf("%s: status %d", name, r.StatusCode)
		}
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Fatalf("signed out without being asked")
	}
	// The page's own form signs out.
	page := browser.Open(a.url + "/auth/logout")
	if len(page.Forms) != 0 && strings.Contains(page.Body, "Sign out?") {
		t.Error("a typed address asks")
	}
}

func TestS037_TenTabsAndBackgroundRequests(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	const tabs = 10
	var pages [tabs]*codegranttest.Page
	for i := range tabs {
		pages[i] = browser.Open(fmt.Sprintf("%s/reports/%d", a.url, i))
	}
	for i := range 200 {
		header := []string{"Sec-Fetch-Mode", "cors", "Accept", "*/*"}
		if i%2 == 0 {
			header = []string{"Accept", "application/json"}
		}
		path := "/reports/x"
		if i%3 == 0 {
			path = "/auth/login"
		}
		if r := get(t, browser.Client, a.url+path, header...); r.StatusCode != 401 || len(r.Cookies()) != 0 {
			t.Fatalf("background request: status %d, cookies %v", r.StatusCode, r.Cookies())
		}
	}
	for i := range tabs {
		form, ok := pages[i].Form("password")
		if !ok {
			t.Fatalf("tab %d has no login form", i)
		}
		page := browser.Submit(pages[i], form, map[string]string{"username": "alice@example.com", "password": codegranttest.Password})
		if want := fmt.Sprintf("alice at /reports/%d", i); page.Body != want {
			t.Errorf("tab %d ended at %s: %s", i, page.URL, page.Body)
		}
	}
}

// callbackOf signs in at the pool, and stops before the callback.
func callbackOf(t *testing.T, a *app, browser *codegranttest.Browser, path string) string {
	t.Helper()
	page := browser.Open(a.url + path)
	form, ok := page.Form("password")
	if !ok {
		t.Fatalf("no login form at %s", page.URL)
	}
	form.Values.Set("username", "alice@example.com")
	form.Values.Set("password", codegranttest.Password)
	r, err := http.NewRequestWithContext(t.Context(), "POST", form.Action.String(), strings.NewReader(form.Values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := *browser.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.Header.Get("Location")
}

func TestS025_S029_RefusedCallbacks(t *testing.T) {
	tests := []struct {
		name   string
		attack func(t *testing.T, a *app, browser *codegranttest.Browser, callback string) *codegranttest.Page
		reason error
	}{
		{"S-025: a state of another browser", func(t *testing.T, a *app, _ *codegranttest.Browser, callback string) *codegranttest.Page {
			return codegranttest.NewBrowser(t).Open(callback)
		}, fault.StateUnknown},
		{"S-025: an empty state", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			return b.Open(a.url + "/auth/callback?code=c&state=")
		}, fault.StateMissing},
		{"S-025: no state", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			return b.Open(a.url + "/auth/callback?code=c")
		}, fault.StateMissing},
		{"S-025: an invented state", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			return b.Open(a.url + "/auth/callback?code=c&state=0123456789")
		}, fault.StateUnknown},
		{"S-028: two codes", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			return b.Open(callback + "&code=other")
		}, fault.CallbackQuery},
		{"S-029: another issuer", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			return b.Open(callback + "&iss=https%3A%2F%2Fevil.example")
		}, fault.IssuerMismatch},
		{"S-026: too late", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			a.now.Advance(11 * time.Minute)
			return b.Open(callback)
		}, fault.StateExpired},
		{"a code of nobody", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			u, _ := url.Parse(callback)
			return b.Open(a.url + "/auth/callback?code=invented&state=" + url.QueryEscape(u.Query().Get("state")))
		}, fault.CodeRefused},
		{"the pool says no", func(_ *testing.T, a *app, b *codegranttest.Browser, callback string) *codegranttest.Page {
			u, _ := url.Parse(callback)
			return b.Open(a.url + "/auth/callback?error=invalid_request&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=" + url.QueryEscape(u.Query().Get("state")))
		}, fault.Denied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			page := tt.attack(t, a, browser, callbackOf(t, a, browser, "/reports/"))
			if page.Status != 400 || !strings.Contains(page.Body, "Sign in again") || strings.Contains(page.Body, "<script") {
				t.Errorf("status %d, page %s", page.Status, page.Body)
			}
			if !strings.Contains(a.log.String(), strings.TrimPrefix(tt.reason.Error(), "not authenticated: ")) {
				t.Errorf("the log does not say %q:\n%s", tt.reason, a.log)
			}
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("a session came of it: status %d", r.StatusCode)
			}
		})
	}
}

func TestS031_RepeatedCallbacks(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	callback := callbackOf(t, a, browser, "/reports/7")
	if page := browser.Open(callback); page.Body != "alice at /reports/7" {
		t.Fatalf("signed in to %s: %s", page.URL, page.Body)
	}
	// Reloaded in the same browser: where they wanted to be, and nothing is redeemed again.
	if page := browser.Open(callback); page.Status != 200 {
		t.Errorf("reloaded: status %d", page.Status)
	}
	if n := a.Calls(localpool.Token); n != 1 {
		t.Errorf("the code was redeemed %d times", n)
	}
}

func TestS026_ConcurrentCallbacks(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	callback := callbackOf(t, a, browser, "/reports/")
	target, err := url.Parse(callback)
	if err != nil {
		t.Fatal(err)
	}
	cookies := browser.Client.Jar.Cookies(target)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "GET", callback, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for _, c := range cookies {
				r.AddCookie(c)
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if response.StatusCode == 303 {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || a.Calls(localpool.Token) != 1 {
		t.Errorf("%d of 20 callbacks with one state won, the code was sent %d times", won.Load(), a.Calls(localpool.Token))
	}
}

func TestS032_SignInMakesANewSession(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	base, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	planted := browser.Client.Jar.Cookies(base)
	// Sign in again over it: the pool knows the browser.
	browser.Open(a.url + "/auth/login")
	r, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/auth/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range planted {
		r.AddCookie(c)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 401 {
		t.Errorf("the session from before the sign-in still gets status %d", response.StatusCode)
	}
	if err := a.auth.Close(t.Context()); err != nil || a.Calls(localpool.Revoke) != 1 {
		t.Errorf("its refresh token was revoked %d times, %v", a.Calls(localpool.Revoke), err)
	}
}

func TestS071_OneRefreshForAThousandRequests(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	before := a.Calls(localpool.Token)
	a.now.Advance(61 * time.Minute)

	var wg sync.WaitGroup
	var failed atomic.Int32
	transport := &http.Transport{MaxConnsPerHost: 100, MaxIdleConnsPerHost: 100}
	defer transport.CloseIdleConnections()
	client := &http.Client{Jar: browser.Client.Jar, Transport: transport}
	for range 1000 {
		wg.Go(func() {
			r, err := client.Get(a.url + "/auth/user")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if r.StatusCode != 200 {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := a.Calls(localpool.Token) - before; n != 1 || failed.Load() != 0 {
		t.Errorf("%d refreshes, %d of 1000 requests failed", n, failed.Load())
	}
}

func TestS078_S150_ThePoolIsDown(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	for _, endpoint := range []string{localpool.Token, localpool.JWKS, localpool.Authorize, localpool.Pages} {
		a.Fault(endpoint, down)
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("with a live access token: status %d", r.StatusCode)
	}
	a.now.Advance(61 * time.Minute)
	r := get(t, browser.Client, a.url+"/auth/user")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || r.Header.Get("Content-Type") != "application/problem+json" || len(r.Cookies()) != 0 {
		t.Errorf("with an expired one: status %d, headers %v", r.StatusCode, r.Header)
	}
	for _, endpoint := range []string{localpool.Token, localpool.JWKS, localpool.Authorize, localpool.Pages} {
		a.Fault(endpoint, nil)
	}
	a.now.Advance(20 * time.Second) // past the back-off
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("once the pool is back: status %d: %s", r.StatusCode, text(t, r))
	}
}

func TestS058_S076_RefusedRefreshEndsTheSession(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	if err := a.DisableUser(a.PoolID, "alice"); err != nil {
		t.Fatal(err)
	}
	a.now.Advance(61 * time.Minute)
	r := get(t, browser.Client, a.url+"/auth/user")
	if r.StatusCode != 401 || len(r.Cookies()) == 0 || r.Cookies()[0].MaxAge >= 0 {
		t.Errorf("status %d, cookies %v; want 401 and the cookie taken back", r.StatusCode, r.Cookies())
	}
}

func TestS080_GroupsFollowARefresh(t *testing.T) {
	for _, rotation := range []bool{false, true} {
		t.Run(fmt.Sprintf("rotation %v", rotation), func(t *testing.T) {
			a := newApp(t, nil)
			if err := a.SetRotation(a.ClientID, rotation, 0); err != nil {
				t.Fatal(err)
			}
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
			if err := a.RemoveFromGroup(a.PoolID, "alice", "analysts"); err != nil {
				t.Fatal(err)
			}
			if r := get(t, browser.Client, a.url+"/reports/"); r.StatusCode != 200 {
				t.Errorf("before the refresh: status %d", r.StatusCode)
			}
			for i := range 3 {
				a.now.Advance(61 * time.Minute)
				if r := get(t, browser.Client, a.url+"/reports/"); r.StatusCode != 403 {
					t.Errorf("after refresh %d: status %d", i+1, r.StatusCode)
				}
			}
		})
	}
}

func TestStaleSessionsRefreshBeforeTheirNextUse(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	if err := a.RemoveFromGroup(a.PoolID, "alice", "analysts"); err != nil {
		t.Fatal(err)
	}
	records, err := a.sessions.List(t.Context(), session.Query{})
	if err != nil || len(records) != 1 {
		t.Fatalf("List() = %v, %v", records, err)
	}
	if _, err := a.sessions.MarkStale(t.Context(), records[0].Pool, records[0].Subject); err != nil {
		t.Fatal(err)
	}
	if r := get(t, browser.Client, a.url+"/reports/"); r.StatusCode != 403 {
		t.Errorf("status %d, want 403 at once", r.StatusCode)
	}
	if r := get(t, browser.Client, a.url+"/"); r.StatusCode != 200 {
		t.Errorf("the session itself: status %d", r.StatusCode)
	}
}

func TestS055_Lifetimes(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.IdleTimeout, c.AbsoluteTimeout = time.Hour, 3*time.Hour })
	if err := a.SetTokenValidity(a.ClientID, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	status := func() int { return get(t, browser.Client, a.url+"/auth/user").StatusCode }
	for range 3 {
		a.now.Advance(50 * time.Minute)
		if got := status(); got != 200 {
			t.Fatalf("in use: status %d", got)
		}
	}
	a.now.Advance(31 * time.Minute)
	if got := status(); got != 401 {
		t.Errorf("past the absolute end, in use: status %d", got)
	}

	browser = codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	a.now.Advance(61 * time.Minute)
	if got := status(); got != 401 {
		t.Errorf("past the idle end: status %d", got)
	}
}

func TestS065_S066_CrossOriginRequests(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.TrustedOrigins = []string{"https://www.example.com"} })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	tests := []struct {
		name, method, site, origin string
		want                       int
	}{
		{"same origin", "POST", "same-origin", "", 200},
		{"program", "POST", "", "", 200},
		{"cross-site", "POST", "cross-site", "https://evil.example", 403},
		{"sibling", "POST", "same-site", "https://evil.example.com", 403},
		{"old browser", "DELETE", "", "https://evil.example", 403},
		{"null origin", "PUT", "cross-site", "null", 403},
		{"trusted", "POST", "cross-site", "https://www.example.com", 200},
		{"host below the trusted one", "POST", "cross-site", "https://a.www.example.com", 403},
		{"other port of the trusted one", "POST", "cross-site", "https://www.example.com:8443", 403},
		{"longer name than the trusted one", "POST", "cross-site", "https://www.example.com.evil.example", 403},
		{"http twin of the trusted one", "POST", "cross-site", "http://www.example.com", 403},
		{"reading", "GET", "cross-site", "https://evil.example", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.site != "" {
				header = append(header, "Sec-Fetch-Site", tt.site)
			}
			if tt.origin != "" {
				header = append(header, "Origin", tt.origin)
			}
			if r := send(t, browser.Client, tt.method, a.url+"/", header...); r.StatusCode != tt.want {
				t.Errorf("status %d, want %d", r.StatusCode, tt.want)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	a := newApp(t, nil)
	pool := a.Clients()[0]
	mint := func(changes map[string]any) string {
		claims := map[string]any{
			"iss": pool.Issuer, "sub": "s-1", "client_id": pool.ID, "token_use": "access", "scope": "openid", "username": "carol",
			"cognito:groups": []string{"analysts", pool.PoolID + "_Google"}, "iat": a.now.Now().Unix(), "exp": a.now.Now().Add(time.Hour).Unix(),
		}
		for k, v := range changes {
			claims[k] = v
		}
		token, err := a.MintToken(a.PoolID, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	tests := []struct {
		name, path, authorization string
		want                      int
	}{
		{"in the group", "/reports/", "Bearer " + mint(nil), 200},
		{"lower-case scheme", "/reports/", "bearer " + mint(nil), 200},
		{"not in the group", "/orders/", "Bearer " + mint(nil), 403},
		{"another client", "/reports/", "Bearer " + mint(map[string]any{"client_id": "other"}), 401},
		{"another pool", "/reports/", "Bearer " + mint(map[string]any{"iss": pool.Issuer + "x"}), 401},
		{"expired", "/reports/", "Bearer " + mint(map[string]any{"exp": a.now.Now().Add(-time.Minute).Unix()}), 401},
		{"S022 an app client itself", "/reports/", "Bearer " + mint(map[string]any{"sub": pool.ID, "username": ""}), 401},
		{"S009 an ID token", "/reports/", "Bearer " + mint(map[string]any{"token_use": "id", "aud": pool.ID}), 401},
		{"S116 the group of an identity provider", "/google/", "Bearer " + mint(nil), 200},
		{"garbage", "/reports/", "Bearer x", 401},
		{"nothing", "/reports/", "Bearer ", 401},
		{"another scheme is not ours", "/reports/", "Basic YTpi", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(t, http.DefaultClient, a.url+tt.path, "Authorization", tt.authorization)
			if r.StatusCode != tt.want {
				t.Errorf("status %d, want %d: %s", r.StatusCode, tt.want, text(t, r))
			}
			if invalid := strings.Contains(r.Header.Get("WWW-Authenticate"), `error="invalid_token"`); tt.want == 401 && invalid != strings.HasPrefix(tt.authorization, "Bearer") {
				t.Errorf("WWW-Authenticate: %s", r.Header.Get("WWW-Authenticate"))
			}
			token, ok := strings.CutPrefix(tt.authorization, "Bearer ")
			if !ok {
				return
			}
			id, err := a.auth.Bearer(t.Context(), token) // the same rules without HTTP
			if tt.want == 401 && (id != nil || !errors.Is(err, codegrant.ErrInvalid) || errors.Is(err, codegrant.ErrUnavailable)) {
				t.Errorf("Bearer(%s) = %v, %v, want ErrInvalid", tt.name, id, err)
			}
			if tt.want != 401 && (err != nil || id.Subject != "s-1" || id.Method != codegrant.MethodBearer || !id.InGroup("analysts") || id.AccessToken().Reveal() != token) {
				t.Errorf("Bearer(%s) = %v, %v", tt.name, id, err)
			}
		})
	}
	r := get(t, http.DefaultClient, a.url+"/auth/user", "Authorization", "Bearer "+mint(nil))
	if body := text(t, r); strings.Contains(body, "_Google") {
		t.Errorf("the group of an identity provider decides: %s", body)
	}
}

// brokenStore fails every call.
type brokenStore struct {
	session.Store
	broken atomic.Bool
}

func (b *brokenStore) Get(ctx context.Context, id string) (session.Record, error) {
	if b.broken.Load() {
		return session.Record{}, fmt.Errorf("get session: %w: %w", session.ErrUnavailable, errors.New("connection refused"))
	}
	return b.Store.Get(ctx, id)
}

func (b *brokenStore) Create(ctx context.Context, r session.Record) error {
	if b.broken.Load() {
		return fmt.Errorf("create session: %w", session.ErrUnavailable)
	}
	return b.Store.Create(ctx, r)
}

func TestS151_TheStoreIsDown(t *testing.T) {
	store := &brokenStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	store.broken.Store(true)
	r := get(t, browser.Client, a.url+"/auth/user")
	if r.StatusCode != 503 || len(r.Cookies()) != 0 {
		t.Errorf("status %d, cookies %v", r.StatusCode, r.Cookies())
	}
	// Without a cookie, nothing depends on the store.
	if r := get(t, http.DefaultClient, a.url+"/auth/user"); r.StatusCode != 401 {
		t.Errorf("without a cookie: status %d", r.StatusCode)
	}
	// S-033: a sign-in leaves nothing behind, not even a grant.
	other := codegranttest.NewBrowser(t)
	page := other.SignIn(a.url+"/", "bob@example.com", codegranttest.Password)
	if page.Status != 503 || a.Calls(localpool.Revoke) != 1 {
		t.Errorf("sign-in without a store: status %d, revoked %d times", page.Status, a.Calls(localpool.Revoke))
	}
	store.broken.Store(false)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("once the store is back: status %d", r.StatusCode)
	}
}

func TestErrorPageOfTheApplication(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.ErrorURL = "/open" })
	browser := codegranttest.NewBrowser(t)
	callback, err := url.Parse(callbackOf(t, a, browser, "/reports/"))
	if err != nil {
		t.Fatal(err)
	}
	description := "PreSignUp failed with error no@eyJkZSI6ICJOdXR6ZW4gU2llIElocmUgRGllbnN0YWRyZXNzZS4iLCAiZW4iOiAiVXNlIHlvdXIgd29yayBhZGRyZXNzLiJ9. "
	page := browser.Open(a.url + "/auth/callback?" + url.Values{"error": {"invalid_request"}, "error_description": {description}, "state": {callback.Query().Get("state")}}.Encode())
	if page.URL.Path != "/open" || page.Body != "flash trigger: Use your work address." {
		t.Errorf("ended at %s: %s", page.URL, page.Body)
	}
	if page := browser.Open(a.url + "/open"); page.Body != "signed in: false" {
		t.Errorf("the message is shown twice: %s", page.Body)
	}
}

func TestS169_NothingSecretIsLogged(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	callback, err := url.Parse(callbackOf(t, a, browser, "/reports/"))
	if err != nil {
		t.Fatal(err)
	}
	browser.Open(callback.String())
	a.now.Advance(61 * time.Minute)
	get(t, browser.Client, a.url+"/auth/user")
	base, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{callback.Query().Get("code"), callback.Query().Get("state"), localpool.DemoClientSecret, "eyJ"}
	for _, c := range browser.Client.Jar.Cookies(base) {
		secrets = append(secrets, c.Value)
	}
	send(t, browser.Client, "POST", a.url+"/auth/logout")
	log := a.log.String()
	if !strings.Contains(log, "signed in") || !strings.Contains(log, "signed out") || !strings.Contains(log, "session refreshed") {
		t.Errorf("the log misses an event:\n%s", log)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestS052_S036_CookiesAndHeaders(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	callback := callbackOf(t, a, browser, "/reports/")
	r := get(t, browser.Client, callback)
	if r.StatusCode != 303 || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("callback: status %d, headers %v", r.StatusCode, r.Header)
	}
	for _, c := range r.Cookies() {
		// On http://localhost neither Secure nor __Host- is possible.
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure {
			t.Errorf("cookie %v", c)
		}
	}
}
