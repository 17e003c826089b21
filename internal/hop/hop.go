// Package hop reads one item of X-Forwarded-For, for everybody who asks where a request
// comes from. It refuses to say whom to believe: that is for whoever knows the proxies.
package hop

import (
	"net/netip"
	"strings"
)

// Parse reads an address, which some proxies write with the port (Azure, CloudFront), or
// in brackets. It comes without a zone, and an IPv4 address as one.
func Parse(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if address, err := netip.ParseAddrPort(hop); err == nil {
		return plain(address.Addr()), true
	}
	if inner, ok := strings.CutPrefix(hop, "["); ok && strings.HasSuffix(inner, "]") {
		if hop = strings.TrimSuffix(inner, "]"); !strings.Contains(hop, ":") {
			return netip.Addr{}, false
		}
	}
	address, err := netip.ParseAddr(hop)
	return plain(address), err == nil
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
