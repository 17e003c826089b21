package cloudfront

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// grant is one set that a request is entitled to.
type grant struct {
	target target
	path   string
}

// Middleware gives the cookies to signed-in users whose browsers hold none with enough life left, and takes
// those of this configuration away from requests by nobody, before it calls next. It leaves the
// ResponseWriter alone.
//
// A response that sets cookies is marked "Cache-Control: private" and "Vary: Cookie". Handlers that overwrite
// Cache-Control must not let shared caches store what they send to signed-in users.
func (c *Cookies) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subject, expires, ok := c.signedIn(r); ok {
			if err := c.Grant(w, r, subject, expires); err != nil && c.onError != nil {
				c.onError(r, err)
			}
		} else {
			c.withdraw(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

// Grant does for one response what [Cookies.Middleware] does for all of them: subject has a session that ends at
// expires, and gets every set of cookies that it may have and that its browser does not hold. A sign-in handler
// calls it so that the page it redirects to finds its files. It must be called before the header is written.
//
// The error wraps [ErrHost], [ErrAddress] or [ErrSegment], and the browser then holds none of the cookies, or what a
// foreign signer returned, and the browser keeps what it held.
func (c *Cookies) Grant(w http.ResponseWriter, r *http.Request, subject string, expires time.Time) error {
	domain, ok := c.domain.of(r)
	if !ok {
		return fmt.Errorf("issue CloudFront cookies: %w: %q; add it to Domains", ErrHost, r.Host)
	}
	plan := c.plans[domain]
	sp := newSpan(c.now(), c.lifetime, expires)
	grants, refused, err := c.entitled(r, plan, subject)
	if err != nil || len(grants) == 0 || sp.want <= sp.now {
		c.withdraw(w, r)
		return err
	}

	shown := readCookies(r)
	held := plan.visible && c.holds(shown, grants[0].target, sp)
	if !plan.visible {
		held = c.marks(shown, grants, subject, sp) && c.misplaced(shown, domain) == nil
	}
	if held {
		return nil
	}

	var cookies []*http.Cookie
	first, last := sp.limit, int64(0)
	for _, g := range grants {
		sig, err := c.sign(g.target, sp)
		if err != nil {
			return fmt.Errorf("issue CloudFront cookies: %w", err)
		}
		first, last = min(first, sig.expires), max(last, sig.expires)
		cookies = append(cookies, sig.values.Cookies(c.attributes(domain, g.path))...)
	}
	for _, path := range refused {
		cookies = append(cookies, Values{}.Cookies(c.attributes(domain, path))...)
	}
	if !plan.visible {
		marker := c.mark(c.keys[0].id, grants, subject, first, last)
		cookies = append(cookies, c.attributes(domain, "/").cookie(markerCookie, marker))
		cookies = append(cookies, c.misplaced(shown, domain)...)
	}
	dropCookies(w.Header())
	setCookies(w.Header(), append(c.strays(r, shown, plan, domain), cookies...))
	return nil
}

// Clear takes every cookie of this configuration out of the browser, with the attributes with which it was
// set, and takes back what [Cookies.Middleware] set on the same response. Logout handlers call it, on each
// domain that they serve: a browser removes cookies only for the domain that it asked. Copies made before
// work until their policy ends.
func (c *Cookies) Clear(w http.ResponseWriter, r *http.Request) {
	domain, ok := c.domain.of(r)
	if !ok {
		return
	}
	plan, shown := c.plans[domain], readCookies(r)
	cookies := c.strays(r, shown, plan, domain)
	for _, res := range plan.resources {
		cookies = append(cookies, Values{}.Cookies(c.attributes(domain, res.path))...)
	}
	if !plan.visible || shown.marker != "" {
		cookies = append(cookies, c.attributes(domain, "/").cookie(markerCookie, ""))
	}
	if !plan.visible {
		cookies = append(cookies, c.misplaced(shown, domain)...)
	}
	dropCookies(w.Header())
	setCookies(w.Header(), cookies)
}

// misplaced removes the set that an earlier configuration put on the path "/", where it would be sent along with
// those on the paths of this one.
func (c *Cookies) misplaced(shown presented, domain string) []*http.Cookie {
	if _, known := c.key(shown.values.KeyPairID); !known {
		return nil
	}
	return Values{}.Cookies(c.attributes(domain, "/"))
}

// strays removes sets that an earlier configuration left on another cookie domain above the same host. Browsers
// send both sets then, and CloudFront may judge by the dead one.
func (c *Cookies) strays(r *http.Request, shown presented, p plan, domain string) []*http.Cookie {
	if !shown.twice {
		return nil
	}
	var cookies []*http.Cookie
	for _, other := range append(domainsAbove(requestHost(r)), "") {
		if other == domain {
			continue
		}
		for _, path := range p.paths() {
			cookies = append(cookies, Values{}.Cookies(c.attributes(other, path))...)
		}
	}
	return cookies
}

// withdraw clears the cookies of a request that is entitled to none but shows some.
func (c *Cookies) withdraw(w http.ResponseWriter, r *http.Request) {
	if c.ours(readCookies(r)) {
		c.Clear(w, r)
	}
}

// entitled returns the sets for the request and the cookie paths of those that it is refused.
func (c *Cookies) entitled(r *http.Request, p plan, subject string) (grants []grant, refused []string, err error) {
	var address netip.Prefix
	if c.clientIP != nil {
		ip := c.clientIP(r).Unmap()
		if !ip.Is4() {
			return nil, nil, fmt.Errorf("issue CloudFront cookies: %w: have %s", ErrAddress, ip)
		}
		address = netip.PrefixFrom(ip, 32)
	}
	for _, res := range p.resources {
		if res.allow != nil && !res.allow(r, subject) {
			refused = append(refused, res.path)
			continue
		}
		url, fault := res.resolve(subject)
		if fault != nil {
			err = errors.Join(err, fault)
			continue
		}
		grants = append(grants, grant{target: target{resource: url, address: address}, path: res.path})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("issue CloudFront cookies: %w", err)
	}
	return grants, refused, nil
}

func (c *Cookies) sign(t target, sp span) (signature, error) {
	return c.signed.of(t).get(c.keys[0].id, sp, func() (Values, error) {
		policy := Policy{Resource: t.resource, Expires: time.Unix(sp.want, 0), SourceIP: t.address}
		return c.keys[0].SignPolicy(policy, c.hash)
	})
}

func (c *Cookies) attributes(domain, path string) Attributes {
	return Attributes{Domain: domain, Path: path, SameSite: c.sameSite}
}
