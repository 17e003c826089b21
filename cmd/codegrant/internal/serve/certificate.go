package serve

import (
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
)

// expiresSoon is how long before its end a certificate is warned of: a month of
// automatic renewal leaves that much where it has failed.
const expiresSoon = 21 * 24 * time.Hour

// certificateState is what there is to say of a certificate now; false: there is none.
// Nothing that people ask for needs it, for who has come in has accepted it: a process
// with an expired one is degraded, and no balancer helps by sending people elsewhere.
func certificateState(c *settings.Certificate, now time.Time) (dependency, bool) {
	if c == nil || c.Expires.IsZero() {
		return dependency{}, false
	}
	d := dependency{Name: "certificate", OK: true, Since: now, expires: true}
	at := c.Expires.UTC().Format(time.RFC3339)
	switch left := c.Expires.Sub(now); {
	case left <= 0:
		d.OK, d.Error = false, fmt.Sprintf("the certificate in tls expired at %s; replace its file, which is read again", at)
	case left < expiresSoon:
		d.Warning = fmt.Sprintf("the certificate in tls expires at %s; replace its file, which is read again", at)
	}
	return d, true
}
