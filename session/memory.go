package session

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryConfig configures a [MemoryStore]. Its zero value is useful.
type MemoryConfig struct {
	// MaxSessions limits the live sessions. At the limit, new sessions are refused with
	// [ErrFull], and nobody is signed out. Expired sessions make room within a second, and are
	// removed as new ones come. Defaults to one million, a few gigabytes.
	MaxSessions int
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// MemoryStore keeps sessions in the memory of this process. They end with the process.
// Look-ups of different sessions do not wait for each other.
type MemoryStore struct {
	max    int64
	now    func() time.Time
	seed   maphash.Seed
	count  atomic.Int64
	shards [memoryShards]memoryShard

	once onceMemory

	purge  sync.Mutex // one sweep for room at a time
	purged time.Time  // when the last one began
}

const (
	memoryShards = 64
	// sweepInterval is how often what has expired is let go, as far as new
	// sessions come.
	sweepInterval = 10 * time.Minute
)

type memoryShard struct {
	mu      sync.RWMutex
	records map[string]Record // their Sealed is never written to
	swept   time.Time         // when what had expired was last let go
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore(config MemoryConfig) *MemoryStore {
	s := &MemoryStore{max: int64(config.MaxSessions), now: config.Now, seed: maphash.MakeSeed()}
	if s.max <= 0 {
		s.max = 1_000_000
	}
	if s.now == nil {
		s.now = time.Now
	}
	for i := range s.shards {
		s.shards[i].records = make(map[string]Record)
	}
	return s
}

func (s *MemoryStore) shard(id string) *memoryShard {
	return &s.shards[maphash.String(s.seed, id)%memoryShards]
}

// Create implements [Store].
func (s *MemoryStore) Create(ctx context.Context, record Record) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if record.Pool == OncePool {
		return s.once.create(record, s.now())
	}
	if s.count.Load() >= s.max {
		s.makeRoom(ctx)
	}
	// Counted before it is stored, so that the bound holds under concurrency.
	if s.count.Add(1) > s.max {
		s.count.Add(-1)
		return fmt.Errorf("create session: %w: it holds %d; end some, or raise MaxSessions", ErrFull, s.max)
	}
	shard := s.shard(record.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	now := s.now()
	if now.Sub(shard.swept).Abs() >= sweepInterval {
		shard.swept = now
		for id, old := range shard.records {
			if !now.Before(old.Expires) {
				delete(shard.records, id)
				s.count.Add(-1)
			}
		}
	}
	if old, ok := shard.records[record.ID]; ok {
		s.count.Add(-1)
		if now.Before(old.Expires) {
			return fmt.Errorf("create session: %w", ErrExists)
		}
	}
	record.Version = 1
	record.Sealed = slices.Clone(record.Sealed)
	shard.records[record.ID] = record
	return nil
}

// makeRoom deletes what has expired, once a second at most: every refused sign-in
// looking at every session would be slow when it matters.
func (s *MemoryStore) makeRoom(ctx context.Context) {
	s.purge.Lock()
	defer s.purge.Unlock()
	now := s.now()
	if s.count.Load() < s.max || !s.purged.IsZero() && now.Sub(s.purged).Abs() < time.Second {
		return
	}
	s.purged = now
	_, _ = s.DeleteExpired(ctx, int(s.max))
}

// Get implements [Store].
func (s *MemoryStore) Get(ctx context.Context, id string) (Record, error) {
	if err := alive(ctx); err != nil {
		return Record{}, err
	}
	shard := s.shard(id)
	shard.mu.RLock()
	record, ok := shard.records[id]
	shard.mu.RUnlock()
	if !ok || !s.now().Before(record.Expires) {
		return Record{}, fmt.Errorf("get session: %w", ErrNotFound)
	}
	// The capacity is cut so that an append of the caller's copies.
	record.Sealed = record.Sealed[:len(record.Sealed):len(record.Sealed)]
	return record, nil
}

// CompareAndSwap implements [Store].
func (s *MemoryStore) CompareAndSwap(ctx context.Context, record Record) (Record, error) {
	if err := alive(ctx); err != nil {
		return Record{}, err
	}
	shard := s.shard(record.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	old, ok := shard.records[record.ID]
	if !ok || !s.now().Before(old.Expires) {
		return Record{}, fmt.Errorf("replace session: %w", ErrNotFound)
	}
	if old.Version != record.Version {
		return Record{}, fmt.Errorf("replace session: %w", ErrConflict)
	}
	record.Pool, record.Subject, record.Created = old.Pool, old.Subject, old.Created
	record.Version++
	record.Sealed = slices.Clone(record.Sealed)
	shard.records[record.ID] = record
	return record, nil
}

// Delete implements [Store].
func (s *MemoryStore) Delete(ctx context.Context, id string) error {
	if err := alive(ctx); err != nil {
		return err
	}
	shard := s.shard(id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, ok := shard.records[id]; ok {
		delete(shard.records, id)
		s.count.Add(-1)
	}
	return nil
}

// List implements [Store]. It looks at every session.
func (s *MemoryStore) List(ctx context.Context, query Query) ([]Record, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	limit := query.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	var found []Record
	first := func() { // leaves the page among what was found
		slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
		found = slices.Delete(found, min(limit, len(found)), len(found))
	}
	now := s.now()
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.RLock()
		for id, record := range shard.records {
			if id > query.After && now.Before(record.Expires) && query.Selects(record) {
				record.Sealed = nil
				found = append(found, record)
			}
		}
		shard.mu.RUnlock()
		first()
	}
	return slices.Clip(found), nil
}

// DeleteBySubject implements [Store]. It looks at every session.
func (s *MemoryStore) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	now := s.now()
	return s.sweep(ctx, int(s.max), func(r Record) bool {
		return r.Pool == pool && r.Subject == subject && now.Before(r.Expires)
	})
}

// DeleteExpired implements [Store].
func (s *MemoryStore) DeleteExpired(ctx context.Context, limit int) (int, error) {
	now := s.now()
	return s.sweep(ctx, limit, func(r Record) bool { return !now.Before(r.Expires) })
}

func (s *MemoryStore) sweep(ctx context.Context, limit int, doomed func(Record) bool) (int, error) {
	if err := alive(ctx); err != nil {
		return 0, err
	}
	n := 0
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for id, record := range shard.records {
			if n >= limit {
				break
			}
			if doomed(record) {
				delete(shard.records, id)
				s.count.Add(-1)
				n++
			}
		}
		shard.mu.Unlock()
	}
	return n, nil
}

// MarkStale implements [Store]. It looks at every session.
func (s *MemoryStore) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	if err := alive(ctx); err != nil {
		return 0, err
	}
	n, now := 0, s.now()
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for id, record := range shard.records {
			if record.Pool == pool && record.Subject == subject && now.Before(record.Expires) {
				record.Stale = true
				record.Version++
				shard.records[id] = record
				n++
			}
		}
		shard.mu.Unlock()
	}
	return n, nil
}

// alive makes a cancelled context a fault of the call, as in every other store.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// CountLive counts the sessions that have not expired, up to a limit. It looks at every
// session.
func (s *MemoryStore) CountLive(ctx context.Context, limit int) (int, error) {
	if err := alive(ctx); err != nil {
		return 0, err
	}
	n, now := 0, s.now()
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.RLock()
		for _, record := range shard.records {
			if n < limit && now.Before(record.Expires) {
				n++
			}
		}
		shard.mu.RUnlock()
	}
	return n, nil
}
