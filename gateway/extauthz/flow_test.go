package extauthz_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/gatewaytest"
	"github.com/codegrant/codegrant/localpool"
)

var identityHeaders = []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Acr", "X-Auth-Amr", "X-Auth-Time", "X-Auth-Actor", "X-Auth-Machine", "X-Auth-Organization", "X-Auth-Organization-Role", "X-Auth-Assertion"}

// inBothForms runs a test with the headers as Envoy sends them by default, and raw.
func inBothForms(t *testing.T, run func(t *testing.T, raw bool)) {
	t.Run("merged headers", func(t *testing.T) { run(t, false) })
	t.Run("raw headers", func(t *testing.T) { run(t, true) })
}

func TestPeopleThroughEnvoy(t *testing.T) {
	inBothForms(t, func(t *testing.T, raw bool) {
		s := newSite(t, nil)
		s.envoy.raw = raw
		alice := codegranttest.NewBrowser(t)
		page := alice.SignIn(s.URL+"/reports/q3?x=1&y=%2F", "alice@example.com", codegranttest.Password)
		var got gatewaytest.Seen
		if err := json.Unmarshal([]byte(page.Body), &got); err != nil {
			t.Fatalf("after the sign-in: %d %s", page.Status, page.Body)
		}
		if got.Target != "/reports/q3?x=1&y=%2F" || got.Header.Get("X-Auth-Email") != "alice@example.com" || got.Header.Get("X-Auth-Groups") != "admins,analysts" {
			t.Errorf("%+v", got)
		}
		for _, name := range identityHeaders {
			if len(got.Header[name]) != 1 {
				t.Errorf("%s is there %d times", name, len(got.Header[name]))
			}
		}
		if strings.Contains(got.Header.Get("Cookie"), "codegrant") {
			t.Errorf("the application saw the cookies %q", got.Header.Get("Cookie"))
		}
		if kept := page.Header; kept.Get("Cache-Control") != "public, max-age=60" || len(kept["Set-Cookie"]) != 1 {
			t.Errorf("the application's own headers: %v", kept)
		}
		bob := s.SignIn("/", "bob@example.com")
		if page := bob.Open(s.URL + "/reports/q3"); page.Status != 403 || !strings.Contains(page.Header.Get("Content-Type"), "text/html") || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("refused: %d %v", page.Status, page.Header)
		}
		if page := codegranttest.NewBrowser(t).Open(s.URL + "/open/a"); page.Status != 200 {
			t.Errorf("nobody at a public page: %d", page.Status)
		}
	})
}

func TestNobodyThroughEnvoy(t *testing.T) {
	s := newSite(t, nil)
	nobody := codegranttest.NewBrowser(t).Client
	navigates := map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
	r, _ := s.Ask(nobody, "GET", "/reports/q3?x=1&y=2", navigates)
	if want := "/auth/login?redirect_uri=" + url.QueryEscape("/reports/q3?x=1&y=2"); r.StatusCode != 302 || r.Header.Get("Location") != want {
		t.Errorf("a browser: %d %q, want %q", r.StatusCode, r.Header.Get("Location"), want)
	}
	r, body := s.Ask(nobody, "GET", "/reports/q3", map[string]string{"Accept": "application/json"})
	if r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") || !slices.Equal(r.Header["Content-Type"], []string{"application/problem+json"}) || !json.Valid([]byte(body)) {
		t.Errorf("a program: %d %v %s", r.StatusCode, r.Header, body)
	}
}

func TestS090_S091_S201_ForgedHeadersThroughEnvoy(t *testing.T) {
	inBothForms(t, func(t *testing.T, raw bool) {
		s := newSite(t, nil)
		s.envoy.raw = raw
		forged := map[string]string{
			"X-Original-Url": "/evil", "X-Rewrite-Url": "/evil", "X-Forwarded-Uri": "/evil", "X-Forwarded-Method": "evil", "X-Original-Method": "evil",
			"X_Forwarded_For": "evil", "X-Client-Ip": "evil", "Remote-User": "evil", "X-Amzn-Oidc-Identity": "evil", "X-Http-Method-Override": "evil", "Forwarded": "for=evil",
		}
		bob := s.SignIn("/", "bob@example.com")
		for _, tt := range []struct {
			client  *http.Client
			path    string
			subject bool
		}{{bob.Client, "/rest", true}, {http.DefaultClient, "/open", false}, {bob.Client, "/open", true}} {
			got, _ := s.Reaches(tt.client, "GET", tt.path, forged)
			for name, values := range got.Header {
				if strings.Contains(strings.Join(values, " "), "evil") {
					t.Errorf("%s: the application saw %s: %v", tt.path, name, values)
				}
			}
			for _, name := range identityHeaders {
				if len(got.Header[name]) != 1 {
					t.Errorf("%s: %s is there %d times", tt.path, name, len(got.Header[name]))
				}
			}
			if (got.Header.Get("X-Auth-Subject") != "") != tt.subject {
				t.Errorf("%s: subject %q", tt.path, got.Header.Get("X-Auth-Subject"))
			}
			// Those that could pass for the gateway's own are for Envoy to remove, before it asks.
			for _, name := range []string{"X-Auth-Subject", "X_Auth_Subject", "x_auth-groups", "X.Auth.Groups", "X-AUTH-EMAIL", "x_auth_user_id", "X-Auth-Assertion", "X~Auth~Name", "X'Auth'Scopes", "X-Auth_Issuer"} {
				if r, _ := s.Ask(tt.client, "GET", tt.path, map[string]string{name: "evil"}); r.StatusCode != 403 {
					t.Errorf("%s with %s: %d", tt.path, name, r.StatusCode)
				}
			}
		}
	})
}

func TestS107_ContextExtensions(t *testing.T) {
	s := newSite(t, nil)
	alice, bob := s.SignIn("/", "alice@example.com").Client, s.SignIn("/", "bob@example.com").Client
	for _, tt := range []struct {
		path               string
		extensions         map[string]string
		alice, bob, nobody int
	}{
		{"/rest", nil, 200, 200, 401}, {"/rest", map[string]string{"group": "admins"}, 200, 403, 401}, {"/rest", map[string]string{"group": "admins,analysts"}, 200, 403, 401},
		{"/rest", map[string]string{"any_group": "editors, analysts"}, 200, 200, 401}, {"/rest", map[string]string{"group": "admins", "any_group": "editors"}, 403, 403, 401},
		{"/rest", map[string]string{"scope": "openid"}, 200, 200, 401}, {"/rest", map[string]string{"scope": "orders/write"}, 403, 403, 401},
		// More than the route asks for, never less.
		{"/reports", map[string]string{"any_group": "editors"}, 403, 403, 401}, {"/reports", map[string]string{"any_group": "editors,analysts"}, 200, 403, 401}, {"/open", map[string]string{"group": "editors"}, 403, 200, 401},
		// A slip of the pen opens nothing.
		{"/open", map[string]string{"groups": "admins"}, 403, 403, 403}, {"/rest", map[string]string{"group": ""}, 403, 403, 403}, {"/rest", map[string]string{"group": "admins,"}, 403, 403, 403},
		{"/open", map[string]string{"Group": "admins"}, 403, 403, 403}, {"/rest", map[string]string{"public": "true"}, 403, 403, 403},
	} {
		s.envoy.extend = func(string) map[string]string { return tt.extensions }
		a, _ := s.Ask(alice, "GET", tt.path, nil)
		b, _ := s.Ask(bob, "GET", tt.path, nil)
		n, _ := s.Ask(http.DefaultClient, "GET", tt.path, nil)
		if a.StatusCode != tt.alice || b.StatusCode != tt.bob || n.StatusCode != tt.nobody {
			t.Errorf("%s %v: alice %d, bob %d, nobody %d; want %d, %d, %d", tt.path, tt.extensions, a.StatusCode, b.StatusCode, n.StatusCode, tt.alice, tt.bob, tt.nobody)
		}
	}
}

func TestBearerTokensThroughEnvoy(t *testing.T) {
	s := newSite(t, func(g *gateway.Config, _ *codegrant.Config) {
		g.Routes = append(g.Routes, gateway.Route{Path: "/kept", PassAuthorization: true}, gateway.Route{Path: "/given", PassAccessToken: true})
	})
	browser := s.SignIn("/", "alice@example.com").Client
	token := s.AccessToken(browser)
	bearer := map[string]string{"Authorization": "Bearer " + token}
	if got, _ := s.Reaches(http.DefaultClient, "GET", "/reports", bearer); got.Header.Get("X-Auth-Username") != "alice" || got.Header.Get("Authorization") != "" {
		t.Errorf("%v", got.Header)
	}
	if got, _ := s.Reaches(http.DefaultClient, "GET", "/kept", bearer); got.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("kept: %v", got.Header)
	}
	if got, _ := s.Reaches(browser, "GET", "/given", nil); got.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("given: %v", got.Header)
	}
	for name, value := range map[string]string{"another signature": token[:len(token)-8] + "AAAAAAAA", "two tokens, merged": token + ",Bearer " + token, "none": ""} {
		r, _ := s.Ask(http.DefaultClient, "GET", "/reports", map[string]string{"Authorization": "Bearer " + value})
		if r.StatusCode != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
	// S-583: a token of before a mark.
	got, _ := s.Reaches(http.DefaultClient, "GET", "/reports", bearer)
	if err := s.Auth.NotBefore(t.Context(), got.Header.Get("X-Auth-Subject"), s.Now.Now()); err != nil {
		t.Fatal(err)
	}
	if r, body := s.Ask(http.DefaultClient, "GET", "/reports", bearer); r.StatusCode != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), "revoked") || !strings.Contains(body, "#revoked") {
		t.Errorf("a token of before a mark: %d %v %s", r.StatusCode, r.Header, body)
	}
}

func TestRefreshThroughEnvoy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com").Client
	calls := s.Calls(localpool.Token)
	s.Now.Advance(61 * time.Minute)
	if got, r := s.Reaches(alice, "GET", "/reports", nil); got.Header.Get("X-Auth-Email") != "alice@example.com" || s.Calls(localpool.Token) != calls+1 || r.Header.Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("refreshed %d times: %v %v", s.Calls(localpool.Token)-calls, got.Header, r.Header)
	}
	// A pool that does not answer is a 503, an answer like any other, and costs nobody
	// the session.
	s.Now.Advance(61 * time.Minute)
	s.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	if r, _ := s.Ask(alice, "GET", "/reports", nil); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || len(r.Header["Set-Cookie"]) != 0 {
		t.Errorf("pool down: %d %v", r.StatusCode, r.Header)
	}
	s.Fault(localpool.Token, nil)
	s.Now.Advance(20 * time.Second)
	s.Reaches(alice, "GET", "/reports", nil)
}

// TestS057_CookiesThroughEnvoy: sessions in cookies are refreshed in cookies, beside
// those of the application.
func TestS057_CookiesThroughEnvoy(t *testing.T) {
	inBothForms(t, func(t *testing.T, raw bool) {
		s := newSite(t, func(_ *gateway.Config, c *codegrant.Config) { c.CookieSessions = true })
		s.envoy.raw = raw
		alice := s.SignIn("/", "alice@example.com").Client
		calls := s.Calls(localpool.Token)
		s.Now.Advance(61 * time.Minute)
		got, r := s.Reaches(alice, "GET", "/reports", map[string]string{"X-Mine": "1"})
		var names []string
		for _, c := range r.Cookies() {
			names = append(names, c.Name)
		}
		if len(names) < 2 || !slices.Contains(names, "theirs") || !slices.ContainsFunc(names, s.Auth.OwnsCookie) || !slices.Equal(r.Header["Cache-Control"], []string{"no-store"}) {
			t.Errorf("cookies %v, %v", names, r.Header["Cache-Control"])
		}
		if got.Header.Get("X-Mine") != "1" || strings.Contains(got.Header.Get("Cookie"), "codegrant") {
			t.Errorf("the application saw %v", got.Header)
		}
		if s.Reaches(alice, "GET", "/reports", nil); s.Calls(localpool.Token) != calls+1 {
			t.Errorf("refreshed %d times", s.Calls(localpool.Token)-calls)
		}
	})
}

func TestSignOutThroughEnvoy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	held := alice.Client.Jar.Cookies(u)
	alice.Open(s.URL + "/auth/logout")
	if r, _ := s.Ask(alice.Client, "GET", "/rest", nil); r.StatusCode != 401 {
		t.Errorf("after the sign-out: %d", r.StatusCode)
	}
	// A copy of the cookies is worth nothing, and is taken back.
	alice.Client.Jar.SetCookies(u, held)
	r, _ := s.Ask(alice.Client, "GET", "/rest", nil)
	if r.StatusCode != 401 || !slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return s.Auth.OwnsCookie(c.Name) && c.MaxAge < 0 }) {
		t.Errorf("a copy of the cookies: %d %v", r.StatusCode, r.Header)
	}
}

// TestS106_CrossOriginThroughEnvoy: what another site makes a browser send, and its
// WebSockets.
func TestS106_CrossOriginThroughEnvoy(t *testing.T) {
	s := newSite(t, nil)
	alice := s.SignIn("/", "alice@example.com").Client
	for name, tt := range map[string]struct {
		method string
		header map[string]string
		status int
	}{
		"its own form":      {"POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": s.URL}, 200},
		"another's form":    {"POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		"another's link":    {"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
		"another's channel": {"GET", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}, 403},
		"another protocol":  {"GET", map[string]string{"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}, 403},
	} {
		if r, _ := s.Ask(alice, tt.method, "/rest", tt.header); r.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, tt.status)
		}
	}
}
