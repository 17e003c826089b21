package state

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// proved remembers which passwords were right, by a hash with a key that is nowhere else, so that
// who signs in again and again, as tests do, waits for the slow hash once. A wrong password, and
// that of nobody, costs what it did.
type proved struct {
	once sync.Once
	key  []byte

	mu   sync.Mutex // guards the field below
	seen map[[sha256.Size]byte]struct{}
}

const maxProved = 10_000

// check is checkPassword.
func (p *proved) check(hashed, password string) bool {
	p.once.Do(func() {
		p.key = make([]byte, 32)
		rand.Read(p.key)
		p.seen = make(map[[sha256.Size]byte]struct{})
	})
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(hashed + "\x00" + password)) // what is kept has no such byte
	sum := [sha256.Size]byte(mac.Sum(nil))
	p.mu.Lock()
	_, known := p.seen[sum]
	p.mu.Unlock()
	if known || !checkPassword(hashed, password) {
		return known
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= maxProved {
		clear(p.seen)
	}
	p.seen[sum] = struct{}{}
	return true
}
