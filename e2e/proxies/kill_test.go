package proxies

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/proxytest"
)

// TestS651_AKilledGatewayIsAskedAgain: HAProxy has sent questions to a gateway that is
// killed, and asks them again once there is another one. HAProxy 2.6 may lose a few: it
// gives up questions that wait for a new connection when the last old one ends.
func TestS651_AKilledGatewayIsAskedAgain(t *testing.T) {
	for _, p := range proxytest.All() {
		if p.Example != "HAProxy" || strings.HasPrefix(p.Name, "Debian") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			p.Require(t)
			w := newWorldOn(t, &p, true)
			asked, end := w.visitors()
			more := func() {
				before := asked()
				eventually(t, "forty more are answered", func() bool { return asked() >= before+40 })
			}
			for range 3 * stops(t) {
				more()
				if err := w.gateway.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				w.stop()
				w.launch()
			}
			more()
			if lost := end(); len(lost) > 0 {
				t.Errorf("of %d requests, %d were lost: %.2000q", asked(), len(lost), lost)
			}
		})
	}
}
