package cloudfront

import "net/http"

// The names that CloudFront fixes. They rule out the __Host- and __Secure- prefixes.
const (
	policyCookie    = "CloudFront-Policy"
	expiresCookie   = "CloudFront-Expires"
	signatureCookie = "CloudFront-Signature"
	keyPairCookie   = "CloudFront-Key-Pair-Id"
	hashCookie      = "CloudFront-Hash-Algorithm"
)

// Attributes decide which requests carry a set of cookies. Secure and HttpOnly are always set, and no
// lifetime: the cookies go when the browser closes, as CloudFront's guide advises, and their policy ends
// earlier in any case.
type Attributes struct {
	// Domain is the domain whose hosts get the cookies. Empty: only the host that set them.
	Domain string
	// Path is the beginning of the paths that get the cookies. Empty: "/".
	Path string
	// SameSite limits requests that other sites cause. Zero: Lax.
	SameSite http.SameSite
}

// Cookies returns the set as cookies to be added to a response, all of them, always: a cookie that the set does
// without is removed from the browser, so that a canned policy left from before never meets the signature
// of a custom one. The cookies of the zero Values remove the whole set.
func (v Values) Cookies(a Attributes) []*http.Cookie {
	return []*http.Cookie{
		a.cookie(policyCookie, v.Policy),
		a.cookie(expiresCookie, v.Expires),
		a.cookie(signatureCookie, v.Signature),
		a.cookie(keyPairCookie, v.KeyPairID),
		a.cookie(hashCookie, v.Hash),
	}
}

func (a Attributes) cookie(name, value string) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: value,
		Domain: a.Domain, Path: a.Path, SameSite: a.SameSite,
		Secure: true, HttpOnly: true,
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
