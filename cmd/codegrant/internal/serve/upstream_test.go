package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
)

// TestServeWithUpstreamOAuth: somebody opens a page whose server needs their token of
// another service, agrees there, and comes back; another route gets nothing of it.
func TestServeWithUpstreamOAuth(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/token":
			_, _ = io.WriteString(w, `{"access_token":"theirs","token_type":"bearer"}`)
		}
	}))
	t.Cleanup(other.Close)
	g := newGate(t, fmt.Sprintf(`
upstream_oauth:
  github: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", client_id: c1, client_secret: a-secret-of-ours, scopes: [repo, user]}
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /repos, upstream: "${UP}", upstream_oauth: github}
`, other.URL))
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	for len(g.saw) > 0 {
		<-g.saw
	}
	if status, body := g.get(alice.Client, "/repos/x"); status != 403 || !strings.Contains(body, g.url+"/upstream/github/connect") || len(g.saw) != 0 {
		t.Errorf("a program, before: %d %s", status, body)
	}
	if page := alice.Open(g.url + "/repos/x"); page.Status != 200 || (<-g.saw).Get("Authorization") != "Bearer theirs" {
		t.Errorf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	if status, _ := g.get(alice.Client, "/other"); status != 200 || (<-g.saw).Get("Authorization") != "" {
		t.Errorf("another route: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestS829_ReloadAndStop: a token that the database did not take serves the person after a
// reload, also where that opens the database anew, and a stop waits until it is saved.
func TestS829_ReloadAndStop(t *testing.T) {
	var g *gate
	execute := func(statement string) {
		db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Error(err)
		}
	}
	var given atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authorize":
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/token":
			lasts := 1 // due at once
			if r.FormValue("grant_type") == "refresh_token" {
				execute("CREATE TRIGGER full BEFORE UPDATE ON codegrant_cupboard WHEN NEW.kind = 'upstream-token' BEGIN SELECT RAISE(ABORT, 'full'); END")
				lasts = 3600
			}
			fmt.Fprintf(w, `{"access_token":"theirs-%d","refresh_token":"next-%[1]d","token_type":"bearer","expires_in":%d}`, given.Add(1), lasts)
		}
	}))
	t.Cleanup(other.Close)
	config := fmt.Sprintf(`
upstream_oauth:
  github: {authorize_url: "%[1]s/authorize", token_url: "%[1]s/token", client_id: c1, client_secret: a-secret-of-ours}
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /repos, upstream: "${UP}", upstream_oauth: github}
keys_file: keys
sessions: database
`, other.URL)
	g = newGate(t, config+"database: sqlite:app.db\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	second := func(when string) {
		t.Helper()
		for len(g.saw) > 0 {
			<-g.saw
		}
		if page := alice.Open(g.url + "/repos/x"); page.Status != 200 || len(g.saw) == 0 || (<-g.saw).Get("Authorization") != "Bearer theirs-2" || given.Load() != 2 {
			t.Fatalf("%s: %d %s, %d tokens given\n%s", when, page.Status, page.Body, given.Load(), g.log)
		}
	}
	second("renewed")
	g.logged("upstream token not saved: it is in memory until the store responds")
	g.write(config + "database: {url: \"sqlite:app.db\", max_connections: 5}\n")
	g.logged("new configuration is in use")
	second("after a reload")
	g.stop()
	g.logged("stopping")
	execute("DROP TRIGGER full")
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	g.logged("upstream token saved")
	g.start()
	second("in the next process")
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
