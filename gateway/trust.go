package gateway

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// errClaimed is a question about a request that could be taken for one that has been let
// through.
var errClaimed = errors.New("the request carries a header that only the gateway may set")

// admitted is what admit found in a request. The names are of headers that it took away,
// which the request has still that a proxy asks about.
type admitted struct {
	trusted bool     // a listed proxy sent it
	claimed []string // that could be taken for the gateway's own
	strays  []string // that name another target or method
}

// admit takes from a request what its sender may not say: headers that could be taken for
// the gateway's own, other spellings of names that mean something, and where the request
// was, or what else it is about, unless a trusted proxy says so.
func (g *Gateway) admit(r *http.Request) admitted {
	a := admitted{trusted: g.fromTrusted(r)}
	for name := range r.Header {
		switch m, plain := g.headers.of(name); {
		case m == unknown:
		case m == own:
			a.claimed = append(a.claimed, name)
			delete(r.Header, name)
		case !plain, !a.trusted && (m == trail || m == elsewhere && !g.table.passed[name]):
			if m == elsewhere {
				a.strays = append(a.strays, name)
			}
			delete(r.Header, name)
		}
	}
	return a
}

// claims are the names of headers that could be taken for the gateway's own.
func (g *Gateway) claims(h http.Header) (claimed []string) {
	for name := range h {
		if g.headers.managed(name) {
			claimed = append(claimed, name)
		}
	}
	return claimed
}

// fromTrusted reports whether a listed proxy sent the request.
func (g *Gateway) fromTrusted(r *http.Request) bool { return g.Trusts(r.RemoteAddr) }

// Trusts reports whether an address, with its port, is one of the trusted proxies: for
// servers of protocols that begin with a connection, before they read what it says.
// [Gateway.CheckOriginal] asks again.
func (g *Gateway) Trusts(address string) bool {
	if len(g.trusted) == 0 {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return g.trusts(ip.Unmap().WithZone(""))
}

func (g *Gateway) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(g.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}
