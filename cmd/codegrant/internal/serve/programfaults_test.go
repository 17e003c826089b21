package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/webhook"
)

// otherService gives people's tokens, and takes webhooks. Each number is the status of its
// answers; 0: it is well.
type otherService struct {
	url                 string
	token, revoke, hook atomic.Int64
}

func newOtherService(t *testing.T) *otherService {
	t.Helper()
	o := new(otherService)
	answers := func(w http.ResponseWriter, status *atomic.Int64, well string) {
		if s := status.Load(); s != 0 {
			w.WriteHeader(int(s))
			well = `{"error":"invalid_grant"}`
		}
		_, _ = io.WriteString(w, well)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/token":
			answers(w, &o.token, `{"access_token":"theirs","token_type":"bearer","refresh_token":"next","expires_in":1}`)
		case "/revoke":
			answers(w, &o.revoke, "{}")
		case "/hook":
			answers(w, &o.hook, "{}")
		}
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// withPrograms runs a gateway that serves MCP clients, exchanges tokens, hands on tokens of
// another service, and has webhooks sent by a codegrant sync beside it.
func withPrograms(t *testing.T) (*faultGate, *otherService) {
	t.Helper()
	g, other := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}, newOtherService(t)
	g.api("CreateResourceServer", json.RawMessage(fmt.Sprintf(`{"UserPoolId":%q,"Identifier":"orders","Name":"orders","Scopes":[{"ScopeName":"read","ScopeDescription":"r"}]}`, g.pool.PoolID)))
	client := g.api("CreateUserPoolClient", json.RawMessage(fmt.Sprintf(`{"UserPoolId":%q,"ClientName":"x","GenerateSecret":true,"ExplicitAuthFlows":["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"],"AllowedOAuthFlows":["client_credentials"],"AllowedOAuthScopes":["orders/read"],"AllowedOAuthFlowsUserPoolClient":true}`, g.pool.PoolID)))["UserPoolClient"].(map[string]any)
	g.write(fmt.Sprintf(`
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /mcp, scopes: docs/read, upstream: "${UP}", mcp: {tools: {search: {}, "delete_*": {groups: admins}}}}
  - {path: /files, upstream: "${UP}", exchange: {audience: "https://files.example.com", by: token_endpoint, client_id: %[3]q, client_secret: %[4]q}}
  - {path: /refused, upstream: "${UP}", exchange: "https://none.example.com"}
  - {path: /repos, upstream: "${UP}", upstream_oauth: github}
upstream_oauth:
  github: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", revoke_url: "%[1]s/revoke", client_id: c1, client_secret: a-secret-of-ours}
broker: {algorithm: ES256}
webhooks: {crm: {url: "%[1]s/hook", secret: %[5]q}}
ops_listen: %[2]s
`, other.url, g.address, client["ClientId"], client["ClientSecret"], webhook.NewSecret()) + strings.Replace(stored, "replica: true", "replica: {outbox: true}", 1))
	g.writeFile("keys", newSealingKey())
	g.start()
	return g, other
}

// TestFaultsOfProgramsRaiseAlerts: what programs, upstreams and webhooks are not given has an
// operator called, where there is something to do. Each alert is quiet before its fault.
func TestFaultsOfProgramsRaiseAlerts(t *testing.T) {
	t.Parallel()
	g, other := withPrograms(t)
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execute := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	c := g.agreed(alice)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	other.hook.Store(http.StatusServiceUnavailable)
	g.follow(g.pool.URL)
	g.until("messages wait", func() bool {
		return len(evaluate(t, scraped{"", g.metrics(), time.Now()}, "codegrant_webhook_waiting > 0")) > 0
	})

	alerts := alertsOf(t)
	// fault happens until its alert is raised, by nothing that was before.
	fault := func(alert string, happens func()) {
		t.Helper()
		before := g.metrics()
		if got := evaluate(t, scraped{before, before, time.Now()}, alerts[alert]); alerts[alert] == "" || len(got) > 0 {
			t.Fatalf("%s before its fault: %q, %v", alert, alerts[alert], got)
		}
		g.until(alert+" is raised", func() bool {
			happens()
			return len(evaluate(t, scraped{before, g.metrics(), time.Now()}, alerts[alert])) > 0
		})
	}

	g.pool.Fault(localpool.Token, refusing(http.StatusServiceUnavailable))
	fault("CodegrantExchangeFails", func() { bob.Open(g.url + "/files/x") })
	g.pool.Fault(localpool.Token, nil)
	fault("CodegrantExchangeRefused", func() { alice.Open(g.url + "/refused/x") })

	if page := alice.Open(g.url + "/repos/x"); page.Status != http.StatusOK {
		t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	other.token.Store(http.StatusServiceUnavailable)
	fault("CodegrantUpstreamOAuthFails", func() { alice.Open(g.url + "/repos/x") })
	other.token.Store(http.StatusBadRequest)
	fault("CodegrantUpstreamOAuthRefused", func() { alice.Open(g.url + "/repos/x") })
	other.token.Store(0)
	g.until("alice has agreed again", func() bool { return alice.Open(g.url+"/repos/x").Status == http.StatusOK })

	execute("ALTER TABLE codegrant_cupboard RENAME TO away")
	fault("CodegrantBrokerUnavailable", func() { c.renew() })
	execute("ALTER TABLE away RENAME TO codegrant_cupboard")
	first := c.refresh
	g.until("the broker is well again", func() bool { return c.renew() == "" })
	fault("CodegrantBrokerGrantsMisused", func() { c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first}}) })

	other.revoke.Store(http.StatusServiceUnavailable)
	before := g.metrics()
	g.signOut(alice.Client)
	g.raised(before, "CodegrantUpstreamOAuthNotRevoked")

	fault("CodegrantWebhooksLate", func() { execute("UPDATE codegrant_webhooks SET created = 1767225600000") })
	other.hook.Store(http.StatusGone)
	fault("CodegrantWebhooksGivenUp", func() { execute("UPDATE codegrant_webhooks SET due = 0 WHERE died = 0") })
	g.end()
}
