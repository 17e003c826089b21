package state

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// ImportUser makes a user of a file. A hash of a password is taken as it is, and becomes
// one of the pool's own at the first sign-in with the password.
func (s *State) ImportUser(poolID string, n NewUser) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, err
	}
	if p.EmailAsUsername {
		if err := p.address(n.Username, n.Attributes); err != nil {
			return User{}, err
		}
	}
	if err := p.checkAttributes(n.Attributes, nil, byAdmin); err != nil {
		return User{}, err
	}
	if err := p.missing(n.Attributes); err != nil {
		return User{}, err
	}
	if other, name := p.holder(nil, n.Attributes); other != nil {
		return User{}, taken(name)
	}
	if n.Hash != "" && foreign(n.Hash) == nil {
		return User{}, refuse(InvalidParameter, "The password hash is not of the job's algorithm.")
	}
	if n.SMSMFA && n.Attributes["phone_number"] == "" {
		return User{}, refuse(InvalidParameter, "cognito:mfa_enabled needs a phone number.")
	}
	u, err := s.addUser(p, n)
	if err != nil {
		return User{}, err
	}
	u.Password = n.Hash
	if n.SMSMFA {
		u.MFA = map[string]Factor{SMSMFA: {On: true}}
	}
	return u.clone(), s.saveLocked()
}

// foreign reads a hash that was made elsewhere, behind the name of its algorithm: what it
// returns checks a password. The limits are AWS's.
func foreign(hash string) func(password string) bool {
	algorithm, text, _ := strings.Cut(hash, ":")
	switch algorithm {
	case "BCRYPT":
		if cost, err := bcrypt.Cost([]byte(text)); err != nil || cost > 12 {
			return nil
		}
		return func(password string) bool {
			return bcrypt.CompareHashAndPassword([]byte(text), []byte(password)) == nil
		}
	case "SCRYPT":
		return foreignScrypt(text)
	case "ARGON2ID":
		return foreignArgon2(text)
	case "PBKDF2_SHA256":
		return foreignPBKDF2(text)
	}
	return nil
}

func same(got, want []byte) bool { return subtle.ConstantTimeCompare(got, want) == 1 }

// foreignScrypt reads N$r$p$hexSalt$hexHash.
func foreignScrypt(text string) func(string) bool {
	parts := strings.Split(text, "$")
	if len(parts) != 5 {
		return nil
	}
	n, err := strconv.Atoi(parts[0])
	salt, err1 := hex.DecodeString(parts[3])
	want, err2 := hex.DecodeString(parts[4])
	if err != nil || err1 != nil || err2 != nil || n < 2 || n > 65536 || n&(n-1) != 0 || parts[1] != "8" || parts[2] != "1" || len(want) == 0 || len(want) > 128 {
		return nil
	}
	return func(password string) bool {
		got, err := scrypt.Key([]byte(password), salt, n, 8, 1, len(want))
		return err == nil && same(got, want)
	}
}

// foreignArgon2 reads $argon2id$v=19$m=…,t=…,p=1$salt$hash.
func foreignArgon2(text string) func(string) bool {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return nil
	}
	var memory, times uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &times, &threads); err != nil {
		return nil
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || memory > 19456 || times < 1 || times > 2 || threads != 1 || len(want) < 4 || len(want) > 128 {
		return nil
	}
	return func(password string) bool {
		return same(argon2.IDKey([]byte(password), salt, times, memory, threads, uint32(len(want))), want)
	}
}

// foreignPBKDF2 reads iterations$salt$hash, or $pbkdf2-sha256$iterations$salt$hash, in
// base64 or hexadecimal digits.
// (Unconfirmed: "the form of PBKDF2 hashes in an import".)
func foreignPBKDF2(text string) func(string) bool {
	for _, prefix := range []string{"$pbkdf2-sha256$", "pbkdf2_sha256$"} {
		text = strings.TrimPrefix(text, prefix)
	}
	parts := strings.Split(strings.TrimPrefix(text, "i="), "$")
	if len(parts) != 3 {
		return nil
	}
	n, err := strconv.Atoi(parts[0])
	salt, want := anyEncoding(parts[1]), anyEncoding(parts[2])
	if err != nil || n < 1 || n > 600000 || salt == nil || len(want) == 0 || len(want) > 128 {
		return nil
	}
	return func(password string) bool {
		got, err := pbkdf2.Key(sha256.New, password, salt, n, len(want))
		return err == nil && same(got, want)
	}
}

func anyEncoding(text string) []byte {
	if b, err := hex.DecodeString(text); err == nil {
		return b
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(text, ".", "+"), "="))
	if err != nil {
		return nil
	}
	return b
}
