package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
)

// asOriginal is a request as a proxy on this machine got it.
func asOriginal(t *testing.T, s *site, method, target string, header http.Header) *http.Request {
	if header == nil {
		header = make(http.Header)
	}
	r := &http.Request{Method: method, Host: strings.TrimPrefix(s.url, "http://"), RequestURI: target, Header: header, RemoteAddr: "127.0.0.1:1"}
	return r.WithContext(t.Context())
}

// cookiesOf are the gateway's own, as a browser sends them.
func cookiesOf(t *testing.T, s *site, b *codegranttest.Browser) http.Header {
	t.Helper()
	return cookiesIn(t, s, b.Client)
}

func cookiesIn(t *testing.T, s *site, client *http.Client) http.Header {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, c := range client.Jar.Cookies(u) {
		if s.auth.OwnsCookie(c.Name) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return http.Header{"Cookie": {strings.Join(pairs, "; ")}}
}

var identityHeaders = []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Acr", "X-Auth-Amr", "X-Auth-Time", "X-Auth-Actor", "X-Auth-Machine", "X-Auth-Organization", "X-Auth-Organization-Role", "X-Auth-Assertion"}

func TestCheckOriginalByRoutes(t *testing.T) {
	s := newSite(t, usual(), nil)
	alice, bob := cookiesOf(t, s, s.signIn("/", "alice@example.com")), cookiesOf(t, s, s.signIn("/", "bob@example.com"))
	for _, tt := range []struct {
		who            http.Header
		method, target string
		narrow         url.Values
		status         int
		decision       gateway.Decision
	}{
		{alice, "GET", "/reports/q3?x=1", nil, 200, gateway.Passed}, {bob, "GET", "/reports/q3", nil, 403, gateway.Forbidden}, {nil, "GET", "/reports/q3", nil, 401, gateway.Unauthorized},
		{nil, "GET", "/open/a", nil, 200, gateway.Passed}, {nil, "POST", "/docs/a", nil, 403, gateway.NotFound}, {bob, "POST", "/rest", nil, 200, gateway.Passed},
		{alice, "GET", "/rest", url.Values{"group": {"admins"}}, 200, gateway.Passed}, {bob, "GET", "/rest", url.Values{"group": {"admins"}}, 403, gateway.Forbidden},
		{bob, "GET", "/reports", url.Values{"any_group": {"editors"}}, 403, gateway.Forbidden}, {nil, "GET", "/open", url.Values{"scope": {"openid"}}, 401, gateway.Unauthorized},
		{alice, "GET", "/rest", url.Values{"groups": {"admins"}}, 403, gateway.Forbidden}, {alice, "GET", "/rest", url.Values{"group": {""}}, 403, gateway.Forbidden},
		{alice, "GET", "/open/../reports", nil, 403, gateway.Forbidden}, {alice, "GET", "/open%2f..", nil, 403, gateway.Forbidden}, {alice, "GET", "", nil, 403, gateway.Forbidden},
		{alice, "GET", "http://evil.example/open", nil, 403, gateway.Forbidden}, {alice, "GET /", "/open", nil, 403, gateway.Forbidden}, {alice, "CONNECT", "/open", nil, 403, gateway.Forbidden},
		// The proxy may have chosen by the path as it is, and others read it otherwise.
		{alice, "GET", "/%72eports", nil, 403, gateway.Forbidden}, {alice, "GET", "/reports%2D1", nil, 403, gateway.Forbidden}, {alice, "GET", "/caf%C3%A9%20%28x%29~", nil, 200, gateway.Passed},
	} {
		w := httptest.NewRecorder()
		pass := s.gateway.CheckOriginal(w, asOriginal(t, s, tt.method, tt.target, tt.who.Clone()), tt.narrow)
		if (pass != nil) != (tt.status == 200) || w.Code != tt.status || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s %v: %v, %d %v; want %d", tt.method, tt.target, tt.narrow, pass, w.Code, w.Header(), tt.status)
		}
		if o := s.last(); o.Decision != tt.decision || o.Status != tt.status {
			t.Errorf("%s %s %v: outcome %+v", tt.method, tt.target, tt.narrow, o)
		}
	}
}

func TestS095_CheckOriginalOfStrangers(t *testing.T) {
	s := newSite(t, usual(), nil)
	for _, from := range []string{"203.0.113.9:1", "[2001:db8::1]:1", "127.0.0.1", "@", "", "bufconn"} {
		r := asOriginal(t, s, "GET", "/open", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, r, nil); pass != nil || w.Code != 403 {
			t.Errorf("asked by %q: %v, %d", from, pass, w.Code)
		}
	}
	if !strings.Contains(s.log.String(), "list it among the trusted ones") {
		t.Error("the log does not say what to do")
	}
}

// TestS090_S091_S103_CheckOriginalPresents: what an upstream sees is what it would see
// behind the reverse proxy.
func TestS090_S091_S103_CheckOriginalPresents(t *testing.T) {
	var observed http.Header
	s := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) {
		c.OnRequest = func(r *http.Request, _ gateway.Outcome) { observed = r.Header }
	})
	header := cookiesOf(t, s, s.signIn("/", "bob@example.com"))
	header["Cookie"] = append(header["Cookie"], "mine=1; codegrant-flash=x")
	forged := []string{"X-Original-Url", "X-Rewrite-Url", "X_forwarded_for", "X-Client-Ip", "Remote-User", "X-Http-Method-Override", "Authorization"}
	for _, name := range forged {
		header[name] = []string{"evil"}
	}
	header["X-Kept"], header["X-Forwarded-For"] = []string{"1"}, []string{"203.0.113.9"}
	before := header.Clone()
	pass := s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", "/rest", header), nil)
	if pass == nil {
		t.Fatal("refused")
	}
	for _, name := range identityHeaders {
		if values, ok := pass.Set[name]; !ok || len(values) != 1 || values[0] == "evil" {
			t.Errorf("%s: %q", name, values)
		}
	}
	if slices.Sort(forged); !slices.Equal(pass.Remove, forged) {
		t.Errorf("removed %q", pass.Remove)
	}
	if len(pass.Set) != len(identityHeaders)+1 || !slices.Equal(pass.Set["Cookie"], []string{"mine=1"}) {
		t.Errorf("set %v", pass.Set)
	}
	for name, values := range before {
		if !slices.Equal(header[name], values) {
			t.Errorf("the request's own %s is now %q", name, header[name])
		}
	}
	if !slices.Equal(observed["Cookie"], before["Cookie"]) || observed.Get("X-Auth-Subject") != "" {
		t.Errorf("OnRequest saw %v", observed)
	}
	// Nobody, on a public route: every header is there, and says so.
	pass = s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", "/open", nil), nil)
	for _, name := range identityHeaders {
		if pass == nil || !slices.Equal(pass.Set[name], []string{""}) {
			t.Fatalf("%s: %+v", name, pass)
		}
	}
}

// TestCheckOriginalTokens: what proved who is asking is not for the upstream, unless
// the route says so.
func TestCheckOriginalTokens(t *testing.T) {
	var auth *codegrant.Auth
	s := newSite(t, []gateway.Route{{Path: "/"}, {Path: "/kept", PassAuthorization: true}, {Path: "/given", PassAccessToken: true}}, func(g *gateway.Config, c *codegrant.Config) {
		var err error
		if auth, err = codegrant.New(*c); err != nil {
			t.Fatal(err)
		}
		g.Tenants = []gateway.Tenant{{Name: "main", Auth: auth}}
	})
	alice := s.signIn("/", "alice@example.com")
	cookies := cookiesOf(t, s, alice)
	var token string
	auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		token = id.AccessToken().Reveal()
	})).ServeHTTP(httptest.NewRecorder(), withHeader(cookies))
	if token == "" {
		t.Fatal("no access token")
	}
	ask := func(target string, header http.Header) *gateway.Pass {
		t.Helper()
		pass := s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", target, header), nil)
		if pass == nil {
			t.Fatalf("%s: refused", target)
		}
		return pass
	}
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	if pass := ask("/", bearer.Clone()); !slices.Equal(pass.Remove, []string{"Authorization"}) || pass.Set.Get("X-Auth-Subject") == "" {
		t.Errorf("%+v", pass)
	}
	if pass := ask("/kept", bearer.Clone()); len(pass.Remove) != 0 || pass.Set.Get("Authorization") != "" {
		t.Errorf("kept: %+v", pass)
	}
	if pass := ask("/given", cookies.Clone()); pass.Set.Get("Authorization") != "Bearer "+token || !slices.Equal(pass.Remove, []string{"Cookie"}) {
		t.Errorf("given: %+v", pass)
	}
}

func withHeader(h http.Header) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.Header = h.Clone()
	return r
}
