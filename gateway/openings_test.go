package gateway_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/gateway"
)

// TestS098_PathsAloneMakeARoutePublic: neither what follows the path nor a path that
// only begins alike does, and a public route is so for its methods.
func TestS098_PathsAloneMakeARoutePublic(t *testing.T) {
	s := newSite(t, []gateway.Route{
		{Name: "public", Path: "/public", Public: true, Methods: []string{"GET"}},
		{Name: "all", Path: "/"},
	}, nil)
	for _, tt := range []struct {
		name, method, target string
		want                 int
	}{
		{"the route", "GET", "/public", 200},
		{"below it", "GET", "/public/x", 200},
		{"with a query", "GET", "/public?x=/private", 200},
		{"in the query (CVE-2025-54576)", "GET", "/private?x=/public", 401},
		{"at the start of the query", "GET", "/private?/public", 401},
		{"as a parameter of the path", "GET", "/private;/public", 400},
		{"begins alike", "GET", "/publicity", 401},
		{"ends alike", "GET", "/private/public", 401},
		{"other letters", "GET", "/PUBLIC", 401},
		{"another method", "POST", "/public", 405},
		{"a method in a header", "GET", "/private", 401},
	} {
		r, body := s.ask(http.DefaultClient, tt.method, tt.target, map[string]string{"X-HTTP-Method-Override": "GET", "X-Original-URL": "/public", "X-Rewrite-URL": "/public"})
		if r.StatusCode != tt.want {
			t.Errorf("%s: %s %s: %d, want %d: %s", tt.name, tt.method, tt.target, r.StatusCode, tt.want, body)
		}
	}
}

// TestS101_S134_NobodyIsExempt: no agent, parameter, address or header opens a route, and
// what operators look at is not on it.
func TestS101_S134_NobodyIsExempt(t *testing.T) {
	s := newSite(t, usual(), nil)
	for _, agent := range []string{"kube-probe/1.34", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "GoogleStackdriverMonitoring-UptimeChecks", "Amazon-Route53-Health-Check-Service", "Consul Health Check", ""} {
		for _, target := range []string{"/x", "/x?ready=1", "/healthz", "/readyz", "/ping", "/ready", "/metrics", "/debug/pprof/", "/debug/vars"} {
			r, body := s.ask(http.DefaultClient, "GET", target, map[string]string{
				"User-Agent": agent, "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": "localhost",
			})
			if r.StatusCode != http.StatusUnauthorized {
				t.Errorf("%q gets %d of %s: %s", agent, r.StatusCode, target, body)
			}
		}
	}
}

// TestS105_UpstreamsAreThoseOfTheConfiguration: nothing in a request chooses where it
// goes, and what an upstream says of another place is for the client.
func TestS105_UpstreamsAreThoseOfTheConfiguration(t *testing.T) {
	elsewhere := upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("another place was asked") })
	moving := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, elsewhere+"/", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "ours")
	})
	s := newSite(t, public(gateway.Upstream{URLs: []string{moving}}), nil)
	for _, path := range []string{"/moved", "/moved/x"} {
		r, _ := s.ask(http.DefaultClient, "GET", path, map[string]string{"Authorization": "Bearer x"})
		if r.StatusCode != http.StatusTemporaryRedirect || r.Header.Get("Location") != elsewhere+"/" {
			t.Errorf("%s: %d to %q", path, r.StatusCode, r.Header.Get("Location"))
		}
	}
	other := strings.TrimPrefix(elsewhere, "http://")
	host := strings.TrimPrefix(s.url, "http://")
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: " + other,
		"GET / HTTP/1.1\r\nHost: 169.254.169.254",
		"GET " + elsewhere + "/ HTTP/1.1\r\nHost: " + host,
		"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254",
		"GET @" + other + "/ HTTP/1.1\r\nHost: " + host,
		"GET /@" + other + "/ HTTP/1.1\r\nHost: " + host,
		"GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Host: " + other + "\r\nX-Original-Host: " + other + "\r\nForwarded: host=" + other,
		"CONNECT " + other + " HTTP/1.1\r\nHost: " + other,
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", head)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", head, err)
		} else if response.StatusCode != 200 && response.StatusCode != 400 && response.StatusCode != 404 && response.StatusCode != 405 {
			t.Errorf("%q: %s", head, response.Status)
		}
		conn.Close()
	}
}
