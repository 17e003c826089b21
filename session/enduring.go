package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// EnduringConfig configures an [EnduringStore]. Its zero value is useful.
type EnduringConfig struct {
	// Keep is how long to keep the end of a session with an unknown expiry, because the store
	// did not answer. Set it to the longest time that a session can be unused. Defaults to 25
	// hours, because an access token of Cognito lives for a day at most.
	Keep time.Duration
	// MaxKnown limits the known ends, of sessions and of people separately. Beyond it, the
	// ends that expire first are dropped first. Defaults to one million, some 60 MB.
	MaxKnown int
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
	// Logger gets a line when ends can no longer be read, when they can be read again, and for
	// each ended session that came back. Defaults to [slog.Default].
	Logger *slog.Logger
}

// EnduringStore is a Store whose ended sessions stay ended, even if the inner store forgets
// their end. Redis does so when it restarts from an old snapshot, or fails over to a
// replica that lags.
//
// Delete and DeleteBySubject first record the end in Ends. Every call knows from memory
// what has ended. EnduringStore reads the ends of other processes about once a second,
// beside the calls for sessions. If there was no call for some seconds, the next call waits
// for this read, for half a second at most.
//
// If Ends cannot be read, sessions continue with what is known. If it cannot be written,
// sessions still end in the inner store, the caller gets ErrUnavailable, and this process
// records the end later if it still runs. A session comes back only if the inner store
// forgets and Ends is unavailable.
//
// The clocks of processes may differ by two minutes. The sessions of a person that the
// store knows end one by one, whatever the clocks say. Unknown ones end if they were
// created more than two minutes before.
type EnduringStore struct {
	inner Store
	ends  Ends
	keep  time.Duration
	now   func() time.Time
	log   *slog.Logger
	known *knownEnds

	fresh atomic.Int64 // when ends were last read, or it was last tried; 0: never
	down  atomic.Bool  // the last try failed

	mu      sync.Mutex
	flight  chan struct{} // closed when the read under way is over; nil: none is
	closed  bool
	life    context.Context
	end     context.CancelFunc
	full    bool  // some had to be forgotten, and that was said
	owed    []End // which could not be put on record
	floor   int64 // read from here
	next    int64 // the floor to come
	nextSet time.Time
	blind   int // ends in this minute of sessions that may never have been
	minute  int64
}

var _ Store = (*EnduringStore)(nil)

const (
	endsEvery    = time.Second            // ends are read
	endsAge      = 5 * time.Second        // from which on it is waited for
	endsPatience = 500 * time.Millisecond // for that
	endsPage     = 5000                   // at a time
	// endsBack is how long numbers may take to come to be seen: reads go back so far.
	endsBack = time.Minute
	// clockSkew is how much clocks of processes may differ.
	clockSkew = 2 * time.Minute
	// maxOwed bounds what is to be put on record later, and maxBlind what a minute
	// adds of sessions that nobody can say of whether they were ever there: when the
	// store is gone, a stranger may sign out of invented ones.
	maxOwed  = 10_000
	maxBlind = 600
)

// NewEnduringStore returns a store that wraps inner and records the ends of sessions in
// ends. It calls neither yet. The caller closes both.
func NewEnduringStore(inner Store, ends Ends, config EnduringConfig) *EnduringStore {
	s := &EnduringStore{
		inner: inner, ends: ends, keep: config.Keep, now: config.Now, log: config.Logger,
		known: newKnownEnds(cmp.Or(max(config.MaxKnown, 0), 1_000_000)),
	}
	if s.keep <= 0 {
		s.keep = 25 * time.Hour
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Shared returns what the inner store says.
func (s *EnduringStore) Shared() bool {
	shared, ok := s.inner.(interface{ Shared() bool })
	return ok && shared.Shared()
}

// Ends returns where ends are recorded.
func (s *EnduringStore) Ends() Ends { return s.ends }

// Close stops background reads, and waits for an open one. It closes neither the inner
// store nor Ends: close them afterwards.
func (s *EnduringStore) Close() error {
	s.mu.Lock()
	s.closed = true
	flight := s.flight
	s.mu.Unlock()
	s.end()
	if flight != nil {
		<-flight
	}
	return nil
}

// Create implements [Store].
func (s *EnduringStore) Create(ctx context.Context, r Record) error {
	if err := s.inner.Create(ctx, r); err != nil {
		return err
	}
	if !s.known.hasID(r.ID) {
		return nil
	}
	now := s.now()
	void := End{ID: r.ID, Void: true, Until: now.Add(s.keep)}
	if err := s.ends.PutEnds(ctx, void); err != nil {
		return endsUnavailable("create session", err)
	}
	s.known.add([]End{void}, now)
	return nil
}

// Get implements [Store].
func (s *EnduringStore) Get(ctx context.Context, id string) (Record, error) {
	s.catchUp(ctx)
	r, err := s.inner.Get(ctx, id)
	if err == nil && s.known.has(&r) {
		s.cameBack(ctx, r)
		return Record{}, fmt.Errorf("get session: %w", ErrNotFound)
	}
	return r, err
}

// cameBack deletes a session that has ended. If that fails, nothing is lost.
func (s *EnduringStore) cameBack(ctx context.Context, r Record) {
	attributes := []slog.Attr{slog.String("session", r.ID[:min(len(r.ID), 12)]), slog.String("sub", r.Subject)}
	if err := s.inner.Delete(ctx, r.ID); err != nil {
		attributes = append(attributes, slog.String("not deleted", err.Error()))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "the session store was back with a session that had ended; it stays ended", attributes...)
}

// CompareAndSwap implements [Store].
func (s *EnduringStore) CompareAndSwap(ctx context.Context, r Record) (Record, error) {
	s.catchUp(ctx)
	// Of records that were read here the names are what Create was given.
	if s.known.has(&r) {
		if err := ctx.Err(); err != nil {
			return Record{}, fmt.Errorf("replace session: %w: %w", ErrUnavailable, err)
		}
		current, err := s.inner.Get(ctx, r.ID)
		if err != nil {
			return Record{}, err
		}
		if s.known.has(&current) {
			s.cameBack(ctx, current)
			return Record{}, fmt.Errorf("replace session: %w", ErrNotFound)
		}
	}
	return s.inner.CompareAndSwap(ctx, r)
}

// Delete implements [Store].
func (s *EnduringStore) Delete(ctx context.Context, id string) error {
	r, err := s.inner.Get(ctx, id)
	end := s.endOf(r)
	learn := func() {}
	switch {
	case err == nil && !s.known.hasID(id):
		learn, err = s.put(ctx, "delete session", end)
	case err == nil, errors.Is(err, ErrNotFound):
		// It is on record, or there is nothing that could come back.
		err = nil
	case ctx.Err() == nil && s.mayBeBlind():
		end = End{ID: id, Until: s.now().Add(s.keep)}
		learn, err = s.put(ctx, "delete session", end)
	default:
		err = nil // the store says the same once more
	}
	defer learn()
	return errors.Join(s.inner.Delete(ctx, id), err)
}

// endOf is the end of a session. No copy of it has a later time to expire than one that
// was seen to be used just now.
func (s *EnduringStore) endOf(r Record) End {
	until := r.Expires
	if !r.LastSeen.IsZero() {
		if used := s.now().Add(r.Expires.Sub(r.LastSeen)); used.After(until) {
			until = used
		}
	}
	return End{ID: r.ID, Until: until.Add(clockSkew)}
}

// mayBeBlind reports whether one more end may be put on record of a session that may
// never have been.
func (s *EnduringStore) mayBeBlind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if minute := s.now().Unix() / 60; minute != s.minute {
		s.minute, s.blind = minute, 0
	}
	s.blind++
	return s.blind <= maxBlind
}

// List implements [Store].
func (s *EnduringStore) List(ctx context.Context, q Query) ([]Record, error) {
	s.catchUp(ctx)
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	var found []Record
	for {
		q.Limit = limit - len(found)
		page, err := s.inner.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if !s.known.has(&r) {
				found = append(found, r)
			}
		}
		if len(page) < q.Limit || len(found) >= limit {
			return found, nil
		}
		q.After = page[len(page)-1].ID
	}
}

// DeleteBySubject implements [Store].
func (s *EnduringStore) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	const operation = "delete sessions"
	now := s.now()
	ends, err := s.endsOf(ctx, pool, subject)
	// Sessions that the store knows of are named. Others are told by when they were
	// created, by a clock that may have been behind: who signs in right after this
	// is not to be taken for one of them. Where none could be named, that is the
	// smaller evil.
	all := End{Pool: pool, Subject: subject, Before: now.Add(-clockSkew), Until: now.Add(s.keep)}
	if err != nil {
		all.Before = now
	}
	learn, err := s.put(ctx, operation, append(ends, all)...)
	defer learn()
	n, innerErr := s.inner.DeleteBySubject(ctx, pool, subject)
	return n, errors.Join(innerErr, err)
}

// endsOf names the sessions of a person.
func (s *EnduringStore) endsOf(ctx context.Context, pool, subject string) ([]End, error) {
	if pool == "" || subject == "" { // of every pool, or everybody, to a query
		return nil, ErrNotFound
	}
	var ends []End
	q := Query{Pool: pool, Subject: subject, Limit: 500}
	for {
		page, err := s.inner.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			ends = append(ends, s.endOf(r))
		}
		if len(page) < q.Limit {
			return ends, nil
		}
		q.After = page[len(page)-1].ID
	}
}

// MarkStale implements [Store].
func (s *EnduringStore) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	return s.inner.MarkStale(ctx, pool, subject)
}

// DeleteExpired implements [Store].
func (s *EnduringStore) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return s.inner.DeleteExpired(ctx, limit)
}

// put puts ends on record. What this process was told, it is to learn when the store
// has been told as well, on record or not: before, the session would seem to be back.
func (s *EnduringStore) put(ctx context.Context, operation string, ends ...End) (learn func(), _ error) {
	err := s.ends.PutEnds(ctx, ends...)
	if err != nil && ctx.Err() != nil {
		return func() {}, endsUnavailable(operation, err) // who asked has gone, and may ask again
	}
	learn = func() { s.learn(ends) }
	if err == nil {
		return learn, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed = append(s.owed, ends[:min(len(ends), maxOwed-len(s.owed))]...)
	return learn, endsUnavailable(operation, err)
}

func endsUnavailable(operation string, err error) error {
	if !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%s: put its end on record: %w", operation, err)
}

// learn takes note of ends.
func (s *EnduringStore) learn(ends []End) {
	forgotten := s.known.add(ends, s.now())
	s.mu.Lock()
	say := forgotten > 0 && !s.full
	s.full = s.full || say
	s.mu.Unlock()
	if say {
		s.log.Warn("more sessions have ended than are kept in mind; raise MaxKnown", slog.Int64("known", s.known.max))
	}
}
