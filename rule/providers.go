package rule

import (
	"errors"
	"fmt"
)

// Provider is an identity provider of a pool, by its name or by an identifier of it.
type Provider struct {
	Name       string // identity_provider
	Identifier string // idp_identifier
}

// Providers chooses a provider by the domain of an e-mail address: it is the value of
// [codegrant.Config].ProviderFor. Domains such as example.com are the domain itself,
// compared as DNS does, in either form of an international name. It chooses where somebody
// is asked, and proves nothing: an address that somebody types is not an address of theirs.
func Providers(byDomain map[string]Provider) (func(address string) (name, identifier string), error) {
	known := make(map[string]Provider, len(byDomain))
	var faults []error
	for text, provider := range byDomain {
		domain, ok := domainOf(text)
		_, twice := known[domain]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("%q is not a domain such as example.com", text))
		case twice:
			faults = append(faults, fmt.Errorf("%s is there twice", domain))
		case (provider.Name == "") == (provider.Identifier == ""):
			faults = append(faults, fmt.Errorf("%s: name the identity provider, or an identifier of it, one of the two", text))
		}
		known[domain] = provider
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return func(address string) (string, string) {
		_, domain, ok := cutAddress(address)
		if !ok {
			return "", ""
		}
		provider := known[domain]
		return provider.Name, provider.Identifier
	}, nil
}
