package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ErrTooManyCookies: the request has more cookies than net/http reads, so ours may be
// missing.
var ErrTooManyCookies = errors.New("too many cookies")

// maxCandidates is how many values of one name are looked at: a sibling host can
// plant cookies beside ours.
const maxCandidates = 4

// Cookie configures a cookie. HttpOnly is always on.
type Cookie struct {
	// Name should begin with __Host-. Browsers then accept a cookie of this name only from
	// this host over https.
	Name string
	// Domain shares the cookie with every host under it. Empty: this host alone.
	Domain string
	// Path defaults to "/".
	Path string
	// Secure sends the cookie only over https. Set it to false only for http://localhost.
	Secure bool
	// SameSite defaults to Lax.
	SameSite http.SameSite
}

// Validate checks that browsers will keep the cookie, and that it fulfils the prefix of its
// name (RFC 6265bis, section 4.1.3).
func (c Cookie) Validate() error {
	if err := (&http.Cookie{Name: c.Name, Value: "x", Path: c.path(), Domain: c.Domain}).Valid(); err != nil {
		return fmt.Errorf("cookie %q: %w", c.Name, err)
	}
	lower := strings.ToLower(c.Name)
	switch {
	case strings.HasPrefix(lower, "__host-") && (!c.Secure || c.Domain != "" || c.path() != "/"):
		return fmt.Errorf("cookie %q: the prefix __Host- needs https, no domain and the path /", c.Name)
	case (strings.HasPrefix(lower, "__secure-") || strings.HasPrefix(lower, "__http-")) && !c.Secure:
		return fmt.Errorf("cookie %q: its prefix needs https", c.Name)
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return fmt.Errorf("cookie %q: SameSite=None needs https", c.Name)
	}
	return nil
}

func (c Cookie) path() string {
	if c.Path == "" {
		return "/"
	}
	return c.Path
}

func (c Cookie) build(value string) *http.Cookie {
	sameSite := c.SameSite
	if sameSite == 0 {
		sameSite = http.SameSiteLaxMode
	}
	return &http.Cookie{
		Name: c.Name, Value: value, Domain: c.Domain, Path: c.path(),
		Secure: c.Secure, HttpOnly: true, SameSite: sameSite,
	}
}

// Set gives a value to the browser for maxAge, in whole seconds, at least one. 0: until the
// browser is closed. The value must be one of this package: base64url.
func (c Cookie) Set(w http.ResponseWriter, value string, maxAge time.Duration) {
	cookie := c.build(value)
	switch {
	case maxAge < 0:
		cookie.MaxAge = -1
	case maxAge > 0:
		cookie.MaxAge = max(1, int(maxAge/time.Second)) // to net/http, 0 is no end
	}
	add(w, cookie)
}

// Clear removes the value from the browser.
func (c Cookie) Clear(w http.ResponseWriter) {
	cookie := c.build("")
	cookie.MaxAge = -1
	add(w, cookie)
}

// add replaces what the response says about the same cookie already, and keeps
// the response out of caches.
func add(w http.ResponseWriter, cookie *http.Cookie) {
	h := w.Header()
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		// To browsers a cookie is its name, domain and path (RFC 6265, section 5.3).
		old, err := http.ParseSetCookie(line)
		if err != nil || old.Name != cookie.Name || old.Domain != strings.TrimPrefix(cookie.Domain, ".") || old.Path != cookie.Path {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
	http.SetCookie(w, cookie)
	h.Set("Cache-Control", "no-store")
}

// Values returns the request's values of the cookie, at most four, in the order sent. It
// returns ErrTooManyCookies if the cookie is there and net/http gave up reading.
func (c Cookie) Values(r *http.Request) ([]string, error) {
	values, err := c.Matching(r, nil, maxCandidates)
	if len(values) > 0 {
		err = nil
	}
	return values, err
}

// Matching returns the different values of the cookie for which wellFormed returns true
// (nil: all), in the order sent. It ignores others, so a planted cookie cannot hide another
// one. If there are more than most values, it returns the first of them and
// ErrTooManyCookies. It also returns ErrTooManyCookies if the cookie is there and net/http
// gave up reading.
func (c Cookie) Matching(r *http.Request, wellFormed func(value string) bool, most int) ([]string, error) {
	var values []string
	read := false
	for _, cookie := range r.CookiesNamed(c.Name) {
		if cookie.Value == "" {
			continue
		}
		read = true
		if wellFormed != nil && (!wellFormed(cookie.Value) || slices.Contains(values, cookie.Value)) {
			continue
		}
		if len(values) == most {
			return values, fmt.Errorf("read cookie %s: %w: more than %d of them could be ours", c.Name, ErrTooManyCookies, most)
		}
		values = append(values, cookie.Value)
	}
	if !read && c.lost(r) {
		return nil, fmt.Errorf("read cookie %s: %w; the browser should delete this site's cookies", c.Name, ErrTooManyCookies)
	}
	return values, nil
}

// lost reports whether the request has a cookie of this name that net/http reads
// by itself but not among the others: beyond a number of cookies it returns none.
func (c Cookie) lost(r *http.Request) bool {
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			if !strings.Contains(part, c.Name) {
				continue
			}
			alone, err := http.ParseCookie(part)
			if err == nil && alone[0].Name == c.Name && alone[0].Value != "" {
				return true
			}
		}
	}
	return false
}
