package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// startConsole serves a site with a console, whose operators are the admins.
func startConsole(t *testing.T, more string) (site string, pool *codegranttest.Pool) {
	t.Helper()
	pool = codegranttest.NewPool(t, nil)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("the application")) }))
	t.Cleanup(app.Close)
	address := testenv.FreeAddress(t)
	site = "http://" + address
	p := pool.Register(site)
	file := filepath.Join(t.TempDir(), "codegrant.yaml")
	text := fmt.Sprintf(`listen: %s
base_url: %s
pools: [{id: %s, domain: "%s", issuer: "%s", client_id: %s, client_secret: "%s"}]
routes:
  - {path: /, upstream: "%s"}
  - {name: reports, path: /reports, groups: analysts, upstream: "%s"}
database: sqlite:app.db
replica: true
console: {groups: admins}
%s`, address, site, p.ID, p.Domain, p.Issuer, p.ClientID, p.ClientSecret.Reveal(), app.URL, app.URL, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "codegrant", exec.Command(buildCodegrant(t), "serve", "--config", file))
	await(t, site+"/auth/user")
	return site, pool
}

func signInAt(b *browser.Browser, address, email string) {
	b.Open(address)
	b.See("Sign in to your account")
	b.Fill("#username", email)
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
}

// TestConsoleInABrowser: an operator sees the state, which comes up to date by itself, and
// asks what becomes of a request.
func TestConsoleInABrowser(t *testing.T) {
	b := browser.New(t)
	site, _ := startConsole(t, "")
	signInAt(b, site+"/console", "alice@example.com")
	b.See("This page is kept up to date.")
	b.See("keys of pool default")
	b.Screenshot("state")
	b.Click(`nav a[href$="/ask"]`)
	b.See("Nothing is sent anywhere.")
	b.Fill("#who", "alice@example.com")
	b.Fill("#url", "/reports/1")
	b.Click("main button")
	b.See("the person has what is asked for")
	b.Screenshot("verdict")
}
