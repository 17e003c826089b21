package verify

import (
	"crypto/rsa"
	"crypto/sha256"
	"sync"
)

// cache remembers verified tokens. It is bounded: of those that were not used for
// long, the oldest are forgotten, and verified again when they come back.
type cache struct {
	shards []cacheShard
}

// cacheID is the whole token by its hash, and the use that it was verified for.
type cacheID struct {
	sum    [sha256.Size]byte
	access bool // as an access token
}

// entry is a verified token, and what verified it. It does not change.
type entry struct {
	*decoded
	keyID string
	key   *rsa.PublicKey
}

// cacheShard keeps two generations. Once the young one has its share, it becomes
// the old one, and what is left in that is gone; an entry that is used moves to
// the young one.
type cacheShard struct {
	mu    sync.RWMutex // guards the fields below
	young map[cacheID]entry
	old   map[cacheID]entry
	share int // entries in each generation
}

// newCache returns nil, which remembers nothing, for a size of less than two.
func newCache(size int) *cache {
	if size < 2 {
		return nil
	}
	c := &cache{shards: make([]cacheShard, min(16, size/2))}
	for i := range c.shards {
		c.shards[i].share = size / (2 * len(c.shards))
	}
	return c
}

func (c *cache) shard(id cacheID) *cacheShard {
	return &c.shards[int(id.sum[0])%len(c.shards)]
}

func (c *cache) get(id cacheID) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	s := c.shard(id)
	s.mu.RLock()
	e, young := s.young[id]
	old := false
	if !young {
		e, old = s.old[id]
	}
	s.mu.RUnlock()
	if old {
		s.put(id, e)
	}
	return e, young || old
}

func (c *cache) put(id cacheID, e entry) {
	if c != nil {
		c.shard(id).put(id, e)
	}
}

func (s *cacheShard) put(id cacheID, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= s.share || s.young == nil {
		s.old, s.young = s.young, make(map[cacheID]entry)
	}
	s.young[id] = e
}
