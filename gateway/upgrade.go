package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A request that becomes another protocol is a tunnel: what goes through it, nobody
// here sees. One such protocol may pass, WebSocket, which is a channel to the one
// resource that was decided on. HTTP/2 (h2c) would be to all of them.

var (
	errUpgrade    = errors.New("the request asks for another protocol than WebSocket")
	errConnection = errors.New("the header Connection names a header that must stay")
	errSwitched   = errors.New("the upstream switched to another protocol than the request asked for")
)

// opensWebSocket reports whether a request is the handshake of a WebSocket (RFC 6455,
// section 4.2.1) and of nothing else.
func opensWebSocket(method string, h http.Header) bool {
	upgrade, key := h["Upgrade"], h["Sec-Websocket-Key"]
	return method == http.MethodGet && len(h["Http2-Settings"]) == 0 &&
		len(upgrade) == 1 && strings.EqualFold(strings.TrimSpace(upgrade[0]), "websocket") &&
		len(key) == 1 && strings.TrimSpace(key[0]) != ""
}

// withoutUpgrade takes from a request whatever it would become but a WebSocket, and
// reports whether it is the handshake of one. A server may take no notice of an upgrade
// (RFC 9110, section 7.8): the request is answered as if it did not ask for one.
func withoutUpgrade(r *http.Request) bool {
	h := r.Header
	if len(h["Upgrade"]) == 0 {
		delete(h, "Http2-Settings")
		return false
	}
	if r.ContentLength == 0 && opensWebSocket(r.Method, h) && httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade") {
		return true
	}
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	return false
}

// switches refuses an answer that makes a tunnel of a request that was not let through
// as a WebSocket. Of one that was, httputil refuses an answer that names another protocol.
func switches(c *call, response *http.Response) error {
	if c.socket {
		return nil
	}
	return fmt.Errorf("%w: %.64q", errSwitched, response.Header.Get("Upgrade"))
}

// carries refuses what a proxy asks about where the proxy, by what the client sent with
// it, would send on something else than was decided on. claimed are the names of headers
// that could be taken for the gateway's own.
func (g *Gateway) carries(method string, h http.Header, claimed []string) error {
	if len(claimed) > 0 {
		return fmt.Errorf("%w: %.64q; the proxy has to remove it before it asks (HAProxy: http-request del-header %.64s)", errClaimed, claimed[0], strings.ToLower(claimed[0]))
	}
	if (len(h["Upgrade"]) > 0 || len(h["Http2-Settings"]) > 0) && !opensWebSocket(method, h) {
		return fmt.Errorf("%w: %.64q", errUpgrade, h.Get("Upgrade"))
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if m, _ := g.headers.of(name); m != unknown && m != wire {
				return fmt.Errorf("%w: %.64q", errConnection, name)
			}
		}
	}
	return nil
}
