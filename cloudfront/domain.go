package cloudfront

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// domainRule finds the Domain attribute for a request. What the request says of its host only ever selects
// among values that the configuration lists.
type domainRule struct {
	fixed *string           // the same for every request
	sites map[string]bool   // registrable domains, with all their hosts
	hosts map[string]string // single hosts, and the registrable domain of each
}

func newDomainRule(names []string) (domainRule, []error) {
	rule := domainRule{sites: map[string]bool{}, hosts: map[string]string{}}
	var faults []error
	for i, name := range names {
		err := checkDomain(name)
		var site string
		if err == nil {
			site, err = publicsuffix.EffectiveTLDPlusOne(name)
		}
		if err != nil {
			faults = append(faults, inField(fmt.Sprintf("Domains[%d]", i), err))
			continue
		}
		if site == name {
			rule.sites[name] = true
		} else {
			rule.hosts[name] = site
		}
	}
	return rule, faults
}

// of returns the cookie domain for a request; false when its host is not listed.
func (d domainRule) of(r *http.Request) (string, bool) {
	if d.fixed != nil {
		return *d.fixed, true
	}
	host := requestHost(r)
	if site, ok := d.hosts[host]; ok {
		return site, true
	}
	if checkHost(host) != nil {
		return "", false
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	return site, err == nil && d.sites[site]
}

// requestHost returns the host that a request names, without port and in the form of the configuration.
func requestHost(r *http.Request) string {
	host := r.Host
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// domainsAbove returns the cookie domains that a host can set: itself and what is above it, down to the
// registrable domain.
func domainsAbove(host string) []string {
	var domains []string
	for checkDomain(host) == nil {
		domains = append(domains, host)
		_, host, _ = strings.Cut(host, ".")
	}
	return domains
}

// all returns every cookie domain that of can return.
func (d domainRule) all() []string {
	if d.fixed != nil {
		return []string{*d.fixed}
	}
	seen := map[string]bool{}
	var domains []string
	add := func(site string) {
		if !seen[site] {
			seen[site] = true
			domains = append(domains, site)
		}
	}
	for site := range d.sites {
		add(site)
	}
	for _, site := range d.hosts {
		add(site)
	}
	return domains
}

// checkDomain refuses what no browser accepts as a Domain attribute, or should not.
func checkDomain(name string) error {
	if err := checkHost(name); err != nil {
		return fmt.Errorf("%w: %w", ErrDomain, err)
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("%w: %q is an address; cookies are shared under names only", ErrDomain, name)
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		return fmt.Errorf("%w: %q is a public suffix, whose names belong to different owners; name your domain below it", ErrDomain, name)
	}
	return nil
}

// covers says whether cookies of a domain are sent to a host.
func covers(domain, host string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}
