package state

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"
)

// The pool keeps two values of a password for the Secure Remote Password protocol: a salt, and
// the hash that the client makes with it. The verifier follows from the hash. Its power takes a
// while, so it is computed on demand. A person with the hash can sign in: it is as safe as the
// file of the state.

// poolName is the part of a pool's id that goes into the hash.
func (p *Pool) poolName() string {
	_, name, _ := strings.Cut(p.ID, "_")
	return name
}

func (p *Pool) newSRP(username, password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	inner := sha256.Sum256([]byte(p.poolName() + username + ":" + password))
	// The salt is a number to clients: without zeros before it, and not negative.
	padded := new(big.Int).SetBytes(salt).Bytes()
	if len(padded) > 0 && padded[0] >= 0x80 {
		padded = append([]byte{0}, padded...)
	}
	x := sha256.Sum256(append(padded, inner[:]...))
	return hex.EncodeToString(salt) + "$" + hex.EncodeToString(x[:])
}

func parseSRP(kept string) (salt, x *big.Int, ok bool) {
	a, b, ok := strings.Cut(kept, "$")
	if !ok {
		return nil, nil, false
	}
	salt, ok1 := new(big.Int).SetString(a, 16)
	x, ok2 := new(big.Int).SetString(b, 16)
	return salt, x, ok1 && ok2
}

// SRP is what a sign-in by the Secure Remote Password protocol begins with.
type SRP struct {
	PoolName string
	UserID   string
	Salt     *big.Int
	Hash     *big.Int // x; of a user who does not exist it fits no password
	Verifier *big.Int // of a device, in the place of Hash; nil: of a user
}

// SRP returns how a user begins to sign in. Of one who does not exist, and of one
// without a password, it makes something up, which is the same each time.
func (s *State) SRP(poolID, name string) (SRP, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return SRP{}, err
	}
	keys, err := s.keysOf(p)
	if err != nil {
		return SRP{}, err
	}
	pretend := func(what string) []byte {
		mac := hmac.New(sha256.New, []byte(keys.ID))
		mac.Write([]byte(what + ":" + p.key(name)))
		return mac.Sum(nil)
	}
	begin := SRP{
		PoolName: p.poolName(), UserID: uuid(pretend("id")),
		Salt: new(big.Int).SetBytes(pretend("salt")[:16]), Hash: new(big.Int).SetBytes(pretend("hash")),
	}
	u := p.user(name)
	if u == nil {
		return begin, nil
	}
	begin.UserID = u.Username
	if salt, x, ok := parseSRP(u.SRP); ok {
		begin.Salt, begin.Hash = salt, x
	}
	return begin, nil
}

// AuthenticateSRP is Authenticate for who has proved to know the password from
// which the hash was made.
func (s *State) AuthenticateSRP(poolID, name string, hash *big.Int, proved bool) (User, error) {
	return s.attempt(poolID, name, func(_, srp string) bool {
		_, x, ok := parseSRP(srp)
		return ok && proved && x.Cmp(hash) == 0
	})
}
