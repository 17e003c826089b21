package api

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// The challenges that Cognito asks people.
const (
	newPasswordRequired = "NEW_PASSWORD_REQUIRED"
	passwordVerifier    = "PASSWORD_VERIFIER"
	softwareTokenMFA    = state.SoftwareTokenMFA
	mfaSetup            = state.MFASetup
)

// challenge is a sign-in that has begun and asks for more.
type challenge struct {
	name     string
	clientID string
	poolID   string
	sub      string // a new user of the same name is another person
	until    time.Time
	srp      *exchange    // of PASSWORD_VERIFIER, in place of sub
	device   string       // the key that the sign-in began with
	custom   *customRound // of CUSTOM_CHALLENGE, and of a custom sign-in that begins with the password
	first    bool         // the user has shown nothing yet
	progress
	session string // what it is answered by
}

// progress is what a user has shown at a sign-in so far, and the level that it is to reach.
type progress struct {
	shown state.Shown
	level int // zero: any
}

// with is progress with one method more.
func (at progress) with(method string) progress {
	at.shown = at.shown.With(method)
	return at
}

// lifetimeOf is how long a challenge of a client may be answered.
func lifetimeOf(c state.Client) time.Duration { return cmp.Or(c.ChallengeLifetime, sessionLifetime) }

const (
	sessionLifetime = 3 * time.Minute // as in a client that nobody has changed
	maxSessions     = 10_000
)

// sessions are the challenges that were asked and not answered, by what the app is
// to send along with the answer. Anybody can begin one, so the oldest go.
type sessions struct {
	mu    sync.Mutex // guards the fields below
	open  map[string]*challenge
	queue []string // in the order in which they were asked
}

func (s *sessions) start(c challenge, now time.Time, lifetime time.Duration) string {
	b := make([]byte, 99)
	rand.Read(b)
	token := base64.StdEncoding.EncodeToString(b)
	c.until = now.Add(lifetime)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string]*challenge)
	}
	// Expired ones are told apart from unknown ones for a while.
	for len(s.queue) > 0 {
		oldest := s.open[s.queue[0]]
		if oldest != nil && len(s.queue) < maxSessions && now.Before(oldest.until.Add(sessionLifetime)) {
			break
		}
		delete(s.open, s.queue[0])
		s.queue = s.queue[1:]
	}
	s.open[token], s.queue = &c, append(s.queue, token)
	return token
}

// take takes a challenge, of a client where one is named: nobody else can answer it
// meanwhile.
func (s *sessions) take(token, name, clientID string, now time.Time) (challenge, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[token]
	switch {
	case c == nil || (clientID != "" && c.clientID != clientID):
		return challenge{}, unauthorized("Invalid session for the user.")
	case c.name == "":
		return challenge{}, unauthorized("Invalid session for the user, session can only be used once.")
	case c.name != name:
		return challenge{}, unauthorized("Invalid session for the user.")
	case !now.Before(c.until):
		return challenge{}, unauthorized("Invalid session for the user, session is expired.")
	}
	taken := *c
	taken.session = token
	c.name = "" // used
	return taken, nil
}

// latest is the challenge of a user that was asked last and may still be answered; empty
// where there is none.
func (s *sessions) latest(name, clientID, sub string, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range slices.Backward(s.queue) {
		if c := s.open[token]; c != nil && c.name == name && c.clientID == clientID && c.sub == sub && now.Before(c.until) {
			return token
		}
	}
	return ""
}

// poolOf is the pool of a challenge; empty where there is none.
func (s *sessions) poolOf(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.open[token]; c != nil {
		return c.poolID
	}
	return ""
}

// restore lets a challenge that was taken be answered again.
func (s *sessions) restore(token string, c challenge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[token] != nil {
		s.open[token] = &c
	}
}
