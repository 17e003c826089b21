package verify

import (
	"crypto/sha256"
	"sync"
)

// cache remembers verified tokens by a hash of the whole token and its use. It is
// bounded; when a shard is full, any entry gives way, and is verified again.
type cache struct {
	perShard int
	shards   [cacheShards]cacheShard
}

const cacheShards = 16

type cacheShard struct {
	mu      sync.RWMutex
	entries map[[sha256.Size]byte]*Claims
}

// newCache returns nil, which remembers nothing, for a negative size.
func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	c := &cache{perShard: (size + cacheShards - 1) / cacheShards}
	for i := range c.shards {
		c.shards[i].entries = make(map[[sha256.Size]byte]*Claims)
	}
	return c
}

// cacheKey hashes the use and the token with a length between that both agree on.
func cacheKey(raw, use string) [sha256.Size]byte {
	var stack [4 << 10]byte
	b := append(stack[:0], use...)
	b = append(b, 0)
	return sha256.Sum256(append(b, raw...))
}

func (c *cache) shard(key [sha256.Size]byte) *cacheShard { return &c.shards[key[0]%cacheShards] }

func (c *cache) get(key [sha256.Size]byte) (*Claims, bool) {
	if c == nil {
		return nil, false
	}
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	claims, ok := s.entries[key]
	return claims, ok
}

func (c *cache) put(key [sha256.Size]byte, claims *Claims) {
	if c == nil {
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) >= c.perShard {
		for old := range s.entries {
			delete(s.entries, old)
			break
		}
	}
	s.entries[key] = claims
}

func (c *cache) drop(key [sha256.Size]byte) {
	if c == nil {
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, key)
}
