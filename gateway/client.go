package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/hop"
)

// ClientAddress says where a request comes from that a permission of a route is asked
// about: the connection's other end, unless that is a trusted proxy, and then the last
// address in X-Forwarded-For that is none. It reports false where that is not certain: a
// proxy has said nothing, or something else than addresses. Then its own address is not
// taken for the client's.
func ClientAddress(r *http.Request) (netip.Addr, bool) {
	c := callOf(r)
	if c == nil {
		return netip.Addr{}, false
	}
	return c.gateway.clientOf(c.asked)
}

func (g *Gateway) clientOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	client, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	client = client.Unmap().WithZone("")
	if !g.trusts(client) {
		return client, true
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 {
		return netip.Addr{}, false
	}
	for _, item := range slices.Backward(strings.Split(strings.Join(lines, ","), ",")) {
		address, ok := hop.Parse(item)
		if !ok {
			return netip.Addr{}, false
		}
		if client = address; !g.trusts(client) {
			break
		}
	}
	return client, true
}
