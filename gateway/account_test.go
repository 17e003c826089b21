package gateway_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestAccountPages: the handler of a tenant has its paths, and no other; a path that could
// be read as one of them is refused.
func TestAccountPages(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/", Public: true}}, func(g *gateway.Config, c *codegrant.Config) {
		auth, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		g.Tenants = []gateway.Tenant{{Name: "main", Auth: auth, Account: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "account pages at "+r.URL.Path)
		})}}
	})
	for path, want := range map[string]string{
		"/auth/account": "account pages at /auth/account", "/auth/account/": "account pages at /auth/account/", "/auth/account/email": "account pages at /auth/account/email",
		"/auth/accounts": "", "/auth/user/account": "", "/auth/Account": "",
	} {
		response, body := s.ask(http.DefaultClient, http.MethodGet, path, nil)
		if want == "" && response.StatusCode != http.StatusNotFound || want != "" && body != want {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	for _, path := range []string{"/auth/account%2femail", "/auth/x/%2e%2e/account", "/auth//account"} {
		if response, body := s.ask(http.DefaultClient, http.MethodGet, path, nil); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
}
