package keep

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cognito"
)

// recent is what this process knows of sign-ins that the browser carries: the rows of
// those that it renewed, and which have ended. It is bounded; what was not used for
// long is forgotten first.
type recent struct {
	// whole: what a browser presents was put together by us, and proves the sign-in.
	// Otherwise somebody may hold a part of it, such as an ID token, and is not given
	// what a renewal brought without the refresh token that it took the place of.
	whole bool
	clock func() time.Time

	mu    sync.Mutex
	rows  generations[Key, *row]
	ended generations[Key, struct{}]
}

// row is a sign-in as this process knows it. It does not change.
type row struct {
	version int64
	lease   time.Time
	held    *Held               // as it was renewed here; nil: it was not
	before  [][sha256.Size]byte // refresh tokens that held took the place of, the latest last
	spent   [sha256.Size]byte   // a refresh token that the pool has refused
	until   time.Time           // for how long it is not tried again
}

const (
	maxRows  = 1 << 12 // in each of two generations
	maxEnded = 1 << 15
	// maxBefore is how far behind a browser may be.
	maxBefore = 8
	// spentFor is for how long a refused refresh token is not tried again.
	spentFor = time.Minute
)

func newRecent(whole bool, clock func() time.Time) *recent {
	return &recent{whole: whole, clock: clock, rows: newGenerations[Key, *row](maxRows), ended: newGenerations[Key, struct{}](maxEnded)}
}

// now returns what is known of the sign-in that h presents: the row's version of it,
// where that is newer.
func (t *recent) now(h *Held) (*Held, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nowLocked(h)
}

func (t *recent) nowLocked(h *Held) (*Held, error) {
	if h.Key == "" {
		return nil, ErrSpent
	}
	if _, over := t.ended.get(h.Key); over {
		return nil, ErrSpent
	}
	known, ok := t.rows.get(h.Key)
	if !ok {
		return h, nil
	}
	own := *h
	if t.newer(known, h) {
		own = *known.held
		own.handOut = true
		if h.Record.LastSeen.After(own.Record.LastSeen) {
			own.Record.LastSeen, own.Record.Expires = h.Record.LastSeen, h.Record.Expires
		}
	}
	own.Record.Version, own.Record.LeaseUntil = known.version, known.lease
	if digest(own.set.Refresh) == known.spent && t.clock().Before(known.until) {
		own.Refreshes = false
	}
	return &own, nil
}

// newer reports whether a row holds a later version of what h presents.
func (t *recent) newer(known *row, h *Held) bool {
	if known.held == nil || h.set == nil || known.held.set == h.set {
		return false
	}
	follows := slices.Contains(known.before, digest(h.set.Refresh))
	if known.held.Issued.Equal(h.Issued) {
		return follows && known.held.set.Refresh != h.set.Refresh
	}
	return known.held.Issued.After(h.Issued) && (t.whole || follows || known.held.set.Refresh == h.set.Refresh)
}

// swap writes the row if it is in h's version.
func (t *recent) swap(h *Held) (*Held, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, over := t.ended.get(h.Key); over || h.Key == "" {
		return nil, ErrSpent
	}
	var next row
	if known, ok := t.rows.get(h.Key); ok {
		next = *known
	}
	if next.version != h.Record.Version {
		return nil, ErrChanged
	}
	own := *h
	next.version++
	next.lease, own.Record.Version = h.Record.LeaseUntil, next.version
	if h.from != "" {
		if before := digest(h.from); !slices.Contains(next.before, before) {
			kept := next.before[max(0, len(next.before)-maxBefore+1):]
			if next.held == nil || next.held.set.Refresh != h.from {
				kept = nil // of another line
			}
			next.before = append(slices.Clone(kept), before)
		}
		own.handOut = true
		kept := own
		next.held = &kept
	}
	t.rows.put(h.Key, &next)
	return &own, nil
}

// refused notes that the pool refuses h's refresh token, unless a newer one is known.
func (t *recent) refused(h *Held) (*Held, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := t.nowLocked(h)
	if err != nil {
		return nil, err
	}
	if now.set.Refresh != h.set.Refresh {
		return now, nil
	}
	var next row
	if known, ok := t.rows.get(h.Key); ok {
		next = *known
	}
	next.version++
	next.lease = time.Time{}
	next.spent, next.until = digest(h.set.Refresh), t.clock().Add(spentFor)
	t.rows.put(h.Key, &next)
	return nil, ErrSpent
}

// begin has a name mean a new sign-in, also one that ended before.
func (t *recent) begin(key Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended.drop(key)
	t.rows.drop(key)
}

// end ends the row, and returns its last state.
func (t *recent) end(h *Held) *Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.Key == "" {
		return h
	}
	last := h
	if now, err := t.nowLocked(h); err == nil {
		last = now
	}
	t.ended.put(h.Key, struct{}{})
	t.rows.drop(h.Key)
	return last
}

func digest(token cognito.Secret) [sha256.Size]byte { return sha256.Sum256([]byte(token.Reveal())) }

// generations is a bounded map: when its young half is full that becomes the old half,
// and what was old is forgotten. What is used moves to the young half.
type generations[K comparable, V any] struct {
	share      int
	young, old map[K]V
}

func newGenerations[K comparable, V any](share int) generations[K, V] {
	return generations[K, V]{share: share, young: make(map[K]V)}
}

func (g *generations[K, V]) get(key K) (V, bool) {
	v, ok := g.young[key]
	if !ok {
		if v, ok = g.old[key]; ok {
			g.put(key, v)
		}
	}
	return v, ok
}

func (g *generations[K, V]) put(key K, value V) {
	if _, ok := g.young[key]; !ok && len(g.young) >= g.share {
		g.young, g.old = make(map[K]V), g.young
	}
	g.young[key] = value
}

func (g *generations[K, V]) drop(key K) {
	delete(g.young, key)
	delete(g.old, key)
}
