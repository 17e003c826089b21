package e2e

import (
	"os/exec"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestHAProxyAlone: what HAProxy does when nobody answers it.
func TestHAProxyAlone(t *testing.T) {
	haproxy(t, "") // is it there?
	p := startGateway(t, "haproxy/codegrant.yaml", "haproxy/haproxy.cfg", []string{"haproxy/spoe.conf"}, func(file string) *exec.Cmd { return haproxy(t, file) })
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(p.url+"/", "alice@example.com", codegranttest.Password)
	p.stop()
	for _, path := range []string{"/reports/q3", "/public/x", "/"} {
		start := time.Now()
		status, header, _ := p.ask(alice, "GET", path, nil)
		t.Log(path, status, header, time.Since(start))
		if status != 503 {
			t.Errorf("%s without the gateway: %d", path, status)
		}
	}
}
