package e2e

import (
	"os/exec"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestHAProxyWithoutTheGateway: nobody passes, to a public page neither.
func TestHAProxyWithoutTheGateway(t *testing.T) {
	haproxy(t, "") // is it there?
	p := startGateway(t, "haproxy/codegrant.yaml", "haproxy/haproxy.cfg", []string{"haproxy/spoe.conf"}, func(file string) *exec.Cmd { return haproxy(t, file) })
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(p.url+"/", "alice@example.com", codegranttest.Password)
	p.stop()
	for _, path := range []string{"/reports/q3", "/public/x", "/", "/auth/user"} {
		if status, header, got := p.ask(alice, "GET", path, nil); status != 503 || got.Target != "" {
			t.Errorf("%s: %d %v", path, status, header)
		}
	}
}
