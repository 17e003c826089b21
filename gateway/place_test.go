package gateway_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestS229_UpstreamsAreToldTheirPlace: under which port and path a client sees them, as
// the gateway or a trusted proxy knows, and never as a stranger says.
func TestS229_UpstreamsAreToldTheirPlace(t *testing.T) {
	routes := []gateway.Route{
		{Path: "/", Public: true}, {Path: "/app", Public: true, StripPrefix: true}, {Path: "/über uns/", Public: true, StripPrefix: true},
		{Host: "root.example", Public: true, StripPrefix: true},
	}
	for _, trusted := range []bool{true, false} {
		s := newSite(t, routes, func(c *gateway.Config, _ *codegrant.Config) {
			if !trusted {
				c.TrustedProxies = nil
			}
		})
		own := s.url[strings.LastIndexByte(s.url, ':')+1:]
		for _, tt := range []struct {
			path, host   string
			says         map[string]string
			prefix, port string // if what a proxy says counts
			alone        string // port, if it does not
		}{
			{"/x", "", nil, "", own, own}, {"/app/x", "", nil, "/app", own, own}, {"/app", "", nil, "/app", own, own}, {"/%C3%BCber%20uns/x", "", nil, "/%C3%BCber%20uns", own, own},
			{"/x", "app.example.com", nil, "", "80", "80"}, {"/x", "root.example:8080", nil, "", "8080", "8080"}, {"/x", "[::1]", nil, "", "80", "80"}, {"/x", "[::1]:8443", nil, "", "8443", "8443"},
			{"/x", "app.example.com", map[string]string{"X-Forwarded-Proto": "https"}, "", "443", "80"},
			{"/x", "app.example.com", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "www.example.com:8443"}, "", "8443", "80"},
			{"/x", "app.example.com", map[string]string{"X-Forwarded-Port": "8444"}, "", "8444", "80"}, {"/x", "app.example.com", map[string]string{"X-Forwarded-Port": "1;x"}, "", "80", "80"},
			{"/x", "app.example.com", map[string]string{"X-Forwarded-Host": "a.example.com:8445, b.example.com"}, "", "8445", "80"},
			{"/app/x", "app.example.com", map[string]string{"X-Forwarded-Prefix": "/outer/"}, "/outer/app", "80", "80"}, {"/app/x", "app.example.com", map[string]string{"X-Forwarded-Prefix": "//evil.example"}, "/app", "80", "80"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.says {
				r.Header.Set(name, value)
			}
			r.Host = tt.host
			got := s.seenBy(http.DefaultClient, r)
			prefix, port := tt.prefix, tt.port
			if !trusted {
				prefix, port = strings.TrimPrefix(tt.prefix, "/outer"), tt.alone
			}
			if got.Header.Get("X-Forwarded-Prefix") != prefix || len(got.Header["X-Forwarded-Prefix"]) != boolean(prefix != "") || len(got.Header["X-Forwarded-Port"]) != 1 || got.Header.Get("X-Forwarded-Port") != port {
				t.Errorf("%s at %q, %v, trusted %t: prefix %q, port %q; want %q, %q", tt.path, tt.host, tt.says, trusted,
					got.Header["X-Forwarded-Prefix"], got.Header["X-Forwarded-Port"], prefix, port)
			}
		}
	}
}

// TestS229_SaidTwice: of what a trusted proxy says twice, nothing counts.
func TestS229_SaidTwice(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/app", Public: true, StripPrefix: true}}, nil)
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/app/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example.com"
	r.Header["X-Forwarded-Prefix"], r.Header["X-Forwarded-Port"] = []string{"/outer", "/evil"}, []string{"8444", "666"}
	got := s.seenBy(http.DefaultClient, r)
	if !slices.Equal(got.Header["X-Forwarded-Prefix"], []string{"/app"}) || !slices.Equal(got.Header["X-Forwarded-Port"], []string{"80"}) {
		t.Errorf("prefix %q, port %q", got.Header["X-Forwarded-Prefix"], got.Header["X-Forwarded-Port"])
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// seenBy is what the upstream saw of a request.
func (s *site) seenBy(client *http.Client, r *http.Request) (got seen) {
	s.t.Helper()
	response, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d, %v", r.URL, response.StatusCode, err)
	}
	return got
}
