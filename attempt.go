package codegrant

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/session"
)

const (
	attemptLifetime = 10 * time.Minute
	// How far the clocks of two processes may be apart without harm.
	clockSkew = 2 * time.Minute
	// All attempts of a browser travel with each of its requests, and proxies
	// refuse cookie headers beyond 8 KB: the oldest give way.
	maxAttempts     = 24
	maxAttemptBytes = 5 << 10
	// No browser of ours has more to take back, and each costs a line of the answer.
	maxCleared     = 2 * maxAttempts
	attemptPurpose = "authorization request"
	attemptVersion = 2
)

// attempt is one authorization request: it lives in a sealed cookie of the
// browser that began it, named after its state, so that tabs do not disturb
// each other and anonymous traffic costs no memory here. State, nonce and code
// verifier are all drawn from one secret.
type attempt struct {
	secret   [32]byte
	created  time.Time
	returnTo string
}

func newAttempt(now time.Time, returnTo string) attempt {
	at := attempt{created: now.Truncate(time.Microsecond), returnTo: returnTo}
	rand.Read(at.secret[:])
	return at
}

func (at attempt) derive(label string) string {
	key, err := hkdf.Key(sha256.New, at.secret[:], nil, "codegrant "+label, 32)
	if err != nil {
		panic(err) // 32 bytes is within HKDF's limit
	}
	return base64.RawURLEncoding.EncodeToString(key)
}

// state begins with the time, so that the oldest of several attempts shows in
// their cookies' names.
func (at attempt) state() string        { return fmt.Sprintf("%08x", at.created.Unix()) + at.derive("state") }
func (at attempt) nonce() string        { return at.derive("nonce") }
func (at attempt) codeVerifier() string { return at.derive("code verifier") }

func (at attempt) encode() []byte {
	b := append([]byte{attemptVersion}, at.secret[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.created.UnixMicro()))
	return append(b, at.returnTo...)
}

func decodeAttempt(b []byte) (attempt, error) {
	var at attempt
	if len(b) < 1+32+8 || b[0] != attemptVersion {
		return at, fmt.Errorf("authorization request of another version")
	}
	copy(at.secret[:], b[1:33])
	at.created = time.UnixMicro(int64(binary.BigEndian.Uint64(b[33:41])))
	at.returnTo = string(b[41:])
	return at, nil
}

func (a *Auth) attemptPrefix() string {
	if a.secure {
		return "__Host-codegrant-request-"
	}
	return "codegrant-request-"
}

// attemptCookie is the cookie of the attempt with this state. Path is / because
// the __Host- prefix demands it.
func (a *Auth) attemptCookie(state string) session.Cookie {
	sum := sha256.Sum256([]byte(state))
	return a.attemptCookieNamed(a.attemptPrefix() + state[:min(len(state), 8)] + base64.RawURLEncoding.EncodeToString(sum[:9]))
}

func (a *Auth) attemptCookieNamed(name string) session.Cookie {
	return session.Cookie{Name: name, Path: "/", Secure: a.secure, SameSite: http.SameSiteLaxMode}
}

// rememberAttempt hands the attempt to the browser, and takes its oldest ones
// back where they have become too many.
func (a *Auth) rememberAttempt(w http.ResponseWriter, r *http.Request, at attempt) {
	state := at.state()
	sealed := a.Keys.Seal(attemptPurpose, at.encode(), a.attemptBinding(state))
	a.attemptCookie(state).Set(w, sealed, attemptLifetime)

	var pending []*http.Cookie
	count, size := 1, len(sealed)
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, a.attemptPrefix()) {
			pending = append(pending, c)
			count, size = count+1, size+len(c.Value)
		}
	}
	slices.SortFunc(pending, func(x, y *http.Cookie) int { return cmp.Compare(x.Name, y.Name) })
	for _, c := range pending[:min(len(pending), maxCleared)] {
		if count <= maxAttempts && size <= maxAttemptBytes {
			return
		}
		a.attemptCookieNamed(c.Name).Clear(w)
		count, size = count-1, size-len(c.Value)
	}
}

// takeAttempt opens the attempt that the state names, once: a second call with
// the same state gets ErrStateUsed and where the first one was going.
func (a *Auth) takeAttempt(w http.ResponseWriter, r *http.Request, state string) (attempt, error) {
	if state == "" {
		return attempt{}, ErrStateMissing
	}
	cookie := a.attemptCookie(state)
	values, err := cookie.Values(r)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", ErrStateUnknown, err)
	}
	if len(values) == 0 {
		return attempt{}, ErrStateUnknown
	}
	cookie.Clear(w)
	plain, err := a.Keys.Open(attemptPurpose, values[0], a.attemptBinding(state))
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", ErrStateUnknown, err)
	}
	at, err := decodeAttempt(plain)
	if err != nil {
		return attempt{}, fmt.Errorf("%w: %w", ErrStateUnknown, err)
	}
	if subtle.ConstantTimeCompare([]byte(at.state()), []byte(state)) != 1 {
		return attempt{}, ErrStateUnknown
	}
	if age := a.Now().Sub(at.created); age > attemptLifetime || age < -2*clockSkew {
		return at, ErrStateExpired
	}
	if !a.sessions.First(r.Context(), at.secret, at.created.Add(attemptLifetime+2*clockSkew)) {
		return at, ErrStateUsed
	}
	return at, nil
}

func (a *Auth) attemptBinding(state string) []byte { return []byte(a.binding + " " + state) }

// clearAttempts forgets every pending sign-in of the browser.
func (a *Auth) clearAttempts(w http.ResponseWriter, r *http.Request) {
	cleared := 0
	for _, c := range r.Cookies() {
		if cleared < maxCleared && strings.HasPrefix(c.Name, a.attemptPrefix()) {
			a.attemptCookieNamed(c.Name).Clear(w)
			cleared++
		}
	}
}
