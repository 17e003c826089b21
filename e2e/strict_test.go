package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/localpool"
)

// TestSameSiteStrict signs in at a pool on another site. Browsers keep a strict
// cookie from every request in a chain of redirects that the other site began, so
// that a redirect to the page would begin the sign-in anew, without end.
func TestSameSiteStrict(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	site := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // the pool stays at 127.0.0.1
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register(site), BaseURL: site, SameSiteStrict: true})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/reports/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, "%s at %s", id.Username, r.URL.RequestURI())
	})))
	handler = mux

	b := browser.New(t)
	b.Open(site + "/reports/q3?year=2026")
	b.See("Sign in to your account")
	b.Fill("#username", "alice@example.com")
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
	b.See("alice at /reports/q3?year=2026")
	if n := pool.Calls(localpool.Token); n != 1 {
		t.Errorf("signed in %d times", n)
	}
}
