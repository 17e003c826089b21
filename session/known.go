package session

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// knownEnds are the ends that this process knows of. It holds hashes of names, 128
// bits of them under seeds that nobody knows: two names that are taken for one are
// not to be met with.
type knownEnds struct {
	seeds    [2]maphash.Seed
	max      int64 // of sessions, and of people
	sessions atomic.Int64
	people   atomic.Int64
	shards   [knownShards]knownShard
	next     atomic.Uint64 // the shard to sweep next
}

const knownShards = 64

type knownShard struct {
	mu       sync.RWMutex
	sessions map[endKey]int64 // until when, in microseconds
	people   map[endKey]personEnd
}

type endKey [2]uint64

type personEnd struct{ before, until int64 } // microseconds

// person names somebody.
type person struct{ pool, subject string }

func newKnownEnds(limit int) *knownEnds {
	k := &knownEnds{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, max: int64(limit)}
	for i := range k.shards {
		k.shards[i].sessions, k.shards[i].people = make(map[endKey]int64), make(map[endKey]personEnd)
	}
	return k
}

func (k *knownEnds) session(id string) (*knownShard, endKey) {
	key := endKey{maphash.String(k.seeds[0], id), maphash.String(k.seeds[1], id)}
	return &k.shards[key[0]%knownShards], key
}

func (k *knownEnds) person(pool, subject string) (*knownShard, endKey) {
	p := person{pool, subject}
	key := endKey{maphash.Comparable(k.seeds[0], p), maphash.Comparable(k.seeds[1], p)}
	return &k.shards[key[0]%knownShards], key
}

// hasID reports whether the session of an ID has ended.
func (k *knownEnds) hasID(id string) bool {
	if k.sessions.Load() == 0 {
		return false
	}
	shard, key := k.session(id)
	shard.mu.RLock()
	_, ok := shard.sessions[key]
	shard.mu.RUnlock()
	return ok
}

// has reports whether a session has ended.
func (k *knownEnds) has(r *Record) bool {
	if k.hasID(r.ID) {
		return true
	}
	if k.people.Load() == 0 {
		return false
	}
	shard, key := k.person(r.Pool, r.Subject)
	shard.mu.RLock()
	p, ok := shard.people[key]
	shard.mu.RUnlock()
	return ok && r.Created.UnixMicro() < p.before
}

// add takes note of ends in the order of their numbers, and says how many known ones
// had to be forgotten for them. Those that it knows already change nothing.
func (k *knownEnds) add(ends []End, now time.Time) (forgotten int) {
	last := lastOfEach(ends)
	for i, e := range ends {
		if last != nil && e.ID != "" && last[e.ID] != i {
			continue
		}
		until := e.Until.UnixMicro()
		if e.ID != "" {
			shard, key := k.session(e.ID)
			shard.mu.Lock()
			old, known := shard.sessions[key]
			switch {
			case e.Void:
				if known {
					delete(shard.sessions, key)
					k.sessions.Add(-1)
				}
			case known:
				shard.sessions[key] = max(old, until)
			case now.Before(e.Until):
				if k.sessions.Load() >= k.max {
					forgotten += makeRoom(shard.sessions, &k.sessions, func(until int64) int64 { return until })
				}
				shard.sessions[key] = until
				k.sessions.Add(1)
			}
			shard.mu.Unlock()
			continue
		}
		shard, key := k.person(e.Pool, e.Subject)
		shard.mu.Lock()
		old, known := shard.people[key]
		switch {
		case known:
			shard.people[key] = personEnd{max(old.before, e.Before.UnixMicro()), max(old.until, until)}
		case now.Before(e.Until):
			if k.people.Load() >= k.max {
				forgotten += makeRoom(shard.people, &k.people, func(p personEnd) int64 { return p.until })
			}
			shard.people[key] = personEnd{e.Before.UnixMicro(), until}
			k.people.Add(1)
		}
		shard.mu.Unlock()
	}
	return forgotten
}

// lastOfEach finds the last end of each ID where one of them takes another back: what
// is read once more is not to be true for a moment. It is nil where none does.
func lastOfEach(ends []End) map[string]int {
	if !slices.ContainsFunc(ends, func(e End) bool { return e.Void }) {
		return nil
	}
	last := make(map[string]int)
	for i, e := range ends {
		last[e.ID] = i
	}
	return last
}

// makeRoom forgets the one of a few that would be forgotten first, and says how many
// that were.
func makeRoom[V any](m map[endKey]V, count *atomic.Int64, until func(V) int64) int {
	const few = 16
	var first endKey
	n := 0
	for key, v := range m {
		if n == 0 || until(v) < until(m[first]) {
			first = key
		}
		if n++; n == few {
			break
		}
	}
	if n == 0 {
		return 0 // others hold what there is room for, and this is one more
	}
	delete(m, first)
	count.Add(-1)
	return 1
}

// sweep forgets, in one of the shards, what need not be known any more.
func (k *knownEnds) sweep(now time.Time) {
	shard, moment := &k.shards[k.next.Add(1)%knownShards], now.UnixMicro()
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for key, until := range shard.sessions {
		if until <= moment {
			delete(shard.sessions, key)
			k.sessions.Add(-1)
		}
	}
	for key, p := range shard.people {
		if p.until <= moment {
			delete(shard.people, key)
			k.people.Add(-1)
		}
	}
}
