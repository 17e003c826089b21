package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/localpool"
)

// TestS550_StepUpInABrowser leads a person from a page for everybody to one that asks for a
// level: at a pool that has people prove more, and at two that do not look at what is asked.
func TestS550_StepUpInABrowser(t *testing.T) {
	const email = "alice@example.com"
	chromium := browser.New(t)
	for mode, helps := range map[localpool.StepUp]bool{localpool.StepUpOn: true, localpool.StepUpIgnored: false, localpool.StepUpAbsent: false} {
		t.Run(string(mode), func(t *testing.T) {
			pool := codegranttest.NewPool(t, nil)
			if err := pool.AddAuthenticator(pool.PoolID, email, false); err != nil {
				t.Fatal(err)
			}
			if err := pool.SetStepUp(pool.PoolID, mode); err != nil {
				t.Fatal(err)
			}
			var handler http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			auth, err := codegrant.New(codegrant.Config{Pool: pool.Register(server.URL), BaseURL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, _ := codegrant.From(r.Context())
				fmt.Fprintf(w, "%s at %s with %q", id.Email, r.URL.RequestURI(), id.ACR)
			})
			mux.Handle("/open", auth.Require()(show))
			mux.Handle("/payments", auth.Require(codegrant.MinimumLevel("urn:cognito:loa:3"))(show))
			handler = mux

			b := chromium.Profile(t)
			b.Open(server.URL + "/open")
			b.See("Sign in to your account")
			b.Fill("#username", email)
			b.Fill("#password", codegranttest.Password)
			b.Click("main button")
			b.See("alice@example.com at /open")

			b.Open(server.URL + "/payments?to=bob")
			if helps {
				b.See("authenticator app")
				code, err := pool.AuthenticatorCode(pool.PoolID, email)
				if err != nil {
					t.Fatal(err)
				}
				b.Fill("#code", code)
				b.Click("main button")
				b.See(`alice@example.com at /payments?to=bob with "urn:cognito:loa:4"`)
				return
			}
			// One round, without a loop; and what was there before is there still.
			b.See("Signing in again was not enough")
			if n := pool.Calls(localpool.Token); n != 2 {
				t.Errorf("signed in %d times", n)
			}
			b.Open(server.URL + "/open")
			b.See("alice@example.com at /open")
		})
	}
}
