package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestS202_StrayHeadersInQuestions: a question about a request that names another target or
// method is refused, whoever asks, whatever names the request, and where no routes are: the
// proxy would send the request on as it is.
func TestS202_StrayHeadersInQuestions(t *testing.T) {
	distrusting := func(c *gateway.Config, _ *codegrant.Config) { c.TrustedProxies = nil }
	for _, site := range []struct {
		what    string
		site    *site
		trusted bool
		routes  bool
	}{
		{"with routes", newSite(t, usual(), nil), true, true},
		{"with routes, of a stranger", newSite(t, usual(), distrusting), false, true},
		{"without routes", newSite(t, nil, nil), true, false},
		{"without routes, of a stranger", newSite(t, nil, distrusting), false, false},
	} {
		s := site.site
		host := strings.TrimPrefix(s.url, "http://")
		alice := s.signIn("/auth/login", "alice@example.com").Client
		for _, question := range []struct {
			what, path string
			named      map[string]string
			asks       bool // there is an answer other than 403
		}{
			{"nothing named", "/auth/check", nil, !site.routes},
			{"nginx", "/auth/check", asked("nginx", "GET", host, "/rest"), site.trusted},
			{"caddy", "/auth/check", asked("caddy", "GET", host, "/rest"), site.trusted},
			{"below the endpoint", "/auth/check/rest", nil, site.trusted || !site.routes},
		} {
			ask := func(more ...string) int {
				header := merge(map[string]string{}, more...)
				for name, value := range question.named {
					header[name] = value
				}
				r, _ := s.ask(alice, "GET", question.path, header)
				return r.StatusCode
			}
			if status := ask("X-Mine", "1"); (status == 200) != question.asks {
				t.Errorf("%s, %s: %d", site.what, question.what, status)
			}
			for _, name := range []string{
				"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Path", "X-Rewrite-Url", "X-Rewrite-Anything", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Path",
				"X-Envoy-Original-Path", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Http-Path-Override", "X-Http-Destinationurl", "X-Proxy-Url", "Proxy", "Request-Uri",
			} {
				for _, spelling := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", "~", 1)} {
					if _, isNamed := question.named[http.CanonicalHeaderKey(spelling)]; isNamed {
						continue
					}
					if status := ask(spelling, "/reports"); status != 403 {
						t.Errorf("%s, %s, with %s: %d", site.what, question.what, spelling, status)
					}
				}
			}
		}
		if !site.trusted && !site.routes && !strings.Contains(s.log.String(), "names something else; have the proxy remove it before it asks, or list it in pass_headers of the route; if it is your proxy, list it among the trusted ones") {
			t.Errorf("%s: the log does not say what to do", site.what)
		}
	}
}
