package state

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// pendingCode is a confirmation code that was sent and not used.
type pendingCode struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
	Tries   int       `json:"tries"`
	// Attribute is where the code was sent, and Value what it was, or is to be.
	Attribute string `json:"attribute,omitempty"`
	Value     string `json:"value,omitempty"`
}

// Message is what Cognito would have sent by e-mail or text.
type Message struct {
	ID       int64
	PoolID   string
	Username string
	Sub      string
	To       string
	Purpose  string // confirm, password, email, phone, invitation, sign-in
	Reason   string // in the words of triggers, such as SignUp
	Code     string
	Sent     time.Time

	// Subject and Text are the pool's words, with marks in the places of the code and the
	// username until the message is delivered. Function is what it was handed to instead.
	Subject  string
	Text     string
	Function string
}

// Mail reports whether the message goes by e-mail.
func (m Message) Mail() bool { return strings.Contains(m.To, "@") }

// The reasons for messages.
const (
	confirmSignUp = "confirm"
	resetPassword = "password"
	verifyEmail   = "email" // an address that was changed
	verifyPhone   = "phone"
	invitation    = "invitation" // the code is a temporary password
	signInCode    = "sign-in"
)

// verifications are the attributes that can be verified, and by which code.
var verifications = map[string]string{"email": verifyEmail, "phone_number": verifyPhone}

const (
	keptMessages = 50
	codeLifetime = 24 * time.Hour // of a sign-up; one hour for a password
	maxTries     = 5
)

// Why messages are sent, in the words of triggers.
const (
	forSignUp         = "SignUp"
	forResending      = "ResendCode"
	forForgotten      = "ForgotPassword"
	forInvitation     = "AdminCreateUser"
	forUpdate         = "UpdateUserAttribute"
	forVerification   = "VerifyUserAttribute"
	forAuthentication = "Authentication"
)

// sendCode sends a code that the user is to send back to one of their addresses. The
// caller holds the lock.
func (s *State) sendCode(p *Pool, u *User, purpose, reason, attribute string) {
	s.sendCodeTo(p, u, purpose, reason, attribute, u.Attributes[attribute])
}

func (s *State) sendCodeTo(p *Pool, u *User, purpose, reason, attribute, to string) {
	// Codes to sign in with have eight digits, others six. (Reports of live pools.)
	most, form := int64(1_000_000), "%06d"
	if purpose == signInCode {
		most, form = 100_000_000, "%08d"
	}
	n, err := rand.Int(rand.Reader, big.NewInt(most))
	if err != nil {
		panic(err) // a broken random source
	}
	lifetime := codeLifetime
	if purpose == resetPassword {
		lifetime = time.Hour
	}
	code := fmt.Sprintf(form, n)
	if u.Pending == nil {
		u.Pending = make(map[string]pendingCode)
	}
	u.Pending[purpose] = pendingCode{Code: code, Expires: s.now().Add(lifetime), Attribute: attribute, Value: to}
	s.send(p, u, purpose, reason, code, to)
}

// send puts a message into the outbox. It is delivered, and in the log, when the change is
// saved and the functions were asked that have a say in it. The caller holds the lock.
func (s *State) send(p *Pool, u *User, purpose, reason, code, to string) {
	s.lastMessage++
	m := Message{ID: s.lastMessage, PoolID: p.ID, Username: u.Username, Sub: u.Sub(), To: to, Purpose: purpose, Reason: reason, Code: code, Sent: s.now()}
	m.Subject, m.Text = p.words(m)
	s.outbox = append(s.outbox, m)
}

// Delivery is where a code was sent: an attribute, and its value. Its zero value is
// nowhere.
type Delivery struct{ Attribute, To string }

// Confirming is where the code was sent that a new user confirms themselves by.
func (u User) Confirming() Delivery {
	c := u.Pending[confirmSignUp]
	return Delivery{c.Attribute, c.Value}
}

// verifying is the address of a new user that a code is sent to: the phone number, where
// the pool verifies both.
func (p *Pool) verifying(attributes map[string]string) string {
	for _, name := range []string{"phone_number", "email"} {
		if attributes[name] != "" && slices.Contains(p.rules.AutoVerifiedAttributes, name) {
			return name
		}
	}
	return ""
}

// recovering is the address that a user who has forgotten the password gets a code at.
// Where the pool does not say, it is the phone number, or else the e-mail address. Where it
// says, it is none that a code of the user's second factor goes to.
func (p *Pool) recovering(u *User) (string, error) {
	mechanisms := slices.Clone(p.rules.AccountRecoverySetting.RecoveryMechanisms)
	slices.SortFunc(mechanisms, func(a, b recoveryMechanism) int { return a.Priority - b.Priority })
	legacy := len(mechanisms) == 0
	if legacy {
		mechanisms = []recoveryMechanism{{1, "verified_phone_number"}, {2, "verified_email"}}
	}
	for _, m := range mechanisms {
		if m.Name == "admin_only" {
			return "", errAdminOnly
		}
		if name, ok := strings.CutPrefix(m.Name, "verified_"); ok && u.Attributes[name] != "" && isVerified(u.Attributes, name) && (legacy || !p.isFactor(u, name)) {
			return name, nil
		}
	}
	return "", refuse(InvalidParameter, "Cannot reset password for the user as there is no registered/verified email or phone_number")
}

// isFactor reports whether a second factor of a user is a code to an address.
func (p *Pool) isFactor(u *User, address string) bool {
	if p.mfa() == MFAOff {
		return false
	}
	for factor, to := range byCode {
		// The pool may require it of everybody. Unconfirmed: "recovery by the address of a code that the pool requires".
		if to == address && p.sends(factor) && (u.MFA[factor].On || slices.Contains(p.factorsOf(u), factor)) {
			return true
		}
	}
	return false
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
