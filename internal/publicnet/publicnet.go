// Package publicnet owns which addresses are somebody's on the internet. Who fetches
// from, or sends to, a URL that others name asks it about each address that is dialed,
// when names have been looked up. It refuses to look anything up, and to dial.
package publicnet

import (
	"net/netip"
	"slices"
	"strings"
)

// special are networks that are nobody's on the internet, or lead to others of them
// (the registries of special-purpose addresses, RFC 6890).
var special = func() (all []netip.Prefix) {
	for _, s := range strings.Fields(`0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
		192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
		2001::/23 2001:db8::/32 2002::/16 3fff::/20`) {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

var (
	unicast = netip.MustParsePrefix("2000::/3") // all of IPv6 that is given out
	shared  = netip.MustParsePrefix("100.64.0.0/10")
)

// Has reports whether an address is one of the internet.
func Has(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.Zone() != "" || addr.Is6() && !unicast.Contains(addr) {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// metadata are services of clouds that answer within private networks, and give credentials:
// AWS and Google Cloud by IPv6, Alibaba Cloud.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"), netip.MustParseAddr("100.100.100.200")}

// IsPrivate reports whether an address is one of a network of one's own: RFC 1918, RFC
// 6598 and RFC 4193. Neither this machine nor what answers on the link alone, such as the
// metadata of a cloud, is.
func IsPrivate(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && addr.Zone() == "" && !slices.Contains(metadata, addr) && (addr.IsPrivate() || shared.Contains(addr))
}
