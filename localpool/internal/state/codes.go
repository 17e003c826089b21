package state

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"time"
)

// pendingCode is a confirmation code that was sent and not used.
type pendingCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
	Tries   int       `json:"tries"`
}

// Message is what Cognito would have sent by e-mail or text.
type Message struct {
	PoolID   string
	Username string
	To       string
	Purpose  string // confirm, password, email, phone, invitation
	Code     string
	Sent     time.Time
}

// What messages are sent for.
const (
	confirmSignUp = "confirm"
	resetPassword = "password"
	verifyEmail   = "email" // an address that was changed
	verifyPhone   = "phone"
	invitation    = "invitation" // the code is a temporary password
)

// verifications are the attributes that can be verified, and by which code.
var verifications = map[string]string{"email": verifyEmail, "phone_number": verifyPhone}

const (
	keptMessages = 50
	codeLifetime = 24 * time.Hour // of a sign-up; one hour for a password
	maxTries     = 5
)

// sendCode sends a code that the user is to send back. The caller holds the lock.
func (s *State) sendCode(p *Pool, u *User, purpose string) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // a broken random source
	}
	lifetime := codeLifetime
	if purpose == resetPassword {
		lifetime = time.Hour
	}
	code := fmt.Sprintf("%06d", n)
	if u.Pending == nil {
		u.Pending = make(map[string]pendingCode)
	}
	u.Pending[purpose] = pendingCode{Code: code, Expires: s.now().Add(lifetime)}
	s.send(p, u, purpose, code)
}

// send puts a message into the outbox and the log. The caller holds the lock.
func (s *State) send(p *Pool, u *User, purpose, code string) {
	to := u.Attributes["email"]
	if purpose == verifyPhone {
		to = u.Attributes["phone_number"]
	}
	m := Message{PoolID: p.ID, Username: u.Username, To: to, Purpose: purpose, Code: code, Sent: s.now()}
	s.outbox = append(s.outbox, m)
	if len(s.outbox) > keptMessages {
		s.outbox = slices.Clone(s.outbox[len(s.outbox)-keptMessages:])
	}
	s.logger.Info("code that Cognito would send", slog.String("to", m.To), slog.String("for", purpose), slog.String("code", m.Code))
}

// useCode takes a code once. The caller holds the lock.
func (s *State) useCode(u *User, purpose, code string) error {
	pending, ok := u.Pending[purpose]
	switch {
	case !ok:
		return refuse(ExpiredCode, "Invalid code provided, please request a code again.")
	case s.now().After(pending.Expires):
		return refuse(ExpiredCode, "Invalid code provided, please request a code again.")
	case pending.Tries >= maxTries:
		return refuse(LimitExceeded, "Attempt limit exceeded, please try after some time.")
	case subtle.ConstantTimeCompare([]byte(pending.Code), []byte(code)) != 1:
		pending.Tries++
		u.Pending[purpose] = pending
		return refuse(CodeMismatch, "Invalid verification code provided, please try again.")
	}
	delete(u.Pending, purpose)
	return nil
}

// Messages lists what was sent last, the latest first.
func (s *State) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.outbox)
	slices.Reverse(out)
	return out
}
