package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

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
