package rule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/codegrant/codegrant"
)

// Networks allows requests from some networks, such as 10.0.0.0/8, or single addresses.
// client says where a request comes from; where it reports false, the request is
// refused. Behind the gateway that is gateway.ClientAddress.
func Networks(networks []string, client func(*http.Request) (netip.Addr, bool)) (codegrant.Permission, error) {
	p := &within{client: client, name: strings.Join(networks, " or ")}
	var faults []error
	for _, text := range networks {
		network, err := prefixOf(text)
		if err != nil {
			faults = append(faults, err)
		}
		p.networks = append(p.networks, network)
	}
	if len(networks) == 0 {
		faults = append(faults, errors.New("it has no network: nobody would be allowed"))
	}
	if client == nil {
		faults = append(faults, errors.New("nothing says where a request comes from"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

func prefixOf(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		network = netip.PrefixFrom(address, address.BitLen())
	}
	switch {
	case network.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q: write it as an IPv4 address", text)
	case network != network.Masked():
		return netip.Prefix{}, fmt.Errorf("%q is an address within a network: write %s for the network, or the address alone", text, network.Masked())
	}
	return network, nil
}

type within struct {
	networks []netip.Prefix
	name     string
	client   func(*http.Request) (netip.Addr, bool)
}

// Check implements [codegrant.Permission].
func (p *within) Check(ctx context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
	return id != nil && p.Why(ctx, id, r) == "", nil
}

// String implements [codegrant.Permission].
func (p *within) String() string { return "network " + p.name }

// Why says what is wrong with where a request comes from; empty where that is allowed.
func (p *within) Why(_ context.Context, _ *codegrant.Identity, r *http.Request) string {
	unknown := "it is not known where the request comes from: have the proxy say so in X-Forwarded-For"
	if r == nil {
		return unknown
	}
	address, ok := p.client(r)
	if !ok || !address.IsValid() {
		return unknown
	}
	address = address.Unmap().WithZone("")
	for _, network := range p.networks {
		if network.Contains(address) {
			return ""
		}
	}
	return "the request comes from another network"
}
