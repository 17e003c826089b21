package gateway_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// spellings are what servers that fold names take for one name.
func spellings(name string) []string {
	all := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, between := range []string{"_", ".", "'", "~", "!", "|", "+", "^", "`", "*", "#", "$", "%", "&"} {
		all = append(all, strings.ReplaceAll(name, "-", between), strings.ToLower(strings.Replace(name, "-", between, 1)))
	}
	return all
}

// TestS201_QuestionsThatCarryIdentityHeaders: a proxy that asks about a request which has
// one still would send it on.
func TestS201_QuestionsThatCarryIdentityHeaders(t *testing.T) {
	s := newSite(t, usual(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	alice := s.signIn("/", "alice@example.com")
	cookies := cookiesOf(t, s, alice)
	for _, name := range identityHeaders {
		for _, spelling := range spellings(name) {
			for _, value := range []string{"admins", ""} {
				for _, target := range []string{"/open", "/rest"} {
					header := cookies.Clone()
					header[spelling] = []string{value}
					w := httptest.NewRecorder()
					if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", target, header), nil); pass != nil || w.Code != 403 {
						t.Errorf("%s: %q on %s: %+v %d", spelling, value, target, pass, w.Code)
					}
				}
			}
		}
	}
	// Over HTTP, as a line of its own, beside the real one, and twice.
	for _, spelling := range append(spellings("X-Auth-Groups"), spellings("X-Auth-User-Id")...) {
		for _, kind := range []string{"nginx", "caddy"} {
			if r, _ := s.ask(alice.Client, "GET", "/auth/check", merge(asked(kind, "GET", host, "/open"), spelling, "admins")); r.StatusCode != 403 {
				t.Errorf("%s asks with %s: %d", kind, spelling, r.StatusCode)
			}
		}
		if r, _ := s.ask(alice.Client, "GET", "/auth/check/open", map[string]string{spelling: "admins"}); r.StatusCode != 403 {
			t.Errorf("below the endpoint, with %s: %d", spelling, r.StatusCode)
		}
	}
	for _, connection := range []string{"X-Auth-Subject", "close, x-auth-groups", "keep-alive,X_Auth_Email", "X-Forwarded-For", "Authorization", "Cookie", "X-Original-URL"} {
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/open", http.Header{"Connection": {connection}}), nil); pass != nil || w.Code != 403 {
			t.Errorf("Connection: %s: %+v %d", connection, pass, w.Code)
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/auth/check", nil)
		r.Host, r.RemoteAddr = host, "127.0.0.1:1"
		for key, value := range merge(asked("caddy", "GET", host, "/open"), "Connection", connection) {
			r.Header.Set(key, value)
		}
		w = httptest.NewRecorder()
		if s.gateway.ServeHTTP(w, r); w.Code != 403 {
			t.Errorf("over HTTP, Connection: %s: %d", connection, w.Code)
		}
	}
	for _, reason := range []string{"carries a header that only the gateway may set", "http-request del-header x_auth_groups", "names a header that must stay"} {
		if !strings.Contains(s.log.String(), reason) {
			t.Errorf("the log does not say %q", reason)
		}
	}
	// Where no routes are, the question is about whoever asks, and the same holds.
	bare := newSite(t, nil, nil)
	if r, _ := bare.ask(http.DefaultClient, "GET", "/auth/check", map[string]string{"x_auth_groups": "admins"}); r.StatusCode != 403 {
		t.Errorf("without routes: %d", r.StatusCode)
	}
	// Names that only look alike mean nothing.
	for _, name := range []string{"X-Auth-Groupss", "X-Auth-Group", "XAuthGroups", "X--Auth-Groups", "X-Auth-Groups-", "Auth-Groups"} {
		if s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", "/open", http.Header{name: {"1"}}), nil) == nil {
			t.Errorf("%s: refused", name)
		}
	}
}

// TestS202_HeadersOfOthers: what says who is asking in the words of other proxies, what
// names another target, and what says where a request was, does not get from strangers to
// an upstream, in no spelling.
func TestS202_HeadersOfOthers(t *testing.T) {
	names := []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-Server",
		"X-Forwarded-By", "X-Forwarded", "Forwarded", "Forwarded-For", "X-Real-Ip", "X-Client-Ip", "Client-Ip", "True-Client-Ip", "X-Cluster-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
		"X-Remote-Ip", "X-Remote-Addr", "X-Originating-Ip", "X-Host", "X-Original-Host", "X-Url-Scheme", "X-Scheme", "Front-End-Https", "X-Original-Forwarded-For",
		"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Path",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "Proxy", "Request-Uri",
		"Remote-User", "Remote-Groups", "Remote-Email", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
		"X-Auth-Request-User", "X-Auth-Request-Groups", "X-Webauth-User", "X-Authenticated-User", "X-Authentik-Username", "X-Consumer-Username",
		"X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-Amzn-Oidc-Other", "X-Amzn-Mtls-Clientcert", "X-Goog-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion",
		"Cf-Access-Authenticated-User-Email", "X-Ms-Client-Principal", "X-Ms-Client-Principal-Name", "Tailscale-User-Login", "X-Forwarded-Client-Cert", "Client-Cert", "X-Ssl-Client-S-Dn", "Ssl-Client-Verify",
	}
	evil := func(t *testing.T, what string, h http.Header) {
		t.Helper()
		for name, values := range h {
			if strings.Contains(strings.Join(values, " "), "evil") {
				t.Errorf("%s: the upstream saw %s: %s", what, name, values)
			}
		}
	}
	strangers := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = nil })
	trusting := newSite(t, usual(), nil)
	bob := strangers.signIn("/", "bob@example.com")
	for _, name := range names {
		header := make(map[string]string)
		for _, spelling := range spellings(name) {
			header[spelling] = "evil"
		}
		evil(t, "of nobody", strangers.echoed(http.DefaultClient, "/open", header).Header)
		evil(t, "of bob", strangers.echoed(bob.Client, "/rest", header).Header)
		evil(t, "of nobody, named in Connection", strangers.echoed(http.DefaultClient, "/open", merge(maps.Clone(header), "Connection", name)).Header)
		// Another spelling does not come from a trusted proxy either.
		for spelling := range header {
			if http.CanonicalHeaderKey(spelling) == http.CanonicalHeaderKey(name) {
				delete(header, spelling)
			}
		}
		evil(t, "of a trusted proxy's client", trusting.echoed(http.DefaultClient, "/open", header).Header)
		original := http.Header{}
		for spelling, value := range header {
			original.Add(spelling, value)
		}
		if pass := trusting.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, trusting, "GET", "/open", original), nil); pass == nil || len(pass.Remove) != len(original) {
			t.Errorf("%s: Envoy is told %+v", name, pass)
		}
	}
	// What proxies say themselves of a request that they ask about, they say in its own words.
	forged := http.Header{"True-Client-Ip": {"evil"}, "X-Forwarded-Client_Ip": {"evil"}, "Forwarded": {"evil"}, "X-Forwarded_Host": {"evil"}, "Content_Length": {"evil"}, "X_http-Method-Override": {"evil"}, "Sec_Fetch_Site": {"evil"}}
	if pass := trusting.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, trusting, "GET", "/open", forged.Clone()), nil); pass == nil || len(pass.Remove) != len(forged) {
		t.Errorf("of %v, Envoy is told %+v", forged, pass)
	}
	// HTTP's own names in other spellings are nobody's.
	for _, name := range []string{"Content_Length", "Transfer_Encoding", "transfer.encoding", "Content_Type", "Http2_Settings", "Sec_WebSocket_Key", "Sec_Fetch_Site"} {
		evil(t, name, strangers.echoed(http.DefaultClient, "/open", map[string]string{name: "evil"}).Header)
	}
}

// TestS202_WhatTrustedProxiesSay: where a request was, an upstream hears from a trusted
// proxy; anything else as its route says.
func TestS202_WhatTrustedProxiesSay(t *testing.T) {
	passing := []string{"X-HTTP-Method-Override", "remote-user", "X-Amzn-Oidc-Data", "X-Client-Ip"}
	routes := []gateway.Route{{Path: "/", Public: true}, {Path: "/passing", Public: true, PassHeaders: passing}}
	said := map[string]string{
		"X-Http-Method-Override": "1", "Remote-User": "1", "X-Amzn-Oidc-Data": "1", "X-Client-Ip": "1", "X-Forwarded-Ssl": "1", "X-Forwarded-For": "203.0.113.9", "X-Rewrite-Url": "1", "X-Real-Ip": "1",
	}
	trusting := newSite(t, routes, nil)
	strangers := newSite(t, routes, func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = nil })
	for _, tt := range []struct {
		what string
		site *site
		path string
		want []string
	}{
		{"a trusted proxy", trusting, "/", []string{"X-Client-Ip", "X-Forwarded-Ssl", "X-Real-Ip"}},
		{"a trusted proxy, passed", trusting, "/passing", []string{"Remote-User", "X-Amzn-Oidc-Data", "X-Client-Ip", "X-Forwarded-Ssl", "X-Http-Method-Override", "X-Real-Ip"}},
		{"a stranger", strangers, "/", nil},
		{"a stranger, passed", strangers, "/passing", []string{"X-Http-Method-Override"}},
	} {
		got := tt.site.echoed(http.DefaultClient, tt.path, said)
		var names []string
		for name, values := range got.Header {
			if slices.Contains(values, "1") && http.CanonicalHeaderKey(name) != "Upgrade-Insecure-Requests" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, tt.want) {
			t.Errorf("%s: the upstream saw %q, want %q", tt.what, names, tt.want)
		}
	}
	// A question about a request that would act otherwise than was decided is refused,
	// unless its route says that this is meant.
	host := strings.TrimPrefix(trusting.url, "http://")
	for _, name := range []string{"X-Http-Method-Override", "X-Method-Override", "X-Rewrite-Url", "X-Original-Uri", "X-Forwarded-Path"} {
		for _, kind := range []string{"nginx", "caddy"} {
			r, _ := trusting.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, "/"), name, "DELETE"))
			p, _ := trusting.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, "/passing"), name, "DELETE"))
			if want := map[bool]int{true: 200, false: 403}[name == "X-Http-Method-Override"]; r.StatusCode != 403 || p.StatusCode != want {
				t.Errorf("%s asks with %s: %d and %d, want 403 and %d", kind, name, r.StatusCode, p.StatusCode, want)
			}
		}
	}
	for name, want := range map[string]string{
		"X-Mine": "reaches the upstream anyway", "X_Forwarded_User": "cannot be passed", "X-Auth-Subject": "cannot be passed", "X-Original-URL": "cannot be passed", "X-Forwarded-Method": "cannot be passed", "Connection": "cannot be passed", "Cookie": "cannot be passed",
		"Authorization": "cannot be passed", "Upgrade": "cannot be passed", "": "cannot be passed", "a b": "cannot be passed",
	} {
		_, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: trusting.auth}}, Routes: []gateway.Route{{PassHeaders: []string{name}}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}

// TestNamesOfIdentityHeaders: any name will do that means nothing else.
func TestNamesOfIdentityHeaders(t *testing.T) {
	s := newSite(t, nil, nil)
	for name, good := range map[string]bool{
		"X-User": true, "Remote-User": true, "X-Forwarded-User": true, "X_User": true, "X-Amzn-Oidc-Identity": true,
		"Cookie": false, "authorization": false, "X-Forwarded-For": false, "X_Real_IP": false, "X-Original-URL": false, "X-HTTP-Method-Override": false, "Host": false, "Upgrade": false, "X-Auth-Email": false,
		"Te": false, "Sec-WebSocket-Key": false, "Content-Type": false, "a b": false, strings.Repeat("x", 64): false,
	} {
		_, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: s.auth}}, Headers: gateway.Headers{Subject: name}})
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	named := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) {
		c.Headers = gateway.Headers{Subject: "Remote-User", Groups: "X_Groups"}
	})
	forged := map[string]string{"X-Auth-Email": "evil"}
	for _, spelling := range append(spellings("Remote-User"), spellings("X-Groups")...) {
		forged[spelling] = "evil"
	}
	bob := named.signIn("/", "bob@example.com")
	got := named.echoed(bob.Client, "/rest", forged)
	if strings.Contains(fmt.Sprint(got.Header), "evil") || got.Header.Get("Remote-User") == "" {
		t.Errorf("%v", got.Header)
	}
}
