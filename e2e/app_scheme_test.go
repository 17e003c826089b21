package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/session"
)

// TestS673_AnAppInABrowser: Chromium follows the answer to an app by its own scheme: the
// policy of the page lets it.
func TestS673_AnAppInABrowser(t *testing.T) {
	const back = "com.example.app:/callback"
	pool := codegranttest.NewPool(t, nil)
	site := pool.App(func(config codegrant.Config) http.Handler {
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := broker.New(broker.Config{
			Auth: auth, Keys: session.RandomKeyring(), Algorithm: "ES256", Resources: []broker.Resource{{URL: config.BaseURL + "/mcp", Name: "Documents", Scopes: []string{"docs/read"}}},
			Clients: []broker.Client{{ID: "app", Name: "App", RedirectURIs: []string{back}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		authority.Mount(mux)
		return mux
	})
	b := browser.New(t)
	b.Open(site + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {back}, "code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("a", 43)},
	}.Encode())
	b.See("Sign in to your account")
	b.Fill("#username", "bob@example.com")
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
	b.See("If you allow it, you continue to: com.example.app:.")
	to, blocked := b.ClickAway("main button[value=allow]")
	if blocked != "" || !strings.HasPrefix(to, back+"?code=") {
		t.Errorf("the browser goes to %s, and is kept from it by %q", to, blocked)
	}
}
