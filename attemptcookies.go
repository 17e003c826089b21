package codegrant

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/session"
)

func (in *signIn) attemptPrefix() string { return in.cookieName("__Host-", "request-") }

// attemptCookie is the cookie of the attempt with this state. Path is / because
// the __Host- prefix demands it.
func (in *signIn) attemptCookie(state string) session.Cookie {
	sum := sha256.Sum256([]byte(state))
	return in.attemptCookieNamed(in.attemptPrefix() + state[:min(len(state), 8)] + base64.RawURLEncoding.EncodeToString(sum[:9]))
}

func (in *signIn) attemptCookieNamed(name string) session.Cookie {
	return session.Cookie{Name: name, Path: "/", Secure: in.secure, SameSite: http.SameSiteLaxMode}
}

// attemptPartCookie is that of a further part, which browsers send to the callback alone.
func (in *signIn) attemptPartCookie(state string, i int) session.Cookie {
	c := in.attemptCookie(state)
	c.Name = in.attemptPartPrefix() + strings.TrimPrefix(c.Name, in.attemptPrefix()) + "-" + strconv.Itoa(i)
	if u, err := url.Parse(in.callbackURL()); err == nil && len(u.Path) > 1 {
		c.Path = strings.TrimSuffix(u.Path, "/")
	}
	return c
}

func (in *signIn) attemptPartPrefix() string { return in.cookieName("__Secure-", "part-") }

// setAttempt hands a sealed value to the browser, in as many cookies as it takes. It
// returns what of it goes along with every request.
func (in *signIn) setAttempt(w http.ResponseWriter, state, sealed string) (size int) {
	first := sealed[:min(len(sealed), attemptPart)]
	in.attemptCookie(state).Set(w, first, attemptLifetime)
	rest := sealed[len(first):]
	for i := 1; rest != "" && i < maxAttemptParts; i++ {
		part := rest[:min(len(rest), attemptPart)]
		in.attemptPartCookie(state, i).Set(w, part, attemptLifetime)
		rest = rest[len(part):]
	}
	return len(first)
}

// furtherParts reads, and has the browser forget, what does not fit the first cookie.
func (in *signIn) furtherParts(w http.ResponseWriter, r *http.Request, state string) string {
	var all strings.Builder
	for i := 1; i < maxAttemptParts; i++ {
		cookie := in.attemptPartCookie(state, i)
		values, err := cookie.Values(r)
		if err != nil || len(values) != 1 {
			break
		}
		cookie.Clear(w)
		all.WriteString(values[0])
	}
	return all.String()
}

// rememberAttempt hands the attempt, of which state is the name, to the browser, and takes
// its oldest ones back where they have become too many.
func (in *signIn) rememberAttempt(w http.ResponseWriter, r *http.Request, at attempt, state string) {
	sealed := in.Keys.Seal(attemptPurpose, at.encode(), in.attemptBinding(state))
	size := in.setAttempt(w, state, sealed)

	var pending []*http.Cookie
	count := 1
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, in.attemptPrefix()) {
			pending = append(pending, c)
			count, size = count+1, size+len(c.Value)
		}
	}
	slices.SortFunc(pending, func(x, y *http.Cookie) int { return cmp.Compare(x.Name, y.Name) })
	for _, c := range pending[:min(len(pending), maxCleared)] {
		if count <= maxAttempts && size <= maxAttemptBytes {
			return
		}
		in.attemptCookieNamed(c.Name).Clear(w)
		count, size = count-1, size-len(c.Value)
	}
}

// takeAttempt opens the attempt that the state names, once: a second call with
// the same state gets fault.StateUsed and where the first one was going.
func (in *signIn) takeAttempt(w http.ResponseWriter, r *http.Request, state string) (attempt, error) {
	if state == "" {
		return attempt{}, fault.StateMissing
	}
	cookie := in.attemptCookie(state)
	values, err := cookie.Values(r)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", fault.StateUnknown, err)
	}
	if len(values) == 0 {
		return attempt{}, fault.StateUnknown
	}
	sealed := values[0]
	if len(sealed) == attemptPart {
		sealed += in.furtherParts(w, r, state)
	}
	if done, err := in.Keys.Open(donePurpose, sealed, in.attemptBinding(state)); err == nil {
		if at, err := decodeAttempt(done); err == nil {
			in.setAttempt(w, state, sealed) // for the next time
			return at, fault.StateUsed
		}
	}
	cookie.Clear(w)
	plain, err := in.Keys.Open(attemptPurpose, sealed, in.attemptBinding(state))
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", fault.StateUnknown, err)
	}
	at, err := decodeAttempt(plain)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", fault.StateUnknown, err)
	}
	if subtle.ConstantTimeCompare([]byte(at.state()), []byte(state)) != 1 {
		return attempt{}, fault.StateUnknown
	}
	if age := in.Now().Sub(at.created); age > attemptLifetime || age < -2*clockSkew {
		return at, fault.StateExpired
	}
	if !in.sessions.First(r.Context(), at.secret, at.created.Add(attemptLifetime+2*clockSkew)) {
		return at, fault.StateUsed
	}
	return at, nil
}

// finishAttempt leaves word where the sign-in ended: the same callback may come again,
// from a prefetch before the visit, or with the back button. It opens nothing.
func (in *signIn) finishAttempt(w http.ResponseWriter, state string, at attempt) {
	at.secret = [32]byte{}
	in.setAttempt(w, state, in.Keys.Seal(donePurpose, at.encode(), in.attemptBinding(state)))
}

func (in *signIn) attemptBinding(state string) []byte { return []byte(in.binding + " " + state) }

// clearAttempts forgets every pending sign-in of the browser.
func (in *signIn) clearAttempts(w http.ResponseWriter, r *http.Request) {
	cleared := 0
	for _, c := range r.Cookies() {
		if cleared < maxCleared && strings.HasPrefix(c.Name, in.attemptPrefix()) {
			in.attemptCookieNamed(c.Name).Clear(w)
			cleared++
		}
	}
}
