package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
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
	agents := []string{"kube-probe/1.34", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "GoogleStackdriverMonitoring-UptimeChecks", "Amazon-Route53-Health-Check-Service", "Consul Health Check", "curl/8.0", ""}
	targets := []string{"/x", "/x?ready=1", "/x?health", "/x?healthcheck=true", "/x?token=x&access_token=x&api_key=x", "/x?auth=false&debug=1", "/healthz", "/readyz", "/livez",
		"/health", "/ping", "/ready", "/status", "/metrics", "/debug/pprof/", "/debug/vars", "/favicon.ico", "/robots.txt", "/.well-known/acme-challenge/x"}
	headers := []map[string]string{
		{"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Host": "localhost"},
		{"X-Forwarded-For": "10.0.0.1, 169.254.169.254", "Forwarded": "for=127.0.0.1;host=localhost"},
		{"X-Auth-Subject": "admin", "X-Auth-Groups": "analysts", "X-Remote-User": "admin", "Remote-User": "admin"},
		{"X-Health-Check": "1", "X-Requested-With": "XMLHttpRequest", "Purpose": "prefetch", "Sec-Purpose": "prefetch"},
		{"Origin": "https://evil.example", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"},
	}
	for name, proxies := range map[string][]netip.Prefix{"of a trusted proxy": {netip.MustParsePrefix("127.0.0.0/8")}, "of a stranger": nil} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, usual(), func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = proxies })
			ask := func(method, target, agent string, header map[string]string) {
				t.Helper()
				header = maps.Clone(header)
				header["User-Agent"] = agent
				if r, body := s.ask(http.DefaultClient, method, target, header); r.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s %s with %v: %d: %s", method, target, header, r.StatusCode, body)
				}
			}
			for _, agent := range agents {
				for _, target := range targets {
					ask("GET", target, agent, headers[0])
				}
			}
			for _, header := range headers {
				for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PROPFIND"} {
					for _, target := range []string{"/x", "/reports", "/x?ready=1"} {
						ask(method, target, agents[0], header)
					}
				}
			}
		})
	}
}

// TestS105_UpstreamsAreThoseOfTheConfiguration: nothing in a request chooses where it
// goes, and what an upstream says of another place is for the client.
func TestS105_UpstreamsAreThoseOfTheConfiguration(t *testing.T) {
	elsewhere := upstream(t, func(http.ResponseWriter, *http.Request) { t.Error("another place was asked") })
	moves := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, elsewhere+"/", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "ours")
	}
	one, two := upstream(t, moves), upstream(t, moves)
	t.Run("one", func(t *testing.T) { goesWhereConfigured(t, elsewhere, one) })
	t.Run("one of several", func(t *testing.T) { goesWhereConfigured(t, elsewhere, one, two) })
}

func goesWhereConfigured(t *testing.T, elsewhere string, upstreams ...string) {
	s := newSite(t, public(gateway.Upstream{URLs: upstreams}), nil)
	for _, path := range []string{"/moved", "/moved/x"} {
		r, _ := s.ask(http.DefaultClient, "GET", path, map[string]string{"Authorization": "Bearer x"})
		if r.StatusCode != http.StatusTemporaryRedirect || r.Header.Get("Location") != elsewhere+"/" {
			t.Errorf("%s: %d to %q", path, r.StatusCode, r.Header.Get("Location"))
		}
	}
	other := strings.TrimPrefix(elsewhere, "http://")
	host := strings.TrimPrefix(s.url, "http://")
	for _, tt := range []struct {
		head string
		want int
	}{
		{"GET / HTTP/1.1\r\nHost: " + other, 200}, // a route for every host: the configuration's server answers
		{"GET / HTTP/1.1\r\nHost: 169.254.169.254", 200},
		{"GET " + elsewhere + "/ HTTP/1.1\r\nHost: " + host, 400},
		{"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254", 400},
		{"GET @" + other + "/ HTTP/1.1\r\nHost: " + host, 400},
		{"GET /@" + other + "/ HTTP/1.1\r\nHost: " + host, 200},
		{"GET /" + elsewhere + " HTTP/1.1\r\nHost: " + host, 400},
		{"GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Host: " + other + "\r\nX-Original-Host: " + other + "\r\nForwarded: host=" + other, 200},
		{"GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Original-Url: " + elsewhere + "/\r\nX-Rewrite-Url: " + elsewhere + "/\r\nDestination: " + elsewhere + "/", 200},
		{"CONNECT " + other + " HTTP/1.1\r\nHost: " + other, 400},
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", tt.head)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", tt.head, err)
		}
		if body, _ := io.ReadAll(response.Body); response.StatusCode != tt.want || tt.want == 200 && string(body) != "ours" {
			t.Errorf("%q: %s %q, want %d", tt.head, response.Status, body, tt.want)
		}
		conn.Close()
	}
}
