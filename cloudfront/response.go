package cloudfront

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// setCookies adds cookies to a response and keeps shared caches away from it.
func setCookies(h http.Header, cookies []*http.Cookie) {
	for _, c := range cookies {
		h.Add("Set-Cookie", c.String())
	}
	control := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	if !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
		h.Add("Cache-Control", "private")
	}
	if !httpguts.HeaderValuesContainsToken(h["Vary"], "Cookie") {
		h.Add("Vary", "Cookie")
	}
}

func isCookie(name string) bool {
	switch name {
	case policyCookie, expiresCookie, signatureCookie, keyPairCookie, hashCookie, markerCookie:
		return true
	}
	return false
}

// Owns reports whether cookies of this name are given here. They are for CloudFront: what
// forwards requests to others takes them out.
func (c *Cookies) Owns(name string) bool { return isCookie(name) }

// dropCookies takes back what was set on this response before, so that it never sets and clears a cookie.
func dropCookies(h http.Header) {
	lines := slices.DeleteFunc(h.Values("Set-Cookie"), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return isCookie(name)
	})
	if len(lines) == 0 {
		h.Del("Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}
