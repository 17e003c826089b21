package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/session"
)

// TestConsentInABrowser: the policy of the page lets a browser go on to the client, whatever
// the answer is.
func TestConsentInABrowser(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the client has a code: %v, an error: %s", r.URL.Query().Has("code"), r.URL.Query().Get("error"))
	}))
	t.Cleanup(client.Close)
	site := pool.App(func(config codegrant.Config) http.Handler {
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := broker.New(broker.Config{
			Auth: auth, Keys: session.RandomKeyring(), Algorithm: "ES256", Resources: []broker.Resource{{URL: config.BaseURL + "/mcp", Name: "Documents", Scopes: []string{"docs/read"}}},
			Clients: []broker.Client{{ID: "agent", Name: "Agent", RedirectURIs: []string{client.URL + "/callback"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		authority.Mount(mux)
		return mux
	})
	target := site + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"agent"}, "redirect_uri": {client.URL + "/callback"}, "code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("a", 43)},
	}.Encode()
	b := browser.New(t)
	b.Open(target)
	b.See("Sign in to your account")
	b.Fill("#username", "bob@example.com")
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
	b.See("“Agent” asks to use Documents in your name.")
	b.Screenshot("consent")
	b.Click("main button[value=allow]")
	b.See("the client has a code: true, an error:")
	b.Open(target)
	b.See("Let a program act for you?")
	b.Click("main button[value=deny]")
	b.See("the client has a code: false, an error: access_denied")
}
