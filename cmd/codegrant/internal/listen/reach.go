package listen

import (
	"context"
	"net"
	"net/http"
	"strings"
)

// Reach returns a client that asks at an address that somebody listens at, as a
// configuration has it, and what to call the host.
func Reach(at string) (client *http.Client, host string) {
	transport := &http.Transport{DisableKeepAlives: true}
	client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return client, "codegrant"
	}
	// One that listens everywhere listens here, too.
	if name, port, err := net.SplitHostPort(at); err == nil && (name == "" || net.ParseIP(name).IsUnspecified()) {
		at = net.JoinHostPort("localhost", port)
	}
	return client, at
}
