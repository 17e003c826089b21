package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/quotas"
)

// site is a gateway under test, with an upstream that tells what it saw.
type site struct {
	*codegranttest.Pool
	t        *testing.T
	url      string
	auth     *codegrant.Auth
	gateway  *gateway.Gateway
	upstream *httptest.Server
	log      *logs

	mu       sync.Mutex
	outcomes []gateway.Outcome
}

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

// seen is a request as the upstream got it.
type seen struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Set-Cookie", "theirs=1; Path=/")
	w.Header().Add("Set-Cookie", "codegrant=stolen; Path=/")
	w.Header().Set("X-Auth-Subject", "upstream")
	w.Header().Set("x_auth_groups", "upstream")
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, r.Header, string(body)})
}

// newSite starts one. Routes get the upstream unless they have one of their own.
func newSite(t *testing.T, routes []gateway.Route, change func(*gateway.Config, *codegrant.Config)) *site {
	t.Helper()
	s := &site{t: t, Pool: codegranttest.NewPool(t, nil), log: new(logs)}
	s.upstream = httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(s.upstream.Close)
	s.url = s.App(func(config codegrant.Config) http.Handler {
		config.Logger = slog.New(slog.NewTextHandler(s.log, nil))
		gate := gateway.Config{
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Logger:         config.Logger,
			OnRequest: func(_ *http.Request, o gateway.Outcome) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.outcomes = append(s.outcomes, o)
			},
		}
		for _, r := range routes {
			if r.Upstream == nil && r.Files == nil {
				r.Upstream = &gateway.Upstream{URLs: []string{s.upstream.URL}}
			}
			gate.Routes = append(gate.Routes, r)
		}
		if change != nil {
			change(&gate, &config)
		}
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		s.auth = auth
		if len(gate.Tenants) == 0 {
			gate.Tenants = []gateway.Tenant{{Name: "main", Auth: auth}}
		}
		if s.gateway, err = gateway.New(gate); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.gateway.Close(context.Background()) })
		return s.gateway
	})
	return s
}

func (s *site) signIn(path, email string) *codegranttest.Browser {
	s.t.Helper()
	browser := codegranttest.NewBrowser(s.t)
	browser.SignIn(s.url+path, email, codegranttest.Password)
	return browser
}

func (s *site) last() gateway.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcomes[len(s.outcomes)-1]
}

// ask sends a request as a program does, with headers as they are given.
func (s *site) ask(client *http.Client, method, path string, header map[string]string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = []string{value} // names as they are written
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(body)
}

func (s *site) echoed(client *http.Client, path string, header map[string]string) seen {
	s.t.Helper()
	response, body := s.ask(client, http.MethodGet, path, header)
	var got seen
	if err := json.Unmarshal([]byte(body), &got); response.StatusCode != http.StatusOK || err != nil {
		s.t.Fatalf("%s: %d %s", path, response.StatusCode, body)
	}
	return got
}

var analysts = []codegrant.Permission{codegrant.InGroup("analysts")}

func usual() []gateway.Route {
	return []gateway.Route{
		{Name: "reports", Path: "/reports", Permissions: analysts},
		{Name: "open", Path: "/open", Public: true},
		{Name: "read", Path: "/docs", Methods: []string{"GET"}, Public: true},
		{Name: "rest", Path: "/"},
	}
}

func TestProxyTellsUpstreamsWhoIsAsking(t *testing.T) {
	s := newSite(t, usual(), nil)
	alice := s.signIn("/reports/q3?year=2026", "alice@example.com")
	got := s.echoed(alice.Client, "/reports/q3?year=2026&b=%2F", nil)
	if got.Target != "/reports/q3?year=2026&b=%2F" || got.Header.Get("X-Auth-Email") != "alice@example.com" || got.Header.Get("X-Auth-Groups") != "admins,analysts" ||
		got.Header.Get("X-Auth-Subject") == "" || strings.Contains(got.Header.Get("Cookie"), "codegrant") || got.Header.Get("X-Forwarded-Host") == "" {
		t.Errorf("%+v", got)
	}
	if o := s.last(); o.Route != "reports" || o.Decision != gateway.Passed || o.Identity == nil || o.Status != 200 {
		t.Errorf("outcome %+v", o)
	}
}

func TestProxyDecides(t *testing.T) {
	s := newSite(t, usual(), nil)
	alice, bob, nobody := s.signIn("/", "alice@example.com"), s.signIn("/", "bob@example.com"), codegranttest.NewBrowser(t)
	for _, tt := range []struct {
		browser      *codegranttest.Browser
		method, path string
		status       int
		decision     gateway.Decision
	}{
		{alice, "GET", "/reports", 200, gateway.Passed}, {alice, "GET", "/reports/", 200, gateway.Passed},
		{bob, "GET", "/reports/q3", 403, gateway.Forbidden}, {nobody, "GET", "/reports/q3", 401, gateway.Unauthorized},
		{nobody, "GET", "/reportsx", 401, gateway.Unauthorized}, {bob, "GET", "/reportsx", 200, gateway.Passed},
		{nobody, "GET", "/open/x", 200, gateway.Passed}, {nobody, "POST", "/open/x", 200, gateway.Passed},
		{nobody, "GET", "/docs/a", 200, gateway.Passed}, {nobody, "HEAD", "/docs/a", 200, gateway.Passed}, {alice, "POST", "/docs/a", 405, gateway.Refused},
		{nobody, "OPTIONS", "/reports/q3", 401, gateway.Unauthorized}, {nobody, "BREW", "/reports/q3", 401, gateway.Unauthorized},
	} {
		r, body := s.ask(tt.browser.Client, tt.method, tt.path, nil)
		if r.StatusCode != tt.status || s.last().Decision != tt.decision {
			t.Errorf("%s %s: %d %s, want %d; decision %+v", tt.method, tt.path, r.StatusCode, body, tt.status, s.last())
		}
	}
}

func TestS090_S091_S092_ForgedIdentityHeaders(t *testing.T) {
	s := newSite(t, usual(), nil)
	bob := s.signIn("/", "bob@example.com")
	forged := map[string]string{
		"X-Auth-Subject": "evil", "x-auth-subject": "evil", "X_Auth_Subject": "evil", "x_auth-groups": "admins", "X.Auth.Groups": "admins", "X-AUTH-EMAIL": "evil@example.com",
		"x_auth_user_id": "1", "X-Auth-Assertion": "evil", "x-auth-name": "evil", "X_AUTH_SCOPES": "evil", "X-Auth_Issuer": "evil", "x-auth_username": "evil", "X-Auth-Acr": "evil", "x_auth_amr": "evil", "X-Auth_Time": "1",
		"Connection": "X-Auth-Subject, X-Auth-Groups, X-Auth-Email",
	}
	for _, tt := range []struct {
		path    string
		browser *codegranttest.Browser
		subject bool
	}{{"/rest", bob, true}, {"/open", codegranttest.NewBrowser(t), false}, {"/open", bob, true}} {
		got := s.echoed(tt.browser.Client, tt.path, forged)
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, " "), "evil") || slices.Contains(values, "admins") {
				t.Errorf("%s: upstream saw %s: %v", tt.path, name, values)
			}
		}
		for _, name := range []string{"X-Auth-Subject", "X-Auth-Groups", "X-Auth-Email", "X-Auth-Username", "X-Auth-Name", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Acr", "X-Auth-Amr", "X-Auth-Time", "X-Auth-Actor", "X-Auth-Machine", "X-Auth-Organization", "X-Auth-Organization-Role", "X-Auth-Assertion"} {
			if len(got.Header[name]) != 1 {
				t.Errorf("%s: %s is there %d times", tt.path, name, len(got.Header[name]))
			}
		}
		if (got.Header.Get("X-Auth-Subject") != "") != tt.subject {
			t.Errorf("%s: subject %q", tt.path, got.Header.Get("X-Auth-Subject"))
		}
	}
}

func TestS103_CookiesAndHeadersStayApart(t *testing.T) {
	s := newSite(t, usual(), nil)
	bob := s.signIn("/", "bob@example.com")
	got := s.echoed(bob.Client, "/x", map[string]string{"Cookie": "mine=1; codegrant-flash=x"})
	if cookies := got.Header.Get("Cookie"); !strings.HasPrefix(cookies, "mine=1") || strings.Contains(cookies, "codegrant") {
		t.Errorf("upstream saw the cookies %q", cookies)
	}
	r, _ := s.ask(bob.Client, "GET", "/x", nil)
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, "codegrant") {
			t.Errorf("the upstream set %s", line)
		}
	}
	if !slices.ContainsFunc(r.Header["Set-Cookie"], func(l string) bool { return strings.HasPrefix(l, "theirs=") }) {
		t.Error("the upstream's own cookie was lost")
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-auth-") {
			t.Errorf("the upstream's answer has %s", name)
		}
	}
}

// TestS057_S103_InformationalAnswers: what comes before an answer tells nothing that is
// the gateway's, and takes nothing of the gateway's away.
func TestS057_S103_InformationalAnswers(t *testing.T) {
	hints := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // sends 100 to those who wait for it
		for range 2 {
			h := w.Header()
			h.Set("Link", "</style.css>; rel=preload")
			h.Set("X-Auth-Subject", "upstream")
			h.Set("Set-Cookie", "codegrant=stolen; Path=/")
			h.Set("Vary", "Accept")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, "ok")
	})
	routes := []gateway.Route{{Path: "/", Upstream: &gateway.Upstream{URLs: []string{hints}}}}
	s := newSite(t, routes, func(g *gateway.Config, c *codegrant.Config) {
		c.Authenticators = []codegrant.Authenticator{anybody{}}
	})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "mine=1") // as with tokens that were refreshed
		s.gateway.ServeHTTP(w, r)
	}))
	defer front.Close()
	for _, expect := range []string{"", "100-continue", "a stream"} {
		var early []textproto.MIMEHeader
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			if status == http.StatusEarlyHints {
				early = append(early, h)
			}
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, front.URL+"/", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		switch expect {
		case "a stream":
			r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
			r.Header.Set("Accept", "text/event-stream")
		case "100-continue":
			r.Header.Set("Expect", expect)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if len(early) != 2 {
			t.Fatalf("%q: %d answers before the answer", expect, len(early))
		}
		for _, h := range early {
			if h.Get("Link") == "" || h.Get("X-Auth-Subject") != "" || h.Get("Set-Cookie") != "" {
				t.Errorf("%q: before the answer: %v", expect, h)
			}
		}
		h := response.Header
		if !slices.Equal(h["Vary"], []string{"Cookie, Authorization, Accept"}) || !slices.Equal(h["Cache-Control"], []string{"no-store"}) ||
			!slices.Equal(h["Set-Cookie"], []string{"mine=1"}) || h.Get("X-Auth-Subject") != "" {
			t.Errorf("%q: the answer: %v", expect, h)
		}
	}
}

// TestS103_Trailers: what comes after an answer tells nothing that is the gateway's,
// announced or not.
func TestS103_Trailers(t *testing.T) {
	trailing := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Auth-Subject, X-Checksum, Set-Cookie")
		fmt.Fprint(w, "ok")
		w.(http.Flusher).Flush()
		for _, name := range []string{"X-Auth-Subject", "X-Checksum", "Set-Cookie", http.TrailerPrefix + "X_auth-Groups", http.TrailerPrefix + "X-Late"} {
			w.Header().Set(name, "upstream")
		}
	})
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: &gateway.Upstream{URLs: []string{trailing}}}}, func(_ *gateway.Config, c *codegrant.Config) {
		c.Authenticators = []codegrant.Authenticator{anybody{}}
	})
	for _, accept := range []string{"*/*", "text/event-stream"} {
		r, _ := s.ask(http.DefaultClient, "GET", "/", map[string]string{"Accept": accept})
		var got []string
		for name := range r.Trailer {
			if len(r.Trailer[name]) > 0 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if want := []string{"X-Checksum", "X-Late"}; !slices.Equal(got, want) {
			t.Errorf("%s: trailers %q, want %q", accept, got, want)
		}
	}
}

// anybody is a proof that everybody has.
type anybody struct{}

func (anybody) Authenticate(*http.Request) (*codegrant.Identity, error) {
	return &codegrant.Identity{Subject: "robot"}, nil
}

func (anybody) Challenge(error) string { return "" }

func TestS095_ForwardedHeadersOfStrangers(t *testing.T) {
	s := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = nil })
	forged := map[string]string{ // each by itself, and all at once
		"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "evil", "X-Forwarded-Port": "evil", "X-Forwarded-Prefix": "/evil",
		"X-Real-Ip": "6.6.6.6", "Forwarded": "for=6.6.6.6", "X-Original-Url": "/evil", "X-Rewrite-Url": "/evil", "X-Original-Uri": "/evil", "X-Original-Method": "EVIL",
		"X-Original-Host": "evil.example", "X-Forwarded-Method": "EVIL", "X-Forwarded-Uri": "/evil", "X-Forwarded-Server": "evil", "X-Forwarded-Scheme": "evil",
	}
	attempts := []map[string]string{forged}
	for name, value := range forged {
		attempts = append(attempts, map[string]string{name: value})
	}
	host := strings.TrimPrefix(s.url, "http://")
	for _, attempt := range attempts {
		got := s.echoed(http.DefaultClient, "/open", attempt)
		for name, values := range got.Header {
			if v := strings.ToLower(strings.Join(values, " ")); strings.Contains(v, "6.6.6.6") || strings.Contains(v, "evil") {
				t.Errorf("of %v, the upstream saw %s: %s", attempt, name, v)
			}
		}
		// What it does see is the gateway's own say.
		if h := got.Header; got.Target != "/open" || h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Forwarded-Host") != host {
			t.Errorf("of %v, the upstream saw %s with %v", attempt, got.Target, h)
		}
	}
	trusting := newSite(t, usual(), nil)
	got := trusting.echoed(http.DefaultClient, "/open", map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
	if got.Header.Get("X-Forwarded-For") != "203.0.113.9, 127.0.0.1" || got.Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("of a trusted proxy: %v", got.Header)
	}
}

// TestS097_S104_S109_Targets sends targets as they are, without a client that tidies them.
func TestS097_S104_S109_Targets(t *testing.T) {
	s := newSite(t, append(usual(), gateway.Route{Name: "admin", Path: "/admin", Permissions: []codegrant.Permission{codegrant.InGroup("nobody")}}), nil)
	host := strings.TrimPrefix(s.url, "http://")
	raw := func(request string) string {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, request)
		answer, _ := io.ReadAll(conn)
		line, _, _ := strings.Cut(string(answer), "\r\n")
		return line
	}
	for _, tt := range []struct{ trick, target string }{
		{"dot segments (CWE-22)", "/open/../admin"}, {"dot segment at the end", "/open/.."}, {"single dots", "/open/./x"},
		{"encoded dots (CVE-2021-41773)", "/open/%2e%2e/admin"}, {"half-encoded dots", "/open/.%2e/admin"}, {"twice encoded (CVE-2021-42013)", "/open/%252e%252e/admin"},
		{"encoded slash (CVE-2026-33494)", "/open%2f..%2fadmin"}, {"encoded slash, upper case", "/open%2Fx"}, {"backslash", "/open\\..\\admin"}, {"encoded backslash", "/open/..%5cadmin"},
		{"empty segments (CVE-2026-41059)", "/open//admin"}, {"leading empty segment", "//admin"}, {"path parameters (Tomcat)", "/open/..;/admin"}, {"encoded semicolon", "/open/..%3b/admin"},
		{"fragment in the target (CVE-2026-41059)", "/admin#/open"}, {"encoded fragment", "/admin%23/open"}, {"NUL", "/admin%00/open"}, {"control character", "/open/%0aadmin"},
		{"invalid UTF-8", "/open/%ff%fe"}, {"overlong UTF-8", "/open/%c0%af"}, {"encoded question mark", "/open%3f/admin"}, {"malformed escape", "/open/%zz"},
		{"semicolons in the query (CVE-2026-39825)", "/open?a=1;b=2"}, {"thousands of parameters", "/open?" + strings.Repeat("a=1&", 1100)},
		{"a target for another host", "http://evil.example/open"}, {"no resource", "*"}, {"a very long target", "/open/" + strings.Repeat("a", 20<<10)},
	} {
		status := raw("GET " + tt.target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(status, " 400 ") && !strings.Contains(status, " 431 ") && !strings.Contains(status, " 404 ") {
			t.Errorf("%s: %s", tt.trick, status)
		}
	}
	for _, tt := range []struct{ trick, request string }{
		{"CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n"},
		{"TRACE", "TRACE /open HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"},
		{"length and chunks (CL.TE)", "POST /open HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nX"},
		{"two lengths", "POST /open HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nXX"},
		{"unknown transfer coding (TE.CL)", "POST /open HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: xchunked\r\nConnection: close\r\n\r\n0\r\n\r\n"},
		{"two hosts", "GET /open HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example\r\nConnection: close\r\n\r\n"},
		{"no host", "GET /open HTTP/1.1\r\nConnection: close\r\n\r\n"}, {"an empty host (HTTP/1.0)", "GET /open HTTP/1.0\r\n\r\n"},
		{"white space before the colon", "GET /open HTTP/1.1\r\nHost : evil.example\r\nConnection: close\r\n\r\n"},
	} {
		status := raw(tt.request)
		// What net/http reads in one way alone is sent on in that way: chunks.
		if tt.trick == "length and chunks (CL.TE)" && strings.Contains(status, " 200 ") {
			continue
		}
		if !strings.Contains(status, " 400 ") && !strings.Contains(status, " 501 ") && !strings.Contains(status, " 405 ") {
			t.Errorf("%s: %s", tt.trick, status)
		}
	}
}

func TestS099_Hosts(t *testing.T) {
	s := newSite(t, []gateway.Route{
		{Name: "internal", Host: "Internal.Example.test.", Path: "/", Permissions: []codegrant.Permission{codegrant.InGroup("nobody")}},
		{Name: "other", Path: "/", Public: true},
	}, nil)
	for _, host := range []string{"internal.example.test", "INTERNAL.example.test", "internal.example.test.", "internal.example.test:8443"} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/", nil)
		r.Host = host
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 401 {
			t.Errorf("%s: %d", host, response.StatusCode)
		}
	}
}

func TestS093_HeaderValues(t *testing.T) {
	s := newSite(t, usual(), nil)
	s.AddUser("carol", "carol@example.com", "a,admins", "50%", "ünïcode", "with space")
	if err := s.SetAttributes(s.PoolID, "carol", map[string]string{"name": "Zoë\r\nX-Auth-Groups: admins"}); err != nil {
		t.Fatal(err)
	}
	carol := s.signIn("/", "carol@example.com")
	got := s.echoed(carol.Client, "/x", nil)
	groups := strings.Split(got.Header.Get("X-Auth-Groups"), ",")
	slices.Sort(groups)
	if !slices.Equal(groups, []string{"%C3%BCn%C3%AFcode", "50%25", "a%2Cadmins", "with%20space"}) {
		t.Errorf("groups %q", groups)
	}
	if name := got.Header.Get("X-Auth-Name"); name != "Zo%C3%AB%0D%0AX-Auth-Groups: admins" {
		t.Errorf("name %q", name)
	}
}

func TestRoutesThatMakeNoSense(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register("http://localhost:8080")})
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	up := &gateway.Upstream{URLs: []string{"http://127.0.0.1:1"}}
	for want, config := range map[string]gateway.Config{
		"Tenants":             {},
		"can never match":     {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Path: "/a", Upstream: up}, {Path: "/a/", Upstream: up}}},
		"b can never match":   {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Name: "a", Path: "/x", Methods: []string{"GET", "POST"}}, {Name: "b", Path: "/x", Methods: []string{"POST"}}}},
		"no request can have": {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Path: "/a//b"}}},
		"has permissions":     {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Public: true, Permissions: analysts}}},
		"there is no tenant":  {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Tenant: "x"}}},
		"Assertions is not":   {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Assertion: true}}},
		"upstream has no URL": {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Upstream: &gateway.Upstream{}}}},
		"makes no sense":      {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Upstream: &gateway.Upstream{URLs: up.URLs, Retries: 11}}}},
		"not of the form":     {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Upstream: &gateway.Upstream{URLs: []string{"http://h/path"}}}}},
		"is used twice":       {Tenants: []gateway.Tenant{{Auth: auth}}, Headers: gateway.Headers{Subject: "X-A", Email: "x_a"}},
		"cannot be the name":  {Tenants: []gateway.Tenant{{Auth: auth}}, Headers: gateway.Headers{Subject: "Cookie"}},
		"the issuer is":       {Tenants: []gateway.Tenant{{Auth: auth}}, Assertions: &gateway.Assertions{Keys: []ed25519.PrivateKey{key}}},
		"one key is needed":   {Tenants: []gateway.Tenant{{Auth: auth}}, Assertions: &gateway.Assertions{Issuer: "x"}},
		"answers for":         {Tenants: []gateway.Tenant{{Name: "a", Auth: auth}, {Name: "b", Auth: auth}}},
		"method":              {Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{Methods: []string{"GET /"}}}},
	} {
		_, err := gateway.New(config)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{
		{Path: "/"}, {Path: "/a", Methods: []string{"GET"}}, {Path: "/a"}, {Path: "/a", Exact: true}, {Host: "x.example", Path: "/a"},
	}}); err != nil {
		t.Errorf("good routes: %v", err)
	}
}

// TestS264_IdentityIsNeverCut: an upstream is told whole who is asking, or the request
// is refused with a reason.
func TestS264_IdentityIsNeverCut(t *testing.T) {
	routes := []gateway.Route{
		{Name: "all", Path: "/"}, {Name: "open", Path: "/open", Public: true},
		{Name: "some", Path: "/some", SendGroups: []string{"banned", "admins"}},
	}
	s := newSite(t, routes, nil)
	named := func(prefix string, n int, fill string) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s%03d", prefix, i)+strings.Repeat(fill, quotas.GroupNameCharacters-len(prefix)-3))
		}
		return names
	}
	many := append(named("zz", 61, "g"), "banned") // an upstream that denies by the last one
	all := named("all", quotas.GroupsPerUser, "g")
	wide := named("w", quotas.GroupsPerUser, "組")
	s.AddUser("carol", "carol@example.com", many...)
	s.AddUser("dave", "dave@example.com", all...)
	s.AddUser("erin", "erin@example.com", append(wide[:99:99], "admins")...)
	name := strings.Repeat("ü", quotas.AttributeBytes/2)
	if err := s.SetAttributes(s.PoolID, "carol", map[string]string{"name": name}); err != nil {
		t.Fatal(err)
	}
	for who, groups := range map[string][]string{"carol": many, "dave": all} {
		client := s.signIn("/", who+"@example.com").Client
		h := s.echoed(client, "/x", nil).Header
		got := strings.Split(h.Get("X-Auth-Groups"), ",")
		slices.Sort(got)
		slices.Sort(groups)
		if !slices.Equal(got, groups) {
			t.Errorf("%s: %d groups, want %d", who, len(got), len(groups))
		}
		if told, err := url.PathUnescape(h.Get("X-Auth-Name")); who == "carol" && (err != nil || told != name) {
			t.Errorf("a name of %d bytes, want %d: %v", len(told), len(name), err)
		}
		want := ""
		if who == "carol" {
			want = "banned"
		}
		if got := s.echoed(client, "/some/x", nil).Header.Get("X-Auth-Groups"); got != want {
			t.Errorf("%s: with send_groups, %q", who, got)
		}
	}
	erin := s.signIn("/some", "erin@example.com").Client
	for _, path := range []string{"/x", "/open"} {
		if r, _ := s.ask(erin, "GET", path, nil); r.StatusCode != http.StatusForbidden {
			t.Errorf("more than can be told: %s: %d", path, r.StatusCode)
		}
		if o := s.last(); o.Decision != gateway.TooLarge || o.Identity == nil {
			t.Errorf("outcome %+v", o)
		}
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", path, cookiesIn(t, s, erin)), nil); pass != nil || w.Code != http.StatusForbidden {
			t.Errorf("a proxy is told %v, %d", pass, w.Code)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "identity too large") || !strings.Contains(log, "X-Auth-Groups") || !strings.Contains(log, "send_groups") {
		t.Errorf("the log does not say what to do: %.2000s", log)
	}
	if got := s.echoed(erin, "/some/x", nil).Header.Get("X-Auth-Groups"); got != "admins" {
		t.Errorf("with send_groups: %q", got)
	}
}
