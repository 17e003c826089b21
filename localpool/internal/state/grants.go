package state

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// Code is an authorization code and what it was issued for.
type Code struct {
	ClientID    string // by which it came
	Username    string
	Sub         string
	RedirectURI string
	Scopes      []string
	Nonce       string
	Challenge   string // S256
	Resource    string
	AuthTime    time.Time
	ACR         string
	AMR         []string
	Origin      string // the browser's session
	Device, IP  string
	expires     time.Time
}

// Session is a browser's session on the login pages, for all app clients of its pool.
type Session struct {
	ID       string
	PoolID   string
	Username string
	Sub      string
	ClientID string // that it began with
	AuthTime time.Time
	Shown    Shown
	Active   time.Time
	Device   string
	IP       string
	expires  time.Time
}

const (
	authorizationCodeLifetime = 5 * time.Minute
	sessionLifetime           = time.Hour // and not extended by use
	maxShortLived             = 10_000

	// LongestSession is how long a browser's session may last in a pool that counts
	// sessions, whatever a client takes.
	LongestSession = 90 * 24 * time.Hour
)

// IssueCode issues an authorization code.
func (s *State) IssueCode(c Code) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.expires = s.now().Add(authorizationCodeLifetime)
	prune(s.codes, func(c Code) bool { return !s.now().Before(c.expires) })
	code := newID()
	s.codes[code] = c
	return code
}

// TakeCode takes a code. It can be taken once, whatever becomes of it.
func (s *State) TakeCode(code string) (Code, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[code]
	delete(s.codes, code)
	return c, ok && s.now().Before(c.expires)
}

// StartSession begins a browser's session, of which PoolID, Username, Sub, ClientID, Shown,
// Device and IP are given, and ID where it goes on with one. It returns its cookie and how
// long a browser is to keep it.
func (s *State) StartSession(x Session) (cookie string, begun Session, lifetime time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prune(s.sessions, func(x Session) bool { return !s.now().Before(x.expires) })
	lifetime = sessionLifetime
	if p, err := s.pool(x.PoolID); err == nil {
		if _, on := p.tracking(); on {
			lifetime = LongestSession
		}
	}
	if x.ID == "" {
		x.ID = "sso" + letters(idLetters, 25)
	}
	x.AuthTime, x.Active, x.expires = s.now(), s.now(), s.now().Add(lifetime)
	cookie = randomToken(32)
	s.sessions[cookie] = x
	return cookie, x, lifetime
}

// Session returns a live session in a pool, of a user who may still sign in, that an app
// client may take over.
func (s *State) Session(cookie string, c Client) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.sessions[cookie]
	if !ok || x.PoolID != c.PoolID || !s.now().Before(x.expires) {
		return Session{}, false
	}
	p, err := s.pool(c.PoolID)
	if err != nil || !s.now().Before(x.AuthTime.Add(p.takeOver(c.ID))) {
		return Session{}, false
	}
	u := p.user(x.Username)
	if u == nil || u.Sub() != x.Sub || !u.Enabled {
		return Session{}, false
	}
	x.Active = s.now()
	s.sessions[cookie] = x
	return x, true
}

// EndSession forgets a browser's session, and returns what it was.
func (s *State) EndSession(cookie string) Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[cookie]
	delete(s.sessions, cookie)
	return x
}

// prune drops what has expired, and anything where that is not enough.
func prune[V any](m map[string]V, expired func(V) bool) {
	if len(m) < maxShortLived/2 {
		return
	}
	for k, v := range m {
		if expired(v) || len(m) >= maxShortLived {
			delete(m, k)
		}
	}
}

// refreshHeader is what a refresh token of Cognito's begins with: it looks like a
// JWE, and clients must not look.
var refreshHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}`))

func newRefreshToken() string {
	var raw [256 + 12 + 900 + 16]byte
	rand.Read(raw[:])
	rest, token := raw[:], make([]byte, 0, 2*len(raw))
	token = append(token, refreshHeader...)
	for _, n := range [...]int{256, 12, 900, 16} {
		token = base64.RawURLEncoding.AppendEncode(append(token, '.'), rest[:n])
		rest = rest[n:]
	}
	return string(token)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Granted is who a refresh token is for, as they are now.
type Granted struct {
	Grant
	User User
}

// NewGrant issues a refresh token to a user who is still there. Family may be one
// that was made before.
func (s *State) NewGrant(c Client, g Grant) (string, Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(c.PoolID)
	if err != nil {
		return "", g, err
	}
	switch u := p.index.subs[g.Sub]; {
	case u == nil:
		return "", g, errNoUser
	case !u.Enabled:
		return "", g, errDisabled
	}
	token := newRefreshToken()
	g.Hash, g.ClientID, g.URL = hashToken(token), c.ID, c.URL
	if g.Family == "" {
		g.Family = newID()
	}
	g.Expires = s.now().Add(c.RefreshTokenValidity)
	s.track(p, &g)
	p.addGrant(&g, s.now())
	return token, g, s.saveLocked()
}

// UseGrant redeems a refresh token. With rotation it also returns the token that
// takes its place, for the rest of its life.
func (s *State) UseGrant(c Client, token string) (granted Granted, rotated string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, g, u, err := s.holder(c, token)
	if err != nil {
		return granted, "", err
	}
	now := s.now()
	if g.Session != "" {
		g.Active = now
	}
	if c.Rotation {
		rotated = newRefreshToken()
		next := *g
		next.Hash, next.Replaced = hashToken(rotated), time.Time{}
		p.addGrant(&next, now)
		if g.Replaced.IsZero() {
			g.Replaced = now.Add(c.RotationGrace)
		}
	}
	return Granted{*g, u.clone()}, rotated, s.saveLocked()
}

// holder finds who may use a refresh token. The caller holds the lock.
func (s *State) holder(c Client, token string) (*Pool, *Grant, *User, error) {
	p, err := s.pool(c.PoolID)
	if err != nil {
		return nil, nil, nil, err
	}
	no := func(kind, message string) (*Pool, *Grant, *User, error) { return nil, nil, nil, refuse(kind, message) }
	now := s.now()
	g := p.grant(token)
	switch {
	case g == nil || g.ClientID != c.ID || g.URL != c.URL:
		return no(NotAuthorized, "Invalid Refresh Token")
	case g.Revoked:
		return no(NotAuthorized, "Refresh Token has been revoked")
	case !now.Before(g.Expires):
		return no(NotAuthorized, "Refresh Token has expired")
	case !g.Replaced.IsZero() && !now.Before(g.Replaced):
		return no("RefreshTokenReuseException", "Refresh Token has been reused")
	}
	u := p.user(g.Username)
	if u == nil || u.Sub() != g.Sub {
		return no(NotAuthorized, "Invalid Refresh Token")
	}
	if !u.Enabled {
		return nil, nil, nil, errDisabled
	}
	return p, g, u, nil
}

// Holder returns who a refresh token is for, without using it.
func (s *State) Holder(c Client, token string) (Granted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, g, u, err := s.holder(c, token)
	if err != nil {
		return Granted{}, err
	}
	return Granted{*g, u.clone()}, nil
}

func (p *Pool) grant(token string) *Grant { return p.index.grants[hashToken(token)] }

// Revoke ends a refresh token and every one of its family; linked: with the session of the
// browser that it came out of, where the pool counts sessions. One that is unknown is no
// error.
func (s *State) Revoke(c Client, token string, linked bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(c.PoolID)
	if err != nil {
		return err
	}
	g := p.grant(token)
	if g == nil {
		return nil
	}
	if g.ClientID != c.ID || g.URL != c.URL {
		return refuse(NotAuthorized, "Invalid Refresh Token")
	}
	p.endFamily(g.Family)
	if _, on := p.tracking(); on && linked {
		s.endBrowser(p.ID, g.Origin)
	}
	return s.saveLocked()
}

// revokeAll ends every grant of a user. The caller holds the lock.
func (s *State) revokeAll(p *Pool, u *User) {
	for _, g := range p.index.holders[u.Sub()] {
		g.Revoked = true
	}
}

// Live reports whether the tokens of a family are still good in the eyes of
// Cognito's own endpoints.
func (s *State) Live(poolID, family, sub string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	revoked := fmt.Errorf("revoked: %w", refuse(NotAuthorized, "Access Token has been revoked"))
	if u := p.index.subs[sub]; u == nil || !u.Enabled {
		return revoked
	}
	for _, g := range p.index.families[family] {
		if g.Revoked {
			return revoked
		}
	}
	return nil
}
