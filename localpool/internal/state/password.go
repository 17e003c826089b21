package state

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

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

func (p *Pool) setPassword(u *User, password string) (err error) {
	u.Password, err = hashPassword(password)
	u.SRP = p.newSRP(u.Username, password)
	return err
}

// checkPolicy is Cognito's default policy with a minimum of the pool's own.
func (p *Pool) checkPolicy(password string) error {
	no := func(what string) error {
		return refuse(InvalidPassword, "Password did not conform with policy: "+what)
	}
	has := func(f func(rune) bool) bool { return strings.ContainsFunc(password, f) }
	switch {
	case len([]rune(password)) < p.PasswordMin:
		return no("Password not long enough")
	case len(password) > 256:
		return no("Password too long")
	case !has(unicode.IsUpper):
		return no("Password must have uppercase characters")
	case !has(unicode.IsLower):
		return no("Password must have lowercase characters")
	case !has(unicode.IsDigit):
		return no("Password must have numeric characters")
	case !has(func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }):
		return no("Password must have symbol characters")
	}
	return nil
}
