package codegrant

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// MethodSharedTokens is the method of identities that the cookies of
// [Config.InsecureSharedTokensDomain] proved.
const MethodSharedTokens Method = "shared tokens"

// carried keeps sign-ins in the browser alone: the cookies are the session, and
// nothing on the server knows of it.
type carried struct {
	carrier
	refreshes *sharedFlights
	people    *generations[int64]    // rows of the replica, by the ID tokens that it has seen
	ended     *generations[struct{}] // refresh tokens that were signed out here
}

// maxCookie is what browsers keep of one cookie, name and value together (RFC
// 6265bis, section 5.6).
const maxCookie = 4096

var (
	errTokenTooLarge = errors.New("a token is too large for a cookie")
	errPanic         = errors.New("internal fault")
)

// carrier is a way to put tokens in cookies.
type carrier interface {
	// read returns the tokens of a request, or none, and when the browser was last
	// seen with them, or zero where the cookies do not tell.
	read(*http.Request) (cognito.TokenSet, time.Time, error)
	// write hands tokens to the browser, all or none.
	write(w http.ResponseWriter, tokens cognito.TokenSet, lifetime time.Duration) error
	clear(http.ResponseWriter)
	owns(name string) bool
	method() Method
}

func newCarried(c carrier, now func() time.Time) *carried {
	return &carried{
		carrier: c, refreshes: newSharedFlights(now), people: newGenerations[int64](), ended: newGenerations[struct{}](),
	}
}

// sharedTokens are the cookies of [Config.InsecureSharedTokensDomain], which every
// sibling backend, in whatever language, finds tokens in.
type sharedTokens struct{ access, id, refresh session.Cookie }

func newSharedTokens(s *settings) *sharedTokens {
	cookie := func(name string) session.Cookie {
		return session.Cookie{Name: name, Domain: s.InsecureSharedTokensDomain, Path: "/", Secure: s.secure, SameSite: s.cookie.SameSite}
	}
	return &sharedTokens{access: cookie("access_token"), id: cookie("id_token"), refresh: cookie("refresh_token")}
}

func (s *sharedTokens) method() Method { return MethodSharedTokens }

func (s *sharedTokens) owns(name string) bool {
	return slices.ContainsFunc(s.cookies(), func(c session.Cookie) bool { return c.Name == name })
}

func (s *sharedTokens) cookies() []session.Cookie {
	return []session.Cookie{s.access, s.id, s.refresh}
}

func (s *sharedTokens) read(r *http.Request) (tokens cognito.TokenSet, seen time.Time, err error) {
	for i, into := range [...]*cognito.Secret{&tokens.AccessToken, &tokens.IDToken, &tokens.RefreshToken} {
		cookie := s.cookies()[i]
		values, err := cookie.Values(r)
		if err != nil {
			return cognito.TokenSet{}, seen, err
		}
		for _, value := range values {
			// A cookie of the same name on another path or domain. Which of the
			// two the siblings mean cannot be known.
			if *into != "" && into.Reveal() != value {
				return cognito.TokenSet{}, seen, ErrAmbiguousCookie
			}
			*into = cognito.Secret(value)
		}
	}
	return tokens, seen, nil
}

func (s *sharedTokens) write(w http.ResponseWriter, tokens cognito.TokenSet, lifetime time.Duration) error {
	values := [...]cognito.Secret{tokens.AccessToken, tokens.IDToken, tokens.RefreshToken}
	for i, cookie := range s.cookies() {
		if size := len(cookie.Name) + len(values[i]); size > maxCookie {
			return fmt.Errorf("%w: %s has %d bytes and browsers keep %d; have the pool put fewer groups or attributes in it, or share a session store instead",
				errTokenTooLarge, cookie.Name, size, maxCookie)
		}
	}
	for i, cookie := range s.cookies() {
		if values[i] == "" {
			cookie.Clear(w)
			continue
		}
		cookie.Set(w, values[i].Reveal(), lifetime)
	}
	return nil
}

// clear takes the tokens back, also those that something planted for this host
// alone.
func (s *sharedTokens) clear(w http.ResponseWriter) {
	for _, cookie := range s.cookies() {
		cookie.Clear(w)
		cookie.Domain = ""
		cookie.Clear(w)
	}
}

// carriedOf is the authenticator of tokens in cookies: both tokens verified,
// refreshed where they no longer do, the person in the replica.
func (a *Auth) carriedOf(w http.ResponseWriter, r *http.Request) (*live, error) {
	held, seen, err := a.shared.read(r)
	if err != nil {
		if errors.Is(err, ErrAmbiguousCookie) {
			a.shared.clear(w)
		}
		return nil, err
	}
	if held == (cognito.TokenSet{}) || a.shared.hasEnded(held) {
		return nil, nil
	}
	ctx, now := r.Context(), a.Now()
	if !seen.IsZero() && now.Sub(seen) >= a.IdleTimeout {
		a.shared.clear(w)
		return nil, nil
	}
	p, claims, err := a.verifyTokens(ctx, held, verify.IDExpectations{})
	if err != nil && isUnavailable(err) {
		return nil, err
	}
	if err != nil || !now.Before(p.identity.Expires.Add(-a.leewayOf(p))) {
		f := a.refreshShared(ctx, held)
		if isUnavailable(f.err) && f.tokens.RefreshToken != "" && f.tokens.RefreshToken != held.RefreshToken {
			// Rotated: the browser is the only place that the new one has.
			held = f.tokens
			if err := a.shared.write(w, held, a.AbsoluteTimeout); err != nil {
				return nil, unavailable("hand out a rotated token", err)
			}
		}
		switch {
		case f.err == nil && err == nil && f.payload.identity.Subject != p.identity.Subject:
			// One of the cookies was planted. What verifies by itself counts.
			a.audit(ctx, slog.LevelWarn, "shared refresh token is another person's", slog.String("sub", p.identity.Subject))
		case f.err == nil && a.shared.hasEnded(f.tokens):
			return nil, nil // signed out while this request was under way
		case f.err == nil:
			if err := a.shared.write(w, f.tokens, a.sharedLifetime(f.payload)); err != nil {
				return nil, unavailable("hand out refreshed tokens", err)
			}
			p, claims, held, seen = f.payload, f.claims, f.tokens, now
		case err == nil && now.Before(p.identity.Expires):
			// Not yet needed.
		case isUnavailable(f.err):
			return nil, f.err
		default:
			// The cookies stay: a sibling may have refreshed at the same moment,
			// and clearing would race with the tokens that it hands out.
			a.audit(ctx, slog.LevelInfo, "shared tokens refused", slog.String("reason", errors.Join(err, f.err).Error()))
			return nil, nil
		}
	}
	if a.sharedLifetime(p) <= 0 {
		a.shared.clear(w)
		a.audit(ctx, slog.LevelInfo, "shared sign-in ended", slog.String("sub", p.identity.Subject), slog.String("reason", "its absolute lifetime is over"))
		return nil, nil
	}
	if !seen.IsZero() && now.Sub(seen) >= a.IdleTimeout/10 {
		if err := a.shared.write(w, held, a.sharedLifetime(p)); err != nil {
			return nil, unavailable("move the idle end of a session", err)
		}
	}
	own := *p // refreshed ones are shared by the requests that waited for them
	own.identity.Method = a.shared.method()
	if own.identity.UserID, err = a.sharedPerson(ctx, &own, held, claims); err != nil {
		if errors.Is(err, ErrUserDisabled) {
			a.shared.clear(w)
		}
		if !isUnavailable(err) { // of which whoever answers tells
			a.audit(ctx, slog.LevelWarn, "request refused", slog.String("sub", own.identity.Subject), slog.String("reason", err.Error()))
		}
		return nil, err
	}
	own.identity.tokens = func() (cognito.Secret, cognito.Secret) { return held.IDToken, held.AccessToken }
	return &live{payload: &own}, nil
}

// sharedLifetime is what is left of the absolute lifetime, which counts from the
// moment that the person last proved who they are.
func (a *Auth) sharedLifetime(p *payload) time.Duration {
	if p.identity.AuthTime.IsZero() {
		return a.AbsoluteTimeout
	}
	return p.identity.AuthTime.Add(a.AbsoluteTimeout).Sub(a.Now())
}

// sharedPerson has the application and the replica hear of people who signed in at
// a sibling, once for each of their ID tokens.
func (a *Auth) sharedPerson(ctx context.Context, p *payload, tokens cognito.TokenSet, claims *verify.Claims) (int64, error) {
	// Of a session in cookies of ours it was asked when they signed in, here.
	ask := a.Admit != nil && a.shared.method() == MethodSharedTokens
	if !ask && a.Replica == nil {
		return 0, nil
	}
	key := digestOf(tokens.IDToken)
	if id, ok := a.shared.people.get(key); ok {
		return id, nil
	}
	if ask {
		if err := a.admit(ctx, p); err != nil {
			return 0, err
		}
	}
	if a.Replica == nil {
		a.shared.people.put(key, 0)
		return 0, nil
	}
	snapshot := a.snapshot(claims)
	snapshot.Entering = true
	change, err := a.Replica.Apply(ctx, snapshot)
	if err != nil {
		return 0, replicaFault("update the replica", err)
	}
	a.accounts.saw(change.User)
	if !change.User.Enabled {
		return 0, ErrUserDisabled
	}
	a.shared.people.put(key, change.User.ID)
	return change.User.ID, nil
}

// refreshShared renews a token set, once however many requests carry it, and
// remembers the outcome for those that are still to come with the old cookies.
func (a *Auth) refreshShared(ctx context.Context, held cognito.TokenSet) *sharedFlight {
	if held.RefreshToken == "" {
		return &sharedFlight{err: ErrSessionEnded}
	}
	f, leader := a.shared.refreshes.join(digestOf(held.RefreshToken + " " + held.AccessToken))
	if leader {
		a.behind("refresh of shared tokens", func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
			defer cancel()
			f.err = unavailable("refresh the tokens", errPanic) // unless what follows says otherwise
			defer a.shared.refreshes.finish(f)
			ctx, end := a.work(ctx, WorkRefresh)
			defer func() { end(f.err) }()
			f.tokens, f.payload, f.claims, f.err = a.renewShared(ctx, held)
		})
	}
	wait, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	select {
	case <-f.done:
		return f
	case <-wait.Done():
		return &sharedFlight{err: unavailable("refresh the tokens", wait.Err())}
	}
}

// renewShared returns tokens with an error where the pool has rotated the refresh
// token and the others do not verify yet: those that were held, and the new one.
func (a *Auth) renewShared(ctx context.Context, held cognito.TokenSet) (cognito.TokenSet, *payload, *verify.Claims, error) {
	tokens, err := a.client.Refresh(ctx, held.RefreshToken)
	switch {
	case errors.Is(err, cognito.ErrInvalidGrant):
		return tokens, nil, nil, fmt.Errorf("%w: the pool refused to refresh: %w", ErrSessionEnded, err)
	case err != nil:
		return tokens, nil, nil, noVerdict("refresh the tokens", err)
	}
	if tokens.RefreshToken == "" {
		tokens.RefreshToken = held.RefreshToken
	}
	p, claims, err := a.verifyIssued(ctx, tokens, verify.IDExpectations{})
	if err != nil && ourFault(err) {
		held.RefreshToken = tokens.RefreshToken
		return held, nil, nil, noVerdict("verify the refreshed tokens", err)
	}
	return tokens, p, claims, err
}

// endShared has the pool revoke the refresh token of a request's shared cookies,
// for everybody on the domain.
func (a *Auth) endShared(ctx context.Context, r *http.Request) []*live {
	if a.shared == nil {
		return nil
	}
	held, _, err := a.shared.read(r)
	if err != nil || held.RefreshToken == "" {
		return nil
	}
	a.shared.ended.put(digestOf(held.RefreshToken), struct{}{})
	l := &live{payload: &payload{tokens: tokenPart{refresh: held.RefreshToken}}}
	if p, _, err := a.verifyTokens(ctx, held, verify.IDExpectations{}); err == nil {
		l.identity.Subject = p.identity.Subject // for the log
	}
	return []*live{l}
}

// sharedFlights holds the refreshes of shared tokens, under way and recent, by a
// digest of the tokens that they renew.
type sharedFlights struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[[sha256.Size]byte]*sharedFlight
}

type sharedFlight struct {
	done    chan struct{}
	tokens  cognito.TokenSet
	payload *payload
	claims  *verify.Claims // of the ID token
	err     error
	until   time.Time // zero while under way
}

const (
	maxSharedFlights = 1 << 13
	// How long a browser may take to present the cookies that a refresh handed
	// out, and for how long a refused refresh token is not tried again.
	sharedRemembered = time.Minute
)

func newSharedFlights(now func() time.Time) *sharedFlights {
	return &sharedFlights{now: now, by: make(map[[sha256.Size]byte]*sharedFlight)}
}

func (s *sharedFlights) join(key [sha256.Size]byte) (_ *sharedFlight, leader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if f, ok := s.by[key]; ok && (f.until.IsZero() || now.Before(f.until)) {
		return f, false
	}
	if len(s.by) >= maxSharedFlights {
		for k, f := range s.by {
			if !f.until.IsZero() && !now.Before(f.until) {
				delete(s.by, k)
			}
		}
		if len(s.by) >= maxSharedFlights {
			clear(s.by) // those under way go on for whoever waits
		}
	}
	f := &sharedFlight{done: make(chan struct{})}
	s.by[key] = f
	return f, true
}

func (s *sharedFlights) finish(f *sharedFlight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := sharedRemembered
	if f.err != nil && isUnavailable(f.err) {
		keep = firstBackoff
	}
	f.until = s.now().Add(keep)
	close(f.done)
}

// hasEnded reports whether the tokens were signed out in this process, whatever a
// request that was under way, or a copy of the cookies, still carries.
func (s *carried) hasEnded(tokens cognito.TokenSet) bool {
	_, ended := s.ended.get(digestOf(tokens.RefreshToken))
	return ended && tokens.RefreshToken != ""
}

func digestOf(token cognito.Secret) [sha256.Size]byte {
	return sha256.Sum256([]byte(token.Reveal()))
}

// generations is a bounded map by digest: when its young half is full that becomes
// the old half, and what was old is forgotten.
type generations[V any] struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]V
}

const generation = 1 << 13

func newGenerations[V any]() *generations[V] {
	return &generations[V]{young: make(map[[sha256.Size]byte]V)}
}

func (g *generations[V]) get(key [sha256.Size]byte) (V, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, ok := g.young[key]
	if !ok {
		if v, ok = g.old[key]; ok {
			g.putLocked(key, v)
		}
	}
	return v, ok
}

func (g *generations[V]) put(key [sha256.Size]byte, value V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.putLocked(key, value)
}

func (g *generations[V]) putLocked(key [sha256.Size]byte, value V) {
	if len(g.young) >= generation {
		g.young, g.old = make(map[[sha256.Size]byte]V), g.young
	}
	g.young[key] = value
}
