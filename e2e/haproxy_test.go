package e2e

import (
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// TestHAProxyWithoutTheGateway: nobody passes, to a public page neither.
func TestHAProxyWithoutTheGateway(t *testing.T) {
	p := startGateway(t, proxytest.All()[4])
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(p.url+"/", "alice@example.com", codegranttest.Password)
	p.stop()
	for _, path := range []string{"/reports/q3", "/public/x", "/", "/auth/user"} {
		if status, header, got := p.ask(alice, "GET", path, nil); status != 503 || got.Target != "" {
			t.Errorf("%s: %d %v", path, status, header)
		}
	}
}
