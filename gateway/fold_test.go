package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// asWSGI is a name as CGI (RFC 3875, section 4.1.18), WSGI, Rack and PHP make a variable of
// it, written apart from fold.
func asWSGI(name string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(name) {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// FuzzS202_HeaderNames: whatever name a header has, an application that folds names does
// not take it for one that means something here.
func FuzzS202_HeaderNames(f *testing.F) {
	for _, seed := range []string{"X-Auth-Subject", "x_auth_subject", "X.Auth.Groups", "X'Auth~Name", "X-Forwarded-For", "X_Forwarded_Foo", "x-amzn-oidc-anything", "Remote_User", "X-Mine", "Upgrade", "http2_settings", "X-Original-" + strings.Repeat("a", 70), "-", "X-HTTP-Method-Override"} {
		f.Add(seed, "evil", true)
		f.Add(seed, "", false)
	}
	noRoutes := new(table)
	names, err := Headers{}.resolve()
	if err != nil {
		f.Fatal(err)
	}
	g := &Gateway{headers: names, table: noRoutes, trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	own := make(map[string]bool)
	for _, name := range names.all {
		own[asWSGI(name)] = true
	}
	f.Fuzz(func(t *testing.T, name, value string, trusted bool) {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if r.RemoteAddr = "203.0.113.9:1"; trusted {
			r.RemoteAddr = "127.0.0.1:1"
		}
		r.Header.Set(name, value)
		claimed := g.admit(r).claimed
		variable := asWSGI(name)
		if own[variable] != (len(claimed) == 1) {
			t.Fatalf("%q claims %q", name, claimed)
		}
		c := &call{gateway: g, route: new(route), trusted: trusted}
		if err := g.present(r.Header, c, false); err != nil {
			t.Fatal(err)
		}
		for _, name := range names.all {
			if values := r.Header[name]; len(values) != 1 || values[0] != "" {
				t.Fatalf("%s is %q", name, values)
			}
			delete(r.Header, name)
		}
		for kept := range r.Header {
			folded := asWSGI(kept)
			if own[folded] {
				t.Fatalf("%q reaches the upstream", kept)
			}
			for m, all := range meanings {
				for _, known := range all {
					prefix, family := strings.CutSuffix(known, "*")
					is := folded == asWSGI(known) && !family || family && strings.HasPrefix(folded, asWSGI(prefix))
					if is && strings.ContainsFunc(kept, func(r rune) bool { return r != '-' && !isAlphanumeric(byte(r)) }) {
						t.Fatalf("%q, which reads as %s, reaches the upstream", kept, known)
					}
					// Of families within each other the longer counts: here, the meaning that was found.
					if found, _ := names.of(kept); is && found == m && (m == foreign || m == elsewhere || m == trail && !trusted) {
						t.Fatalf("%q, which is %s, reaches the upstream", kept, known)
					}
				}
			}
		}
	})
}
