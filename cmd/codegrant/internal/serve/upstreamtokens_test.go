package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/upstream"
)

// TestS674_OperatorsEndTokens: an operator sees who has tokens at other services, and no
// token; what they end is handed on no more, and revoked there, or they hear that it is not.
func TestS674_OperatorsEndTokens(t *testing.T) {
	var given, down atomic.Int64
	var mu sync.Mutex
	var revoked []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/token":
			fmt.Fprintf(w, `{"access_token":"theirs-%d","refresh_token":"next-%[1]d","token_type":"bearer","expires_in":3600}`, given.Add(1))
		case "/revoke":
			if down.Load() != 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			revoked = append(revoked, r.FormValue("token"))
		default:
			_, _ = io.WriteString(w, "?")
		}
	}))
	t.Cleanup(other.Close)
	const config = `
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /repos, upstream: "${UP}", upstream_oauth: github}
  - {path: /files, upstream: "${UP}", upstream_oauth: drive}
sessions: database
database: sqlite:app.db
keys_file: keys
upstream_oauth:
  github: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", revoke_url: "%[1]s/revoke", client_id: c1, client_secret: a-secret-of-ours}
  drive: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", client_id: c1, client_secret: a-secret-of-ours}
`
	g := newGate(t, fmt.Sprintf(config, other.URL))
	g.writeFile("keys", newSealingKey())
	g.start()
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	for _, open := range []func(){func() { alice.Open(g.url + "/repos/x") }, func() { bob.Open(g.url + "/repos/x") }, func() { alice.Open(g.url + "/files/x") }} {
		open()
	}
	list := func(args ...string) (all []upstream.Token) {
		t.Helper()
		stdout, stderr, status := say(t, append([]string{"upstream-tokens", "--config", g.config, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(stdout), &all); err != nil || status != 0 {
			t.Fatalf("%d %v %s%s", status, err, stdout, stderr)
		}
		if strings.Contains(stdout, "theirs-") || strings.Contains(stdout, "next-") {
			t.Errorf("a token is printed: %s", stdout)
		}
		return all
	}
	all := list()
	if len(all) != 3 || len(list("--service", "github")) != 2 {
		t.Fatalf("%+v", all)
	}
	var one upstream.Token // alice's at github
	for _, token := range list("--service", "drive") {
		for _, other := range all {
			if other.Subject == token.Subject && other.Upstream == "github" {
				one = other
			}
		}
	}
	if len(list("--user", one.Subject)) != 2 || !one.Renewable || one.Expires.IsZero() || one.SignedInAt.IsZero() {
		t.Fatalf("%+v of %+v", one, all)
	}
	if stdout, _, status := say(t, "upstream-tokens", "--config", g.config); status != 0 || strings.Count(stdout, "\n") != 4 || !strings.Contains(stdout, one.Key) || strings.Contains(stdout, "theirs-") {
		t.Errorf("%d %s", status, stdout)
	}
	stdout, stderr, status := say(t, "upstream-tokens", "end", "--config", g.config, "--", one.Key)
	if status != 0 || stdout != "ended 1 token\n" || !strings.Contains(stderr, "upstream token ended") || !strings.Contains(stderr, "upstream=github") || !strings.Contains(stderr, "sub="+one.Subject) || !strings.Contains(stderr, `reason="operator `) {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	mu.Lock()
	if len(revoked) != 1 || revoked[0] != "next-1" {
		t.Errorf("revoked %q", revoked)
	}
	mu.Unlock()
	asked := func(b *codegranttest.Browser) int { status, _ := g.get(b.Client, "/repos/x"); return status }
	g.until("alice has to agree again", func() bool { return asked(alice) == 403 })
	if status := asked(bob); status != 200 {
		t.Errorf("bob: %d", status)
	}
	if _, stderr, status := say(t, "upstream-tokens", "end", "--config", g.config, "--", one.Key); status == 0 || !strings.Contains(stderr, "there is no token") {
		t.Errorf("once more: %d %s", status, stderr)
	}
	if _, stderr, status := say(t, "upstream-tokens", "end", "--config", g.config); status == 0 || !strings.Contains(stderr, "name a token") {
		t.Errorf("of nobody: %d %s", status, stderr)
	}
	// What cannot be revoked has ended here, and the operator hears that it goes on there.
	if stdout, stderr, status := say(t, "upstream-tokens", "end", "--config", g.config, "--user", one.Subject); status == 0 || stdout != "ended 1 token\n" || !strings.Contains(stderr, "no URL is set for that") {
		t.Errorf("without a way to revoke: %d %s%s", status, stdout, stderr)
	}
	down.Store(1)
	stdout, stderr, status = say(t, "upstream-tokens", "end", "--config", g.config, "--service", "github")
	if status == 0 || stdout != "ended 1 token\n" || !strings.Contains(stderr, "status 503") || strings.Contains(stderr, "next-") {
		t.Errorf("the other service is away: %d %s%s", status, stdout, stderr)
	}
	g.until("bob has to agree again", func() bool { return asked(bob) == 403 })
	if left := list(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
