package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestServerPages has a page with htmx and the script of docs/spa.md meet a session that
// ends, and a permission that is missing.
func TestServerPages(t *testing.T) {
	testenv.Chromium(t)
	_, folder := testenv.Node(t, "htmx")
	text, err := os.ReadFile(filepath.Join("..", "docs", "spa.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(string(text), "```js\ndocument.addEventListener(\"htmx:")
	script, _, ok2 := strings.Cut(`document.addEventListener("htmx:`+script, "```")
	if !ok || !ok2 {
		t.Fatal("docs/spa.md has no script for htmx")
	}
	pool := codegranttest.NewPool(t, nil)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register(server.URL), BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("GET /htmx.js", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(folder, "node_modules", "htmx.org", "dist", "htmx.js"))
	}))
	mux.Handle("GET /page", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, `<!doctype html><script src="/htmx.js"></script><script>%s</script>
<p>Page of %s</p><p id="problem"></p><p id="part">nothing yet</p>
<button id="load" hx-get="/part" hx-target="#part">Load</button>
<button id="audit" hx-get="/audit" hx-target="#part">Audit</button>`, script, id.Email)
	})))
	mux.Handle("GET /part", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<b>a part of the page</b>")
	})))
	mux.Handle("GET /audit", auth.Require(codegrant.InGroup("auditors"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	handler = mux

	b := browser.New(t)
	signIn := func() {
		t.Helper()
		b.See("Sign in to your account")
		b.Fill("#username", "bob@example.com")
		b.Fill("#password", codegranttest.Password)
		b.Click("main button")
		b.See("Page of bob@example.com")
	}
	b.Open(server.URL + "/page?tab=2")
	signIn()
	b.Click("#load")
	b.See("a part of the page")
	b.Click("#audit")
	b.See("Not allowed. ")
	if got := b.Text("#part"); got != "a part of the page" {
		t.Errorf("the problem went into the page: %s", got)
	}

	other := b.Tab()
	other.Open(server.URL + "/auth/logout")
	other.See("404 page not found") // of this site, where the sign-out ends
	b.Click("#load")
	signIn()
	if got, want := b.URL(), server.URL+"/page?tab=2"; got != want {
		t.Errorf("the sign-in came back to %s, want %s", got, want)
	}
	b.Click("#load")
	b.See("a part of the page")
}
