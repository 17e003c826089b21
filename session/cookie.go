package session

import (
	"errors"
	"fmt"
	"net/http"
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
	Name   string
	Domain string // empty: this host alone
	Path   string // empty: "/"
	// Secure is to be false for http://localhost alone.
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
	case strings.HasPrefix(lower, "__secure-") && !c.Secure:
		return fmt.Errorf("cookie %q: the prefix __Secure- needs https", c.Name)
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

// Set hands a value to the browser for as long as maxAge; 0: until it is closed.
func (c Cookie) Set(w http.ResponseWriter, value string, maxAge time.Duration) {
	cookie := c.build(value)
	cookie.MaxAge = int(maxAge / time.Second)
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
		if !strings.HasPrefix(line, cookie.Name+"=") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = kept
	http.SetCookie(w, cookie)
	h.Set("Cache-Control", "no-store")
}

// Values returns what the request carries under the cookie's name, at most four
// values, in the order sent. It returns [ErrTooManyCookies] where net/http gave
// up reading.
func (c Cookie) Values(r *http.Request) ([]string, error) {
	lines := r.Header["Cookie"]
	if len(lines) == 0 {
		return nil, nil
	}
	var values []string
	found := false
	for _, cookie := range r.CookiesNamed(c.Name) {
		found = true
		if cookie.Value != "" && len(values) < maxCandidates {
			values = append(values, cookie.Value)
		}
	}
	if found {
		return values, nil
	}
	for _, line := range lines {
		if strings.Contains(line, c.Name+"=") && len(r.Cookies()) == 0 {
			return nil, fmt.Errorf("read cookie %s: %w; the browser should delete this site's cookies", c.Name, ErrTooManyCookies)
		}
	}
	return nil, nil
}
