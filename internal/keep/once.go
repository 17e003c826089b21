package keep

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/codegrant/codegrant/session"
)

// First reports whether nobody has called it with this secret before, until the time
// given: in this process, and in all that share a store.
func (s *Sessions) First(ctx context.Context, secret [32]byte, until time.Time) bool {
	return s.keeper.First(ctx, secret, until)
}

// First implements [Keeper], for all processes that share the store. A store that cannot
// note it cannot keep a sign-in either, and whoever wants to finds out there.
func (s *Stored) First(ctx context.Context, secret [32]byte, until time.Time) bool {
	if !s.once.first(secret, s.clock(), until) {
		return false
	}
	sum := sha256.Sum256(append([]byte("codegrant once"), secret[:]...))
	id := base64.RawURLEncoding.EncodeToString(sum[:])
	now := s.clock()
	err := s.store.Create(ctx, session.Record{ID: id, Pool: session.OncePool, Subject: id, Created: now, LastSeen: now, Expires: until, Sealed: ended})
	return !errors.Is(err, session.ErrExists)
}

// First implements [Keeper], for this process. In others, and past the bound, a second
// time is still refused by the pool, which redeems a code once.
func (c *carried) First(_ context.Context, secret [32]byte, until time.Time) bool {
	return c.once.first(secret, c.clock(), until)
}

// once remembers what happened until a time, and is bounded.
type once struct {
	mu    sync.Mutex
	seen  map[[32]byte]time.Time
	queue [][32]byte
}

const maxOnce = 1 << 16

func (o *once) first(secret [32]byte, now, until time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) > 0 && (len(o.queue) >= maxOnce || now.After(o.seen[o.queue[0]])) {
		delete(o.seen, o.queue[0])
		o.queue = o.queue[1:]
	}
	if _, ok := o.seen[secret]; ok {
		return false
	}
	if o.seen == nil {
		o.seen = make(map[[32]byte]time.Time)
	}
	o.seen[secret] = until
	o.queue = append(o.queue, secret)
	return true
}
