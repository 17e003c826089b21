package cloudfront

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	defaultLifetime = 30 * time.Minute
	minLifetime     = time.Minute
	maxLifetime     = 24 * time.Hour
)

// Config is what [New] needs. Exactly one of Domain, Domains and HostOnly is set.
type Config struct {
	// Keys sign, required. The first one, the newest, signs; cookies signed by the others stay until half of
	// their life is gone. List two during a rotation, while the key group trusts both.
	Keys []Key

	// Hash is the algorithm of the signatures. Zero: [SHA1], CloudFront's own default.
	Hash Hash

	// Resources are what signed-in users may load, at least one. A request gets cookies for those resources
	// whose host is below its cookie domain.
	Resources []Resource

	// Lifetime is how long the cookies give access, from 1 minute to 24 hours, and by that the time for which a
	// copy of them outlives a sign-out. They never outlive the session. Zero: 30 minutes.
	Lifetime time.Duration

	// Domain is the Domain attribute of the cookies: the closest domain above both the application and the
	// hosts of the resources. A dot at its beginning is ignored. A public suffix is refused.
	Domain string

	// Domains lists what the cookie domain may be taken from where one application serves several domains:
	// registrable domains ("a.example": all of its hosts) and single hosts ("boards.b.example"). The cookies
	// of a request get the registrable domain of its host by the public suffix list. Requests for other hosts
	// get none.
	Domains []string

	// HostOnly sets cookies without a domain, for CloudFront in front of application and files alike.
	HostOnly bool

	// SameSite of the cookies: Lax, Strict or None. Zero: Lax. Files on a subdomain of the page's site get the
	// cookies whichever it is.
	SameSite http.SameSite

	// SignedIn says for whom a request is made and when that session ends, which the zero time has long done;
	// required. False means "nobody", and takes the cookies away, so answer requests whose session could not be
	// looked up before they come here.
	SignedIn func(*http.Request) (subject string, expires time.Time, ok bool)

	// ClientIP, if set, binds the cookies to the address that it returns, which must be the one that CloudFront
	// sees. Signatures are then no longer shared between users, people whose address changes lose access until
	// their next request to the application, and the distribution must be served over IPv4 alone. Nil: no binding.
	ClientIP func(*http.Request) netip.Addr

	// OnError gets requests by signed-in users that got no cookies, and why: [ErrHost], [ErrAddress], [ErrSegment], or
	// what a foreign signer returned. The request continues in any case. Nil: nobody gets them.
	OnError func(*http.Request, error)

	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Cookies issues and clears the cookies of one configuration. Methods may be called concurrently.
type Cookies struct {
	keys     []Key
	hash     Hash
	lifetime time.Duration
	sameSite http.SameSite
	domain   domainRule
	plans    map[string]plan // by cookie domain
	signedIn func(*http.Request) (string, time.Time, bool)
	clientIP func(*http.Request) netip.Addr
	onError  func(*http.Request, error)
	now      func() time.Time
	signed   signatures
}

// New checks the configuration and reports all its faults in one error, each with the field it concerns. They
// wrap [ErrKey], [ErrResource] and [ErrDomain].
func New(cfg Config) (*Cookies, error) {
	c := &Cookies{
		keys: slices.Clone(cfg.Keys), hash: cfg.Hash, lifetime: cfg.Lifetime, sameSite: cfg.SameSite,
		signedIn: cfg.SignedIn, clientIP: cfg.ClientIP, onError: cfg.OnError, now: cfg.Now,
	}
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, inField(field, fmt.Errorf(format, args...)))
	}

	if len(c.keys) == 0 {
		fault("Keys", "%w: one is needed", ErrKey)
	}
	for i, k := range c.keys {
		field := fmt.Sprintf("Keys[%d]", i)
		if k.signer == nil {
			fault(field, "%w: it is empty; make it with ParseKey, LoadKey or NewKey", ErrKey)
		} else if slices.ContainsFunc(c.keys[:i], func(other Key) bool { return other.id == k.id }) {
			fault(field, "%w: the id %s is used twice", ErrKey, k.id)
		}
	}
	if err := c.hash.check(); err != nil {
		fault("Hash", "%w", err)
	}
	if c.lifetime == 0 {
		c.lifetime = defaultLifetime
	} else if c.lifetime < minLifetime || c.lifetime > maxLifetime {
		fault("Lifetime", "%v is not between %v and %v", c.lifetime, minLifetime, maxLifetime)
	}
	if c.sameSite == 0 {
		c.sameSite = http.SameSiteLaxMode
	} else if c.sameSite < http.SameSiteLaxMode || c.sameSite > http.SameSiteNoneMode {
		fault("SameSite", "choose Lax, Strict or None")
	}
	if c.signedIn == nil {
		fault("SignedIn", "it is missing; say who is signed in")
	}
	if c.now == nil {
		c.now = time.Now
	}

	resources, resourceFaults := newResources(cfg.Resources)
	faults = append(faults, resourceFaults...)
	rule, domainFaults := cfg.domainRule()
	faults = append(faults, domainFaults...)
	c.domain = rule
	if len(resourceFaults) == 0 && len(domainFaults) == 0 {
		plans, planFaults := newPlans(rule, resources)
		faults = append(faults, planFaults...)
		c.plans = plans
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure CloudFront cookies: %w", errors.Join(faults...))
	}
	return c, nil
}

// inField says which field of the configuration an error is about.
func inField(field string, err error) error { return fmt.Errorf("%s: %w", field, err) }

func newResources(configured []Resource) ([]resource, []error) {
	if len(configured) == 0 {
		return nil, []error{inField("Resources", fmt.Errorf("%w: one is needed", ErrResource))}
	}
	var resources []resource
	var faults []error
	for i, r := range configured {
		checked, err := newResource(r)
		if err != nil {
			faults = append(faults, inField(fmt.Sprintf("Resources[%d]", i), err))
		}
		resources = append(resources, checked)
	}
	return resources, faults
}

func (cfg Config) domainRule() (domainRule, []error) {
	domain := strings.TrimPrefix(cfg.Domain, ".")
	switch {
	case cfg.Domain != "" && len(cfg.Domains) == 0 && !cfg.HostOnly:
		if err := checkDomain(domain); err != nil {
			return domainRule{}, []error{inField("Domain", err)}
		}
		return domainRule{fixed: &domain}, nil
	case cfg.Domain == "" && len(cfg.Domains) > 0 && !cfg.HostOnly:
		return newDomainRule(cfg.Domains)
	case cfg.Domain == "" && len(cfg.Domains) == 0 && cfg.HostOnly:
		return domainRule{fixed: new(string)}, nil
	}
	return domainRule{}, []error{inField("Domain", fmt.Errorf("%w: set exactly one of Domain, Domains and HostOnly", ErrDomain))}
}
