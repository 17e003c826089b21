package redisstore

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/codegrant/codegrant/session"
)

// cache holds copies of records that the server has promised to tell us about: it
// keeps track of what a connection has read, and says on that connection when it
// changes. A copy goes when
//
//   - the server says that it changed,
//   - any connection is lost, for what it would have said is lost with it: then all
//     of them go,
//   - this process writes the record, before and after, since word of that comes on
//     another connection than the answer, and later,
//   - it is as old as a copy may get, whatever the server says.
//
// A record that was read while one of these happened is handed out, and not kept.
// Missing sessions are not kept either: requests for sessions that never existed take no
// room.
//
// A nil cache keeps nothing.
type cache struct {
	lifetime time.Duration // of a copy
	room     int           // bytes for half a shard
	seed     maphash.Seed
	shards   [cacheShards]cacheShard
}

const (
	cacheShards = 32
	copyBytes   = 512 // of a copy beside its strings: records, map entries and their slack
)

// cacheShard keeps copies in two generations. The older one goes when the younger is
// full or has had its lifetime, so that nothing needs to be looked for and room is
// taken only by what is in use.
type cacheShard struct {
	mu      sync.RWMutex
	young   map[string]*cacheCopy
	old     map[string]*cacheCopy
	size    int       // of the young ones, in bytes
	turned  time.Time // when the young ones began
	visitor map[string]*visit
}

type cacheCopy struct {
	record session.Record
	until  time.Time
	size   int
}

// visit is a record that is being read or written by somebody here.
type visit struct {
	visitors int
	changes  int
}

// ticket is what a visitor knows: if the record has seen more changes since, what
// was read may be old.
type ticket struct {
	visit   *visit
	changes int
}

func newCache(lifetime time.Duration, bytes int) *cache {
	c := &cache{lifetime: lifetime, room: bytes / cacheShards / 2, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].visitor = make(map[string]*visit)
		c.shards[i].drop()
	}
	return c
}

func (c *cache) shard(id string) *cacheShard {
	return &c.shards[maphash.String(c.seed, id)%cacheShards]
}

// get returns the copy of a record.
func (c *cache) get(id string, now time.Time) (session.Record, bool) {
	if c == nil {
		return session.Record{}, false
	}
	s := c.shard(id)
	s.mu.RLock()
	kept := s.young[id]
	if kept == nil {
		kept = s.old[id]
	}
	s.mu.RUnlock()
	if kept == nil || !now.Before(kept.until) {
		return session.Record{}, false
	}
	return kept.record, true
}

// read is called before a record is asked for; done or keep follow.
func (c *cache) read(id string) ticket {
	if c == nil {
		return ticket{}
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enter(id)
}

// keep ends a read, and keeps the record unless something happened to it since. now
// is when the read began.
func (c *cache) keep(t ticket, record session.Record, now time.Time) {
	if c == nil {
		return
	}
	s := c.shard(record.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(record.ID, t)
	if t.visit.changes != t.changes {
		return
	}
	size := copyBytes + len(record.ID) + len(record.Pool) + len(record.Subject) + len(record.Sealed)
	if size > c.room {
		return
	}
	s.forget(record.ID)
	if s.size+size > c.room || now.Sub(s.turned).Abs() >= c.lifetime {
		s.old, s.young, s.size, s.turned = s.young, make(map[string]*cacheCopy), 0, now
	}
	s.young[record.ID] = &cacheCopy{record: record, until: now.Add(c.lifetime), size: size}
	s.size += size
}

// done ends a read of which nothing is to be kept.
func (c *cache) done(id string, t ticket) {
	if c == nil {
		return
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(id, t)
}

// write is called before records are written. What it returns is called after, when
// the answer is there or is not waited for any longer.
func (c *cache) write(ids ...string) (written func()) {
	if c == nil {
		return func() {}
	}
	tickets := make([]ticket, len(ids))
	for i, id := range ids {
		s := c.shard(id)
		s.mu.Lock()
		tickets[i] = s.enter(id)
		s.changed(id)
		s.mu.Unlock()
	}
	return func() {
		for i, id := range ids {
			s := c.shard(id)
			s.mu.Lock()
			s.changed(id)
			s.leave(id, tickets[i])
			s.mu.Unlock()
		}
	}
}

// changed is called when the server says that a record is another one, or gone.
func (c *cache) changed(id string) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed(id)
}

// changedAll is called when any record may have changed without a word.
func (c *cache) changedAll() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.drop()
		for _, v := range s.visitor {
			v.changes++
		}
		s.mu.Unlock()
	}
}

func (s *cacheShard) drop() {
	s.young, s.old, s.size = make(map[string]*cacheCopy), nil, 0
}

func (s *cacheShard) enter(id string) ticket {
	v := s.visitor[id]
	if v == nil {
		v = new(visit)
		s.visitor[id] = v
	}
	v.visitors++
	return ticket{v, v.changes}
}

func (s *cacheShard) leave(id string, t ticket) {
	if t.visit.visitors--; t.visit.visitors == 0 {
		delete(s.visitor, id)
	}
}

func (s *cacheShard) changed(id string) {
	s.forget(id)
	if v := s.visitor[id]; v != nil {
		v.changes++
	}
}

func (s *cacheShard) forget(id string) {
	if kept := s.young[id]; kept != nil {
		s.size -= kept.size
		delete(s.young, id)
	}
	delete(s.old, id)
}
