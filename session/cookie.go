package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ErrTooManyCookies: the request holds more cookies than net/http reads, so it
// cannot be known whether ours is among them.
var ErrTooManyCookies = errors.New("too many cookies")

// maxCandidates is how many values of one name are looked at: a sibling host can
// plant cookies beside ours.
const maxCandidates = 4

// Cookie says how a value travels. HttpOnly is always on.
type Cookie struct {
	// Name is best begun with __Host-, which has browsers refuse cookies of this
	// name from anywhere but this host over https.
	Name string
	// Domain shares the cookie with every host under it. Empty: this host alone.
	Domain string
	// Path defaults to "/".
	Path string
	// Secure keeps the cookie to https. It must be false for http://localhost
	// alone.
	Secure bool
	// SameSite defaults to Lax.
	SameSite http.SameSite
}

// Validate checks that browsers will keep the cookie, and that a prefix in its
// name tells the truth (RFC 6265bis, section 4.1.3).
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

// Set hands a value to the browser for as long as maxAge, in whole seconds, at
// least one; 0: until it is closed. The value is one of this package's: base64url.
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

// Clear has the browser forget the value.
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

// Values returns what the request carries under the cookie's name, at most four
// values, in the order sent. It returns [ErrTooManyCookies] where the cookie is
// there and net/http gave up reading.
func (c Cookie) Values(r *http.Request) ([]string, error) {
	values, err := c.Matching(r, nil, maxCandidates)
	if len(values) > 0 {
		err = nil
	}
	return values, err
}

// Matching returns the different values under the cookie's name for which wellFormed
// says yes (nil: all), in the order sent. Others do not count: whoever can plant a
// cookie cannot hide another one behind it. Where there are more than most, it returns
// [ErrTooManyCookies] beside the first of them, and so it does where the cookie is
// there and net/http gave up reading.
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
