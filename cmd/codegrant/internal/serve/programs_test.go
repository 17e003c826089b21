package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/upstream"
)

// TestProgramsKeepToConventions: names and help of what is counted of programs are as
// Prometheus has them, and the guide lists them.
func TestProgramsKeepToConventions(t *testing.T) {
	p := newProcess(&settings.Settings{}, nil, nil, nil, nil)
	m := p.metrics.programs
	for _, kind := range broker.EventKinds() {
		m.broker(t.Context(), broker.Event{Kind: kind, Outcome: kind.Outcomes()[0], Took: 1})
	}
	for _, kind := range upstream.EventKinds() {
		m.upstream("github")(t.Context(), upstream.Event{Kind: kind, Outcome: kind.Outcomes()[0], Took: 1})
	}
	m.exchange("/orders")(t.Context(), exchange.Event{Outcome: exchange.Cached, Took: 1})
	registry := prometheus.NewRegistry()
	m.register(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 12 {
		t.Errorf("%d families", len(families))
	}
	page, err := os.ReadFile("../../../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if !strings.Contains(string(page), "`"+family.GetName()) {
			t.Errorf("docs/gateway.md lacks %s", family.GetName())
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// series are those of /metrics whose names begin so, with their values.
func seriesOf(t *testing.T, address string, prefixes ...string) map[string]string {
	t.Helper()
	_, text := operations(t, address, "/metrics")
	found := make(map[string]string)
	for _, prefix := range prefixes {
		for _, m := range regexp.MustCompile(`(?m)^(`+prefix+`[^ ]*) (\S+)$`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "_bucket") && !strings.HasSuffix(strings.Split(m[1], "{")[0], "_sum") {
				found[m[1]] = m[2]
			}
		}
	}
	return found
}

// TestS672_ProgramsAreCounted: what programs and upstreams are given and refused is counted,
// and nothing that happens makes a series that was not there before.
func TestS672_ProgramsAreCounted(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/token":
			answer := `{"access_token":"theirs","token_type":"bearer","refresh_token":"next","expires_in":1}`
			if r.FormValue("grant_type") == "refresh_token" {
				answer = `{"access_token":"theirs","token_type":"bearer","expires_in":3600}`
			}
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(other.Close)
	address := testenv.FreeAddress(t)
	g := newGate(t, fmt.Sprintf(`
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /mcp, scopes: docs/read, upstream: "${UP}", mcp: {tools: {search: {}, "delete_*": {groups: admins}}}}
  - {path: /files, upstream: "${UP}", exchange: {audience: "https://files.example.com", by: gateway}}
  - {path: /repos, upstream: "${UP}", upstream_oauth: github}
exchange_issuer: {algorithm: ES256}
upstream_oauth:
  github: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", revoke_url: "%[1]s/revoke", client_id: c1, client_secret: a-secret-of-ours}
broker: {algorithm: ES256}
ops_listen: %[2]s
`, other.URL, address))
	g.start()
	names := []string{"codegrant_broker_", "codegrant_exchange", "codegrant_upstream_oauth_", "codegrant_mcp_"}
	before := seriesOf(t, address, names...)
	for name, value := range before {
		if value != "0" {
			t.Errorf("%s is %s before the first event", name, value)
		}
	}
	alice := codegranttest.NewBrowser(t)
	c := g.agreed(alice)
	first := c.refresh
	if wrong := c.renew(); wrong != "" {
		t.Fatal(wrong)
	}
	if wrong := c.token(url.Values{"grant_type": {"password"}}); wrong != "unsupported_grant_type" {
		t.Error(wrong)
	}
	if wrong := c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-refresh-token-of-nobody"}}); wrong != "invalid_grant" {
		t.Error(wrong)
	}
	if wrong := c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first}}); wrong != "invalid_grant" {
		t.Error(wrong)
	}
	r, err := http.Post(g.url+"/oauth/register", "application/json", strings.NewReader(`{"redirect_uris":["https://elsewhere.example.net/cb"]}`))
	if wrong := read(t, r, err).Error; wrong != "invalid_redirect_uri" {
		t.Error(wrong)
	}
	for range 3 {
		if page := alice.Open(g.url + "/files/x"); page.Status != 200 {
			t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
		}
	}
	if page := alice.Open(g.url + "/repos/x"); page.Status != 200 {
		t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	after := seriesOf(t, address, names...)
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s was not there before", name)
		}
	}
	for name, want := range map[string]string{
		`codegrant_broker_tokens_total{grant="code",outcome="issued"}`:                    "1",
		`codegrant_broker_tokens_total{grant="refresh",outcome="issued"}`:                 "1",
		`codegrant_broker_tokens_total{grant="refresh",outcome="invalid_grant"}`:          "2",
		`codegrant_broker_tokens_total{grant="other",outcome="unsupported_grant_type"}`:   "1",
		`codegrant_broker_registrations_total{outcome="registered"}`:                      "1",
		`codegrant_broker_registrations_total{outcome="invalid_redirect_uri"}`:            "1",
		`codegrant_broker_documents_total{outcome="fetched"}`:                             "0",
		`codegrant_broker_document_duration_seconds_count`:                                "0",
		`codegrant_broker_consents_total{outcome="asked"}`:                                "1",
		`codegrant_broker_consents_total{outcome="given"}`:                                "1",
		`codegrant_broker_grants_ended_total{reason="used_twice"}`:                        "1",
		`codegrant_broker_grants_ended_total{reason="withdrawn"}`:                         "0",
		`codegrant_exchanges_total{outcome="exchanged",route="/files"}`:                   "1",
		`codegrant_exchanges_total{outcome="cached",route="/files"}`:                      "2",
		`codegrant_exchange_duration_seconds_count{route="/files"}`:                       "1",
		`codegrant_upstream_oauth_consents_total{outcome="asked",upstream="github"}`:      "1",
		`codegrant_upstream_oauth_consents_total{outcome="given",upstream="github"}`:      "1",
		`codegrant_upstream_oauth_refreshes_total{outcome="refreshed",upstream="github"}`: "1",
		`codegrant_upstream_oauth_refresh_duration_seconds_count{upstream="github"}`:      "1",
		`codegrant_upstream_oauth_revocations_total{outcome="failed",upstream="github"}`:  "0",
		`codegrant_mcp_calls_total{decision="forbidden",route="/mcp",tool="delete_*"}`:    "0",
		`codegrant_mcp_calls_total{decision="forbidden",route="/mcp",tool="none"}`:        "0",
	} {
		if after[name] != want {
			t.Errorf("%s is %q, want %s", name, after[name], want)
		}
	}
	if t.Failed() {
		t.Log(after)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
