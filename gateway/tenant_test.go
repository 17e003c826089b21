package gateway_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/session"
)

// unsigned is a token that anybody can make: it names an issuer, and proves nothing.
func unsigned(issuer string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return "Bearer " + part(`{"alg":"RS256"}`) + "." + part(`{"iss":"`+issuer+`"}`) + "." + part("x")
}

// TestS209_TheHostDecidesWhosePeopleMayPass: nothing that a request says makes it another
// pool's, whatever cookies and stores the pools share.
func TestS209_TheHostDecidesWhosePeopleMayPass(t *testing.T) {
	other := codegranttest.NewPool(t, nil)
	store := session.NewMemoryStore(session.MemoryConfig{})
	issuers := make(map[string]string)
	var auths []*codegrant.Auth
	s := newSite(t, []gateway.Route{
		{Path: "/"}, {Path: "/reports", Permissions: analysts}, {Path: "/b", Tenant: "b"}, {Path: "/open", Public: true},
	}, func(g *gateway.Config, c *codegrant.Config) {
		keyring := c.Keys
		if keyring == nil {
			var err error
			if keyring, err = session.NewKeyring([]byte("\x8f\x1c\xd2\x47\xa9\x03\x5e\xb6\x7d\x28\xf1\x94\x0a\xce\x63\x35\xe8\x5b\x12\xd7\x4f\x86\xb1\x2c\x99\x70\x3d\xfa\x16\xc4\x58\xeb")); err != nil {
				t.Fatal(err)
			}
		}
		c.Keys, c.Sessions, c.CookieName = keyring, store, "shared"
		first, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		second, err := codegrant.New(codegrant.Config{
			Pool: other.Register("http://b.localhost:8080"), BaseURL: "http://b.localhost:8080", Logger: c.Logger, Keys: keyring, Sessions: store, CookieName: "shared",
		})
		if err != nil {
			t.Fatal(err)
		}
		auths = []*codegrant.Auth{first, second}
		issuers["a"], issuers["b"] = c.Pool.Issuer, other.Clients()[0].Issuer
		if issuers["a"] == "" {
			issuers["a"] = "https://a.example.com"
		}
		g.Tenants = []gateway.Tenant{
			{Name: "a", Auth: first, Issuer: issuers["a"]},
			{Name: "b", Auth: second, Hosts: []string{"b.localhost"}, Issuer: issuers["b"]},
		}
	})
	alice := s.signIn("/", "alice@example.com")
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, c := range alice.Client.Jar.Cookies(u) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	ask := func(host, path string, header http.Header) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		r.Host, r.Header, r.RemoteAddr = host, header, "127.0.0.1:1"
		w := httptest.NewRecorder()
		s.gateway.ServeHTTP(w, r)
		return w.Code, s.last().Tenant
	}
	for _, tt := range []struct {
		host, path    string
		signedIn      bool
		authorization string
		status        int
		tenant        string
	}{
		{"a.localhost", "/x", true, "", 200, "a"}, {"a.localhost", "/reports", true, "", 200, "a"}, {"a.localhost", "/x", true, unsigned(issuers["b"]), 200, "a"},
		{"b.localhost", "/x", true, "", 401, "b"}, {"b.localhost", "/reports", true, "", 401, "b"},
		{"b.localhost", "/x", true, unsigned(issuers["a"]), 401, "b"}, {"b.localhost", "/reports", true, unsigned(issuers["a"]), 401, "b"}, {"B.localhost.:80", "/x", true, unsigned(issuers["a"]), 401, "b"},
		{"b.localhost", "/x", true, unsigned("https://unknown.example.com"), 401, "b"}, {"b.localhost", "/x", false, unsigned(issuers["a"]), 401, "b"},
		{"a.localhost", "/b/x", true, "", 401, "b"}, {"a.localhost", "/b/x", true, unsigned(issuers["a"]), 401, "b"}, {"b.localhost", "/open", true, unsigned(issuers["a"]), 200, "b"},
	} {
		header := http.Header{}
		if tt.signedIn {
			header.Set("Cookie", strings.Join(cookies, "; "))
		}
		if tt.authorization != "" {
			header.Set("Authorization", tt.authorization)
		}
		if status, tenant := ask(tt.host, tt.path, header.Clone()); status != tt.status || tenant != tt.tenant {
			t.Errorf("%s%s, signed in: %v, %.20s: %d by %s, want %d by %s", tt.host, tt.path, tt.signedIn, tt.authorization, status, tenant, tt.status, tt.tenant)
		}
		original := &http.Request{Method: "GET", Host: tt.host, RequestURI: tt.path, Header: header.Clone(), RemoteAddr: "127.0.0.1:1"}
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, original.WithContext(t.Context()), nil); (pass != nil) != (tt.status == 200) || s.last().Tenant != tt.tenant {
			t.Errorf("asked about %s%s: %d by %s, want %d by %s", tt.host, tt.path, w.Code, s.last().Tenant, tt.status, tt.tenant)
		}
	}
	// Of two on one host, the issuer of a token selects; neither knows the other's people.
	both, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{
		{Name: "a", Auth: auths[0], Issuer: issuers["a"], Prefix: "/a"}, {Name: "b", Auth: auths[1], Issuer: issuers["b"], Prefix: "/b"}, {Name: "c", Auth: auths[1], Issuer: "https://c.example.com", Hosts: []string{"c.localhost"}},
	}, OnRequest: func(_ *http.Request, o gateway.Outcome) {
		s.mu.Lock()
		s.outcomes = append(s.outcomes, o)
		s.mu.Unlock()
	}})
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]string{issuers["a"]: "a", issuers["b"]: "b", "https://c.example.com": "a", "": "a"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/nowhere", nil)
		r.Header.Set("Authorization", unsigned(issuer))
		both.ServeHTTP(httptest.NewRecorder(), r)
		if got := s.last().Tenant; got != want {
			t.Errorf("a token of %q: judged by %s, want %s", issuer, got, want)
		}
	}
}

// TestS228_RoutesOfTwoTenants: the library, too, refuses a route of which nothing says whose
// people it is for. Issuers say so for bearer tokens.
func TestS228_RoutesOfTwoTenants(t *testing.T) {
	auth := newSite(t, nil, nil).auth
	a, b := gateway.Tenant{Name: "a", Auth: auth, Prefix: "/a"}, gateway.Tenant{Name: "b", Auth: auth, Prefix: "/b"}
	at := func(t gateway.Tenant, issuer string, hosts ...string) gateway.Tenant {
		t.Issuer, t.Hosts = issuer, hosts
		return t
	}
	here, two := "app.example.com", []string{"app.example.com", "x.example.com"}
	up := &gateway.Upstream{URLs: []string{"http://127.0.0.1:1"}}
	for _, tt := range []struct {
		name   string
		a, b   gateway.Tenant
		routes []gateway.Route
		want   string // at the host; empty: it starts
	}{
		{"no hosts", a, b, []gateway.Route{{Path: "/"}}, "every other host"},
		{"no hosts, a route with one", a, b, []gateway.Route{{Host: here}}, here},
		{"public, with an upstream that is told who asks", a, b, []gateway.Route{{Public: true, Upstream: up}}, "every other host"},
		{"one issuer of two", at(a, "https://a.example.com"), b, []gateway.Route{{Path: "/"}}, "every other host"},
		{"one issuer for two", at(a, "https://a.example.com"), at(b, "https://a.example.com"), []gateway.Route{{Path: "/"}}, "every other host"},
		{"one host", at(a, "", two...), at(b, "", two...), []gateway.Route{{Host: "X.example.com."}}, "x.example.com"},
		{"one host among others", at(a, "", two...), at(b, "", here), []gateway.Route{{Path: "/a", Tenant: "a"}, {Path: "/"}}, here},
		{"not all is taken before", at(a, "", here), at(b, "", here), []gateway.Route{{Host: here, Tenant: "a", Methods: []string{"GET"}}, {Path: "/"}}, here},
		{"nor by an exact path", at(a, "", here), at(b, "", here), []gateway.Route{{Host: here, Tenant: "a", Exact: true}, {Path: "/"}}, here},
		{"nor by one below", at(a, "", here), at(b, "", here), []gateway.Route{{Host: here, Tenant: "a", Path: "/x"}, {Path: "/"}}, here},
		{"taken before", at(a, "", here), at(b, "", here), []gateway.Route{{Host: here, Tenant: "a"}, {Path: "/"}}, ""},
		{"issuers of their own", at(a, "https://a.example.com"), at(b, "https://b.example.com"), []gateway.Route{{Path: "/"}}, ""},
		{"named", a, b, []gateway.Route{{Path: "/", Tenant: "a"}, {Path: "/b", Tenant: "b"}}, ""},
		{"hosts of their own", a, at(b, "", here), []gateway.Route{{Path: "/"}, {Host: here}}, ""},
		{"another host", at(a, "", here), at(b, "", here), []gateway.Route{{Host: "y.example.com"}}, ""},
		{"files for everybody", a, b, []gateway.Route{{Public: true, Files: fstest.MapFS{}}}, ""},
		{"no routes", a, b, nil, ""},
	} {
		g, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{tt.a, tt.b}, Routes: tt.routes})
		if want := "tenants a and b answer for " + tt.want + ", and nothing says whose people these are; set Tenant"; (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		if g != nil {
			_ = g.Close(t.Context())
		}
	}
}

// TestS210_AuthorizationOfClients: an upstream sees the header where it proved who is
// asking and the route passes it, or where nobody is asking; a token that the gateway
// passes was verified.
func TestS210_AuthorizationOfClients(t *testing.T) {
	s := newSite(t, []gateway.Route{
		{Path: "/"}, {Path: "/kept", PassAuthorization: true}, {Path: "/given", PassAccessToken: true}, {Path: "/both", PassAuthorization: true, PassAccessToken: true},
		{Path: "/open", Public: true}, {Path: "/open/kept", Public: true, PassAuthorization: true}, {Path: "/open/given", Public: true, PassAccessToken: true},
	}, nil)
	alice := s.signIn("/", "alice@example.com")
	token := s.echoed(alice.Client, "/given", nil).Header.Get("Authorization")
	if !strings.HasPrefix(token, "Bearer ey") {
		t.Fatalf("access token %q", token)
	}
	forged := []string{"Bearer forged", unsigned("https://evil.example"), token + "x", "Basic dGhlaXI6b3du", "Digest x", "bearer", "Negotiate eA=="}
	signature := token[:strings.LastIndexByte(token, '.')+1]
	forged = append(forged, signature+"AAAA")
	const proof = "proof"
	for _, tt := range []struct {
		path                      string
		session, session2, nobody string // seen beside a session; of a token that proved it; of nobody. client: as it came
	}{
		{"/x", "", "", "401"}, {"/kept", "", proof, "401"}, {"/given", token, token, "401"}, {"/both", token, token, "401"},
		{"/open", "", "", "client"}, {"/open/kept", "", proof, "client"}, {"/open/given", token, token, ""},
	} {
		for _, sent := range forged {
			header := map[string]string{"Authorization": sent}
			if got := s.echoed(alice.Client, tt.path, header).Header["Authorization"]; strings.Join(got, "|") != tt.session {
				t.Errorf("%s: beside a session, %.20q: %q", tt.path, sent, got)
			}
			if tt.nobody == "401" {
				if r, _ := s.ask(http.DefaultClient, "GET", tt.path, header); r.StatusCode != 401 {
					t.Errorf("%s: of nobody, %.20q: %d", tt.path, sent, r.StatusCode)
				}
				continue
			}
			want := map[bool]string{true: sent, false: ""}[tt.nobody == "client"]
			if got := s.echoed(http.DefaultClient, tt.path, header).Header["Authorization"]; strings.Join(got, "|") != want {
				t.Errorf("%s: of nobody, %.20q: %q", tt.path, sent, got)
			}
		}
		want := map[bool]string{true: token, false: tt.session2}[tt.session2 == proof]
		if got := s.echoed(http.DefaultClient, tt.path, map[string]string{"Authorization": token}).Header["Authorization"]; strings.Join(got, "|") != want {
			t.Errorf("%s: a token that proves it: %q", tt.path, got)
		}
		// Through another proxy, which is told what to send on.
		h := cookiesOf(t, s, alice)
		h.Set("Authorization", "Bearer forged")
		pass := s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", tt.path, h), nil)
		if pass == nil || pass.Set.Get("Authorization") != tt.session || (tt.session == "") != slices.Contains(pass.Remove, "Authorization") {
			t.Errorf("%s: Envoy is told %+v", tt.path, pass)
		}
	}
	// Who is asking was proved by the load balancer's header, and not by this one.
	balanced := newSite(t, []gateway.Route{{Path: "/kept", PassAuthorization: true}}, func(_ *gateway.Config, c *codegrant.Config) {
		c.Authenticators = []codegrant.Authenticator{balancer{}}
	})
	got := balanced.echoed(http.DefaultClient, "/kept", map[string]string{"Authorization": "Basic dGhlaXI6b3du"})
	if got.Header.Get("X-Auth-Subject") != "carol" || got.Header["Authorization"] != nil {
		t.Errorf("beside a load balancer's word: %v", got.Header)
	}
}

// balancer stands for a load balancer that has signed somebody in.
type balancer struct{}

func (balancer) Authenticate(*http.Request) (*codegrant.Identity, error) {
	return &codegrant.Identity{Subject: "carol", Method: codegrant.MethodLoadBalancer}, nil
}

func (balancer) Challenge(error) string { return "" }
