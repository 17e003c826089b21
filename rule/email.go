package rule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/codegrant/codegrant"
)

// Emails allows people by the e-mail address that the pool has verified. Addresses are
// whole ones; domains such as example.com are the domain itself, and *.example.com all
// below it. One match is enough. Domains are compared as DNS does, in any case and in
// either form of an international name; what stands before the @, byte for byte.
//
// Access tokens say no address: as a bearer token, an ID token alone does.
func Emails(addresses, domains []string) (codegrant.Permission, error) {
	p := &emails{addresses: make(map[string]bool), domains: make(map[string]bool)}
	var faults []error
	for _, address := range addresses {
		local, domain, ok := cutAddress(address)
		if !ok {
			faults = append(faults, fmt.Errorf("%q is not an e-mail address such as alice@example.com", address))
		}
		p.addresses[local+"@"+domain] = true
	}
	for _, name := range domains {
		rest, below := strings.CutPrefix(name, "*.")
		domain, ok := domainOf(rest)
		if !ok {
			faults = append(faults, fmt.Errorf("%q is not a domain such as example.com, or *.example.com for all below it", name))
		}
		if below {
			p.below = append(p.below, "."+domain)
		} else {
			p.domains[domain] = true
		}
	}
	if len(addresses)+len(domains) == 0 {
		faults = append(faults, errors.New("it has neither addresses nor domains: nobody would be allowed"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if n := len(addresses); n > 0 {
		p.name = fmt.Sprintf("%d that are listed", n)
	}
	for _, domain := range domains {
		if p.name != "" {
			p.name += " or "
		}
		p.name += domain
	}
	return p, nil
}

type emails struct {
	addresses, domains map[string]bool
	below              []string // each with a dot in front
	name               string
}

// Check implements [codegrant.Permission].
func (p *emails) Check(ctx context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
	return p.Why(ctx, id, r) == "", nil
}

// String implements [codegrant.Permission]. It counts addresses, and names none: it is in
// the log.
func (p *emails) String() string { return "verified e-mail address of " + p.name }

// Why says what is wrong with somebody's address; empty where it is allowed. It does not
// quote it: reasons go where addresses should not.
func (p *emails) Why(_ context.Context, id *codegrant.Identity, _ *http.Request) string {
	if id == nil || id.Email == "" {
		return "the person's token says no e-mail address"
	}
	if !id.EmailVerified {
		return "the e-mail address is not verified"
	}
	local, domain, ok := cutAddress(id.Email)
	switch {
	case !ok:
		return "the e-mail address is malformed"
	case p.addresses[local+"@"+domain], p.domains[domain]:
		return ""
	}
	for _, end := range p.below {
		if strings.HasSuffix(domain, end) {
			return ""
		}
	}
	return "neither the e-mail address nor its domain is allowed"
}

// cutAddress splits an address, and refuses what two programs could read as two addresses:
// a second @, quotes, comments, blanks, controls.
func cutAddress(address string) (local, domain string, ok bool) {
	local, rest, ok := strings.Cut(address, "@")
	if !ok || local == "" || len(local) > 64 || len(address) > 2048 || strings.ContainsFunc(local, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>[]\`, r)
	}) {
		return "", "", false
	}
	domain, ok = domainOf(rest)
	return local, domain, ok
}

// lookup is how a domain is brought into the form in which the DNS has it.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// domainOf is a domain as A-labels in lower case. One without a dot is none.
func domainOf(name string) (string, bool) {
	domain, err := lookup.ToASCII(name)
	if err != nil || !strings.Contains(domain, ".") || strings.HasSuffix(domain, ".") || domain != strings.ToLower(domain) {
		return "", false
	}
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	return domain, strings.Trim(last, "0123456789") != "" // an IPv4 address is not a domain
}

// AtSignIn has a permission decide who may sign in, as [codegrant.Config.Admit]. There is
// no request then: a permission that looks at one refuses.
func AtSignIn(p codegrant.Permission) func(context.Context, *codegrant.Identity) error {
	return func(ctx context.Context, id *codegrant.Identity) error {
		ok, err := p.Check(ctx, id, nil)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err)
		case ok:
			return nil
		}
		if own, is := p.(interface {
			Why(context.Context, *codegrant.Identity, *http.Request) string
		}); is {
			return fmt.Errorf("needs %s: %s", p, own.Why(ctx, id, nil))
		}
		return fmt.Errorf("needs %s", p)
	}
}
