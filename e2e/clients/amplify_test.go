package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestAmplify signs in by redirect with Amplify v6 in a browser, from a page of another
// origin than the pool's: what Amplify then does, it does by scripts, which browsers ask
// the pool about first.
func TestAmplify(t *testing.T) {
	testenv.Chromium(t)
	node, folder := javaScript(t)
	bundle := exec.CommandContext(t.Context(), node, filepath.Join("node_modules", "esbuild", "bin", "esbuild"), "amplify.mjs", "--bundle", "--format=iife", "--outfile=amplify.js", "--log-level=error")
	bundle.Dir = folder
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("esbuild: %v\n%s", err, out)
	}
	script, err := os.ReadFile(filepath.Join(folder, "amplify.js"))
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, "") // on https: Amplify knows no other domains
	settings, err := json.Marshal(map[string]string{"pool": poolID, "client": "amplify", "url": w.url, "domain": strings.TrimPrefix(w.url, "https://")})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /amplify.js", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/javascript")
		_, _ = rw.Write(script)
	})
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, `<!doctype html><title>App</title><p id="status">loading</p><button id="in">In</button><button id="again">Again</button><button id="out">Out</button>
<script type="application/json" id="settings">%s</script><script src="/amplify.js"></script>`, settings)
	})
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	home := strings.Replace(app.URL, "127.0.0.1", "localhost", 1) + "/"
	if err := w.pool.RegisterURLs("amplify", home, home); err != nil {
		t.Fatal(err)
	}

	b := browser.New(t, map[string]any{"ignore-certificate-errors": true}) // the pool's is made on the spot
	b.Open(home)
	b.See("signed out")
	b.Click("#in")
	b.Fill("#username", "alice@example.com")
	b.Fill("#password", "Passw0rd!")
	b.Click("form button")
	b.See("signed in: alice alice@example.com admins,analysts")
	b.Click("#again")
	b.See("refreshed: alice")
	b.Click("#out")
	b.See("signed out")
	if n := w.pool.Calls("RevokeToken") + w.pool.Calls("revoke"); n != 1 {
		t.Errorf("the refresh token was revoked %d times", n)
	}
}
