package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// An application that keeps a session of its own outlives ours: one person signs out,
// another one signs in, and the application goes by its cookie. Routes name such cookies.
// The browser keeps a mark beside them that says whose they are; those of somebody else
// are taken back, and do not reach the application even where that fails, because they
// were set for another path or domain.

// markName begins the name of a route's mark.
const markName = "codegrant-for-"

const hostPrefix = "__Host-"

// maxLeftovers is how many cookies a mark remembers that were somebody else's.
const maxLeftovers = 16

func isMark(name string) bool {
	return strings.HasPrefix(strings.TrimPrefix(name, hostPrefix), markName)
}

// markOf is the name of a route's mark.
func (r *route) markOf(t *tenant) (name string, secure bool) {
	name = markName + digest(r.Name)[:8]
	if secure = strings.HasPrefix(t.Auth.Origin(), "https:"); secure {
		name = hostPrefix + name
	}
	return name, secure
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// takeLeftovers notes which cookies of a request are not of the person who asks, and has
// the browser forget them.
func (c *call) takeLeftovers(h http.Header, r *http.Request) {
	if len(c.route.ClearCookies) == 0 {
		return
	}
	name, secure := c.route.markOf(c.tenant)
	mark, marked, present := "", false, []string(nil)
	for pair := range cookiePairs(r.Header["Cookie"]) {
		switch own, value, _ := strings.Cut(pair, "="); {
		case own == name && !marked:
			mark, marked = value, true
		case slices.Contains(c.route.ClearCookies, own):
			present = append(present, pair)
		}
	}
	whose, remembered, _ := strings.Cut(mark, ".")
	var leftovers []string
	if remembered != "" {
		leftovers = strings.Split(remembered, ".")
	}
	leftovers = slices.DeleteFunc(leftovers, func(s string) bool { return len(s) != len(digest()) })
	who := personOf(c.id)
	for _, pair := range present {
		if known := slices.Contains(leftovers, digest(pair)); known || whose != who {
			c.leftover = append(c.leftover, pair)
			if !known {
				leftovers = append([]string{digest(pair)}, leftovers...)
			}
		}
	}
	if whose == who && len(c.leftover) == 0 {
		return
	}
	leftovers = leftovers[:min(len(leftovers), maxLeftovers)]
	h.Set("Cache-Control", "no-store")
	for _, pair := range c.leftover {
		own, _, _ := strings.Cut(pair, "=")
		forget(h, c.route, own)
	}
	cookie := http.Cookie{
		Name: name, Value: strings.Join(append([]string{who}, leftovers...), "."), Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
	if cookie.Value == "" {
		cookie.MaxAge = -1
	}
	h.Add("Set-Cookie", cookie.String())
}

// personOf is empty for nobody.
func personOf(id *codegrant.Identity) string {
	if id == nil {
		return ""
	}
	return digest(id.Issuer, id.Subject)
}

// forget has the browser drop an application's cookie, where it can be told which.
func forget(h http.Header, r *route, name string) {
	paths := []string{"/"}
	if r.prefix != "" {
		paths = append(paths, r.prefix, r.prefix+"/")
	}
	for _, path := range paths {
		cookie := http.Cookie{Name: name, Path: path, MaxAge: -1, Secure: strings.HasPrefix(name, "__")}
		h.Add("Set-Cookie", cookie.String())
	}
}

func cookiePairs(lines []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ";") {
				if part = strings.TrimSpace(part); part != "" && !yield(part) {
					return
				}
			}
		}
	}
}

// withoutPairs removes cookies by name and value.
func withoutPairs(h http.Header, unwanted []string) {
	var kept []string
	for pair := range cookiePairs(h["Cookie"]) {
		if !slices.Contains(unwanted, pair) {
			kept = append(kept, pair)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{strings.Join(kept, "; ")}
}

// signingOut forgets the cookies of applications with a sign-out, and with nothing else
// that its endpoint answers.
type signingOut struct {
	http.ResponseWriter
	gateway *Gateway
	tenant  *tenant
	host    string
	told    bool
}

func (w *signingOut) WriteHeader(status int) {
	if h := w.Header(); !w.told && status >= 200 {
		w.told = true
		if slices.ContainsFunc(h["Set-Cookie"], w.endsSession) {
			for _, r := range w.gateway.table.routes {
				if r.takesHost(w.host) && (r.tenant == nil || r.tenant == w.tenant) {
					for _, name := range r.ClearCookies {
						forget(h, r, name)
					}
				}
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *signingOut) endsSession(line string) bool {
	name, rest, _ := strings.Cut(line, "=")
	return strings.HasPrefix(rest, ";") && w.tenant.Auth.OwnsCookie(name)
}

func (w *signingOut) Write(b []byte) (int, error) {
	if !w.told {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *signingOut) Unwrap() http.ResponseWriter { return w.ResponseWriter }
