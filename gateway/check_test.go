package gateway_test

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
)

// asked are the ways in which proxies say what they ask about.
func asked(kind, method, host, uri string) map[string]string {
	switch kind {
	case "nginx":
		return map[string]string{"X-Original-Url": "https://" + host + uri, "X-Original-Method": method}
	default:
		return map[string]string{"X-Forwarded-Method": method, "X-Forwarded-Host": host, "X-Forwarded-Uri": uri, "X-Forwarded-Proto": "https"}
	}
}

func merge(a map[string]string, more ...string) map[string]string {
	for i := 0; i < len(more); i += 2 {
		a[more[i]] = more[i+1]
	}
	return a
}

func TestCheckByRoutes(t *testing.T) {
	s := newSite(t, usual(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	alice, bob, nobody := s.signIn("/", "alice@example.com"), s.signIn("/", "bob@example.com"), codegranttest.NewBrowser(t)
	for _, kind := range []string{"nginx", "caddy"} {
		for _, tt := range []struct {
			browser     *codegranttest.Browser
			method, uri string
			status      int
		}{
			{alice, "GET", "/reports/q3?x=1", 200}, {bob, "GET", "/reports/q3", 403}, {nobody, "GET", "/reports/q3", 401},
			{nobody, "GET", "/open/a", 200}, {nobody, "POST", "/docs/a", 403}, {bob, "POST", "/rest", 200},
			{bob, "GET", "/open/../reports", 403}, {bob, "GET", "/open%2f..", 403},
		} {
			r, body := s.ask(tt.browser.Client, "GET", "/auth/check", asked(kind, tt.method, host, tt.uri))
			if r.StatusCode != tt.status {
				t.Errorf("%s %s %s: %d %s, want %d", kind, tt.method, tt.uri, r.StatusCode, body, tt.status)
			}
			if r.StatusCode == 200 {
				for _, name := range []string{"X-Auth-Subject", "X-Auth-Groups", "X-Auth-Email", "X-Auth-User-Id", "X-Auth-Assertion"} {
					if len(r.Header[name]) != 1 {
						t.Errorf("%s %s: %s is there %d times", kind, tt.uri, name, len(r.Header[name]))
					}
				}
			}
		}
	}
	r, _ := s.ask(alice.Client, "GET", "/auth/check", asked("nginx", "GET", host, "/reports/"))
	if r.Header.Get("X-Auth-Email") != "alice@example.com" || r.Header.Get("X-Auth-Groups") != "admins,analysts" {
		t.Errorf("%v", r.Header)
	}
}

func TestCheckSendsBrowsersToSignIn(t *testing.T) {
	s := newSite(t, usual(), func(_ *gateway.Config, c *codegrant.Config) {
		c.AllowedReturnOrigins = []string{"https://shop.example.com"}
	})
	host := strings.TrimPrefix(s.url, "http://")
	browser := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"}
	nobody := codegranttest.NewBrowser(t).Client

	r, _ := s.ask(nobody, "GET", "/auth/check", merge(asked("caddy", "GET", host, "/reports/q3?x=1&y=2"), browser...))
	if want := s.url + "/auth/login?redirect_uri=" + url.QueryEscape("/reports/q3?x=1&y=2"); r.StatusCode != 302 || r.Header.Get("Location") != want {
		t.Errorf("%d %q, want %q", r.StatusCode, r.Header.Get("Location"), want)
	}
	r, _ = s.ask(nobody, "GET", "/auth/check", merge(asked("nginx", "GET", host, "/reports/q3"), browser...))
	if r.StatusCode != 401 || r.Header.Get(gateway.RedirectHeader) != s.url+"/auth/login?redirect_uri=%2Freports%2Fq3" || r.Header.Get("Location") != "" {
		t.Errorf("nginx: %d %v", r.StatusCode, r.Header)
	}
	r, _ = s.ask(nobody, "GET", "/auth/check", merge(asked("caddy", "GET", "shop.example.com", "/cart"), browser...))
	if want := s.url + "/auth/login?redirect_uri=" + url.QueryEscape("https://shop.example.com/cart"); r.StatusCode != 302 || r.Header.Get("Location") != want {
		t.Errorf("on a sibling host: %d %q, want %q", r.StatusCode, r.Header.Get("Location"), want)
	}
	r, _ = s.ask(nobody, "GET", "/auth/check", merge(asked("caddy", "GET", "evil.example", "/cart"), browser...))
	if strings.Contains(r.Header.Get("Location"), "evil") {
		t.Errorf("on a foreign host: %q", r.Header.Get("Location"))
	}
	r, _ = s.ask(nobody, "GET", "/auth/check", asked("caddy", "GET", host, "/reports"))
	if r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("a program: %d %v", r.StatusCode, r.Header)
	}
}

func TestS096_WhatIsAskedAbout(t *testing.T) {
	s := newSite(t, usual(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	alice := s.signIn("/", "alice@example.com").Client
	for name, headers := range map[string]map[string]string{
		"nothing":               {},
		"two ways":              merge(asked("nginx", "GET", host, "/open"), "X-Forwarded-Uri", "/reports"),
		"no method":             {"X-Original-Url": "https://" + host + "/open"},
		"a relative URL":        {"X-Original-Url": "/open", "X-Original-Method": "GET"},
		"no host":               {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/open"},
		"no path":               {"X-Forwarded-Method": "GET", "X-Forwarded-Host": host, "X-Forwarded-Uri": "open"},
		"a method that is none": {"X-Original-Url": "https://" + host + "/open", "X-Original-Method": "GET /"},
	} {
		if r, _ := s.ask(alice, "GET", "/auth/check", headers); r.StatusCode != 403 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/auth/check", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Original-Url": {"https://" + host + "/open", "https://" + host + "/open"}, "X-Original-Method": {"GET"}}
	response, err := alice.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 403 {
		t.Errorf("repeated: %d", response.StatusCode)
	}
	// A stranger's word does not count, and the log says whom to list.
	strangers := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = nil })
	if r, _ := strangers.ask(http.DefaultClient, "GET", "/auth/check", asked("nginx", "GET", host, "/open")); r.StatusCode != 403 {
		t.Errorf("of a stranger: %d", r.StatusCode)
	}
	if !strings.Contains(strangers.log.String(), "list it among the trusted ones") {
		t.Error("the log does not say what to do")
	}
	// Envoy asks with the path below the endpoint.
	if r, _ := s.ask(alice, "POST", "/auth/check/reports/q3?x=1", nil); r.StatusCode != 200 {
		t.Errorf("below the endpoint: %d", r.StatusCode)
	}
	if r, _ := s.ask(s.signIn("/", "bob@example.com").Client, "GET", "/auth/check/reports/q3", nil); r.StatusCode != 403 {
		t.Errorf("below the endpoint, without permission: %d", r.StatusCode)
	}
}

func TestS107_PermissionsInTheQuery(t *testing.T) {
	s := newSite(t, nil, nil)
	alice, bob := s.signIn("/auth/login", "alice@example.com").Client, s.signIn("/auth/login", "bob@example.com").Client
	for _, tt := range []struct {
		query      string
		alice, bob int
	}{
		{"", 200, 200}, {"?group=admins", 200, 403}, {"?group=admins&group=analysts", 200, 403}, {"?group=admins,editors", 403, 403},
		{"?any_group=editors&any_group=analysts", 200, 200}, {"?any_group=editors,nobody", 403, 200}, {"?scope=openid", 200, 200}, {"?scope=orders/write", 403, 403},
		{"?group=", 403, 403}, {"?group=admins,", 403, 403}, {"?any_group=,", 403, 403}, {"?groups=admins", 403, 403}, {"?public=1", 403, 403},
		// What cannot be read is not left out.
		{"?group=nobody;scope=openid", 400, 400}, {"?group=no%body", 403, 403}, {"?scope=openid&gr%oup=nobody", 403, 403},
	} {
		a, _ := s.ask(alice, "GET", "/auth/check"+tt.query, nil)
		b, _ := s.ask(bob, "GET", "/auth/check"+tt.query, nil)
		if a.StatusCode != tt.alice || b.StatusCode != tt.bob {
			t.Errorf("%q: alice %d, bob %d; want %d, %d", tt.query, a.StatusCode, b.StatusCode, tt.alice, tt.bob)
		}
	}
	// The query adds to a route's permissions and never takes from them.
	routed := newSite(t, usual(), nil)
	host := strings.TrimPrefix(routed.url, "http://")
	bob = routed.signIn("/", "bob@example.com").Client
	if r, _ := routed.ask(bob, "GET", "/auth/check?any_group=editors", asked("nginx", "GET", host, "/reports")); r.StatusCode != 403 {
		t.Errorf("a wider group in the query: %d", r.StatusCode)
	}
	if r, _ := routed.ask(http.DefaultClient, "GET", "/auth/check?group=editors", asked("nginx", "GET", host, "/open")); r.StatusCode != 401 {
		t.Errorf("a public route narrowed: %d", r.StatusCode)
	}
}

func TestCheckUnavailable(t *testing.T) {
	s := newSite(t, nil, nil)
	s.Fault("jwks", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	token, err := s.MintToken(s.PoolID, map[string]any{
		"token_use": "access", "client_id": s.ClientID, "sub": "5d5f1b7c-4e5a-4b5e-9d3c-0f1e2d3c4b5a", "username": "alice", "scope": "openid",
		"iss": s.Clients()[0].Issuer, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "auth_time": time.Now().Unix(), "jti": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := s.ask(http.DefaultClient, "GET", "/auth/check", map[string]string{"Authorization": "Bearer " + token})
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
}

func TestS094_S123_S124_Assertions(t *testing.T) {
	_, first, _ := ed25519.GenerateKey(nil)
	_, second, _ := ed25519.GenerateKey(nil)
	assert := func(keys ...ed25519.PrivateKey) *site {
		return newSite(t, []gateway.Route{{Name: "reports", Path: "/reports", Assertion: true}, {Name: "orders", Path: "/orders", Assertion: true}, {Name: "plain", Path: "/"}}, func(g *gateway.Config, _ *codegrant.Config) {
			g.Assertions = &gateway.Assertions{Keys: keys, Issuer: "https://gate.example.com"}
		})
	}
	s := assert(first, second)
	alice := s.signIn("/", "alice@example.com").Client
	token := s.echoed(alice, "/reports/q3", nil).Header.Get("X-Auth-Assertion")
	if s.echoed(alice, "/other", nil).Header.Get("X-Auth-Assertion") != "" {
		t.Error("a route that did not ask for it got an assertion")
	}
	_, body := s.ask(http.DefaultClient, "GET", "/auth/.well-known/jwks.json", nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%v: %s", err, body)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var standard jwt.Claims
	var own struct {
		Email  string   `json:"email"`
		Groups []string `json:"groups"`
		Pool   string   `json:"pool_iss"`
	}
	if err := parsed.Claims(set, &standard, &own); err != nil {
		t.Fatal(err)
	}
	if err := standard.Validate(jwt.Expected{Issuer: "https://gate.example.com", AnyAudience: jwt.Audience{"reports"}, Time: time.Now()}); err != nil {
		t.Error(err)
	}
	// The other route's is for the other route alone, also for the same person, a moment later.
	for path, want := range map[string]string{"/orders/1": "orders", "/reports/q4": "reports"} {
		one, err := jwt.ParseSigned(s.echoed(alice, path, nil).Header.Get("X-Auth-Assertion"), []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := one.Claims(set, &claims); err != nil || !slices.Equal(claims.Audience, jwt.Audience{want}) {
			t.Errorf("%s: an assertion for %q, %v", path, claims.Audience, err)
		}
	}
	if time.Until(standard.Expiry.Time()) > 5*time.Minute+time.Second || own.Email != "alice@example.com" || !slices.Equal(own.Groups, []string{"admins", "analysts"}) || own.Pool == "" {
		t.Errorf("%+v %+v", standard, own)
	}
	// A key that was taken away no longer verifies; one that is still there does.
	_, body = assert(second).ask(http.DefaultClient, "GET", "/auth/.well-known/jwks.json", nil)
	var later jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &later); err != nil || len(later.Key(parsed.Headers[0].KeyID)) != 0 || len(set.Key(later.Keys[0].KeyID)) != 1 {
		t.Errorf("%v: %s", err, body)
	}
}

// TestS231_AssertionsWithES256: keys of all algorithms are published, and those that
// sign go first.
func TestS231_AssertionsWithES256(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(nil)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{"", "ES256", "RS256"} {
		s := newSite(t, []gateway.Route{{Name: "reports", Path: "/", Assertion: true}}, func(c *gateway.Config, _ *codegrant.Config) {
			c.Assertions = &gateway.Assertions{Keys: []ed25519.PrivateKey{ed}, ECKeys: []*ecdsa.PrivateKey{ec}, RSAKeys: []*rsa.PrivateKey{rs}, Algorithm: algorithm, Issuer: "https://gate.example.com"}
		})
		used := cmp.Or(algorithm, "EdDSA")
		token := s.echoed(s.signIn("/", "alice@example.com").Client, "/x", nil).Header.Get("X-Auth-Assertion")
		_, body := s.ask(http.DefaultClient, "GET", "/auth/.well-known/jwks.json", nil)
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 3 || set.Keys[0].Algorithm != used || set.Keys[0].KeyID == set.Keys[1].KeyID {
			t.Fatalf("%s: %v: %s", algorithm, err, body)
		}
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(used)})
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := parsed.Claims(set, &claims); err != nil || !slices.Equal(claims.Audience, jwt.Audience{"reports"}) {
			t.Errorf("%s: %v, %v", algorithm, claims, err)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]gateway.Assertions{
		"not one of EdDSA, ES256 and": {Keys: []ed25519.PrivateKey{ed}, Algorithm: "HS256"},
		"one key is needed for RS256": {Keys: []ed25519.PrivateKey{ed}, Algorithm: "RS256"},
		"one key is needed for ES256": {Keys: []ed25519.PrivateKey{ed}, Algorithm: "ES256"},
		"one key is needed for EdDSA": {ECKeys: []*ecdsa.PrivateKey{ec}},
		"EC key 2 is not a key of":    {ECKeys: []*ecdsa.PrivateKey{ec, other}, Algorithm: "ES256"},
		"EC key 1 is not a key of":    {ECKeys: []*ecdsa.PrivateKey{nil}, Algorithm: "ES256"},
	} {
		a.Issuer = "https://gate.example.com"
		if _, err := gateway.New(gateway.Config{Assertions: &a}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
