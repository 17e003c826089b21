package state

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"

	"fmt"
	"strings"
	"unicode"
)

// The state is a developer's own. Passwords are hashed so that the file can be
// looked at, not so that it could be published: the count is kept low, for tests.
const iterations = 2000

// dummyPassword costs those who ask for nobody as much as others.
var dummyPassword = mustHash("nobody's password")

func mustHash(password string) string {
	h, err := hashPassword(password)
	if err != nil {
		panic(err)
	}
	return h
}

func hashPassword(password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	enc := base64.RawStdEncoding
	return enc.EncodeToString(salt) + "$" + enc.EncodeToString(sum), nil
}

func checkPassword(hashed, password string) bool {
	if check := foreign(hashed); check != nil {
		return check(password)
	}
	enc := base64.RawStdEncoding
	saltText, sumText, ok := strings.Cut(hashed, "$")
	salt, err1 := enc.DecodeString(saltText)
	want, err2 := enc.DecodeString(sumText)
	if !ok || err1 != nil || err2 != nil {
		return false
	}
	got, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}

// setPassword keeps those of before that the pool's history holds against a new one.
func (p *Pool) setPassword(u *User, password string) (err error) {
	if size := p.rules.Policies.PasswordPolicy.PasswordHistorySize; size > 0 && u.Password != "" {
		u.Passwords = append([]string{u.Password}, u.Passwords...)
		u.Passwords = slices.Clone(u.Passwords[:min(size, len(u.Passwords))])
	}
	u.Password, err = hashPassword(password)
	u.SRP = p.newSRP(u.Username, password)
	return err
}

// PasswordPolicy is what a pool asks of passwords.
type PasswordPolicy struct {
	MinimumLength                 int
	RequireUppercase              bool
	RequireLowercase              bool
	RequireNumbers                bool
	RequireSymbols                bool
	PasswordHistorySize           int
	TemporaryPasswordValidityDays *int
}

// temporaryPassword is how long a temporary password works. Then an administrator has to
// invite again.
func (p *Pool) temporaryPassword() time.Duration {
	days := 7
	if d := p.rules.Policies.PasswordPolicy.TemporaryPasswordValidityDays; d != nil && *d > 0 {
		days = *d
	}
	return time.Duration(days) * 24 * time.Hour
}

// symbols are what counts as one (AWS, developer guide, password requirements). A space
// counts inside a password.
const symbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- "

// checkPolicy holds a password to the pool's policy.
func (p *Pool) checkPolicy(password string) error {
	no := func(what string) error {
		return refuse(InvalidPassword, "Password did not conform with policy: "+what)
	}
	policy := p.rules.Policies.PasswordPolicy
	has := func(f func(rune) bool) bool { return strings.ContainsFunc(password, f) }
	switch {
	case len([]rune(password)) < policy.MinimumLength:
		return no("Password not long enough")
	case len(password) > 256:
		return no("Password too long")
	case policy.RequireUppercase && !has(unicode.IsUpper):
		return no("Password must have uppercase characters")
	case policy.RequireLowercase && !has(unicode.IsLower):
		return no("Password must have lowercase characters")
	case policy.RequireNumbers && !has(unicode.IsDigit):
		return no("Password must have numeric characters")
	case policy.RequireSymbols && !has(func(r rune) bool { return strings.ContainsRune(symbols, r) }):
		return no("Password must have symbol characters")
	}
	return nil
}

// checkNew holds a user's new password to the policy and to those of before.
func (p *Pool) checkNew(u *User, password string) error {
	if err := p.checkPolicy(password); err != nil {
		return err
	}
	size := p.rules.Policies.PasswordPolicy.PasswordHistorySize
	if size == 0 {
		return nil
	}
	for i, before := range append([]string{u.Password}, u.Passwords...) {
		if i < size && checkPassword(before, password) {
			return refuse(PasswordHistory, "Password has previously been used")
		}
	}
	return nil
}
