package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

// Harness is a store under test and the clock that it obeys.
type Harness struct {
	// Store is empty.
	Store session.Store
	// Now is the store's clock.
	Now func() time.Time
	// Advance moves that clock.
	Advance func(time.Duration)
}

// Run runs the suite. open makes a harness for one test, with a store that shares
// nothing with those of other tests.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, Harness: open(t), why: c.why}
			c.run(s)
		})
	}
}

// suite is one case under way.
type suite struct {
	*testing.T
	Harness
	why string
}

var cases = []struct {
	name, why string
	run       func(*suite)
}{
	{"create and get", "what was stored comes back, apart from the version, which counts from 1", createAndGet},
	{"missing", "a session that is not there is ErrNotFound, and nothing is made by asking", missing},
	{"exists", "a second record of an ID must not take the first one's place: somebody is signed in by it", exists},
	{"expired", "an expired session is missing to every method, and its ID is free", expired},
	{"swap", "a swap replaces a record of the version that was read, and counts it up", swap},
	{"swap conflict", "a swap of an older version changes nothing: the reader has to look again", swapConflict},
	{"swap keeps identity", "whose session it is does not change", swapKeepsIdentity},
	{"swap never recreates", "a session that was ended stays ended, whoever is still at work on it", swapNeverRecreates},
	{"race of swaps", "of all who swap one version, one wins: the counter equals the wins", raceOfSwaps},
	{"race of swap and delete", "a delete wins over every swap", raceOfDelete},
	{"mark stale", "a mark raises the version, so that a refresh under way cannot wash it away", markStale},
	{"delete", "deleting is idempotent", deleteTwice},
	{"delete by subject", "all sessions of one person end, and of nobody else", deleteBySubject},
	{"delete expired", "expired records go, at most as many as asked for; live ones stay", deleteExpired},
	{"list", "pages follow one another by ID, without content, without expired ones", list},
	{"bytes are bytes", "no store folds case, trims or normalizes: look-alikes are other people", bytesAreBytes},
	{"instants", "times are instants, whatever their zone, to the microsecond", instants},
	{"large content", "a person in many groups has large tokens", largeContent},
	{"content is a copy", "what the caller does to its bytes does not reach the store", contentIsACopy},
	{"cancelled", "a context that ended is a fault of the call, never a missing session", cancelled},
}

const pool = "https://issuer.example/pool client"

func (s *suite) record(id string) session.Record {
	now := s.Now()
	return session.Record{
		ID: id, Pool: pool, Subject: "alice", Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("sealed " + id),
	}
}

func (s *suite) errorf(format string, args ...any) {
	s.Helper()
	s.Errorf("%s\n%s", fmt.Sprintf(format, args...), s.why)
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%v\n%s", err, s.why)
	}
}

func (s *suite) create(r session.Record) {
	s.Helper()
	s.must(s.Store.Create(s.Context(), r))
}

func (s *suite) get(id string) session.Record {
	s.Helper()
	r, err := s.Store.Get(s.Context(), id)
	s.must(err)
	return r
}

func (s *suite) wantError(operation string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.errorf("%s = %v, want %v", operation, err, want)
	}
	if want != session.ErrUnavailable && errors.Is(err, session.ErrUnavailable) {
		s.errorf("%s = %v, which also says that the store is unavailable", operation, err)
	}
}

func (s *suite) wantEqual(got, want session.Record) {
	s.Helper()
	same := got.ID == want.ID && got.Pool == want.Pool && got.Subject == want.Subject && got.Version == want.Version && got.Stale == want.Stale &&
		bytes.Equal(got.Sealed, want.Sealed)
	for _, times := range [][2]time.Time{{got.Created, want.Created}, {got.LastSeen, want.LastSeen}, {got.Expires, want.Expires}, {got.LeaseUntil, want.LeaseUntil}} {
		same = same && times[0].Truncate(time.Microsecond).Equal(times[1].Truncate(time.Microsecond))
	}
	if !same || got.LeaseUntil.IsZero() != want.LeaseUntil.IsZero() {
		s.errorf("got  %+v\nwant %+v", got, want)
	}
}

func createAndGet(s *suite) {
	r := s.record("a")
	r.Stale, r.LeaseUntil, r.Version = true, s.Now().Add(time.Minute), 7
	s.create(r)
	r.Version = 1
	s.wantEqual(s.get("a"), r)

	plain := s.record("b")
	s.create(plain)
	plain.Version = 1
	s.wantEqual(s.get("b"), plain)
}

func missing(s *suite) {
	_, err := s.Store.Get(s.Context(), "a")
	s.wantError("Get", err, session.ErrNotFound)
	_, err = s.Store.CompareAndSwap(s.Context(), s.record("a"))
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	_, err = s.Store.Get(s.Context(), "a")
	s.wantError("Get", err, session.ErrNotFound)
	_, err = s.Store.Get(s.Context(), "")
	s.wantError("Get of no ID", err, session.ErrNotFound)
}

func exists(s *suite) {
	s.create(s.record("a"))
	other := s.record("a")
	other.Subject = "mallory"
	s.wantError("Create", s.Store.Create(s.Context(), other), session.ErrExists)
	if got := s.get("a"); got.Subject != "alice" {
		s.errorf("the record is now of %s", got.Subject)
	}
}

func expired(s *suite) {
	r := s.record("a")
	s.create(r)
	s.Advance(time.Hour - time.Second)
	s.get("a")
	s.Advance(time.Second)
	_, err := s.Store.Get(s.Context(), "a")
	s.wantError("Get", err, session.ErrNotFound)
	r.Version, r.Expires = 1, s.Now().Add(time.Hour)
	_, err = s.Store.CompareAndSwap(s.Context(), r)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	if n, err := s.Store.MarkStale(s.Context(), pool, "alice"); n != 0 || err != nil {
		s.errorf("MarkStale = %d, %v", n, err)
	}
	s.create(s.record("a"))
}

func swap(s *suite) {
	s.create(s.record("a"))
	r := s.get("a")
	r.LastSeen, r.Expires, r.LeaseUntil, r.Sealed = s.Now().Add(time.Minute), s.Now().Add(2*time.Hour), s.Now().Add(time.Second), []byte("new")
	got, err := s.Store.CompareAndSwap(s.Context(), r)
	s.must(err)
	r.Version = 2
	s.wantEqual(got, r)
	s.wantEqual(s.get("a"), r)
	// The end that was moved holds.
	s.Advance(90 * time.Minute)
	s.get("a")
}

func swapConflict(s *suite) {
	s.create(s.record("a"))
	first, second := s.get("a"), s.get("a")
	_, err := s.Store.CompareAndSwap(s.Context(), first)
	s.must(err)
	second.Sealed = []byte("lost")
	_, err = s.Store.CompareAndSwap(s.Context(), second)
	s.wantError("CompareAndSwap", err, session.ErrConflict)
	if got := s.get("a"); string(got.Sealed) == "lost" || got.Version != 2 {
		s.errorf("the older version was written: %+v", got)
	}
}

func swapKeepsIdentity(s *suite) {
	s.create(s.record("a"))
	r := s.get("a")
	_, err := s.Store.CompareAndSwap(s.Context(), r)
	s.must(err)
	if got := s.get("a"); got.Subject != "alice" || got.Pool != pool || !got.Created.Truncate(time.Microsecond).Equal(r.Created.Truncate(time.Microsecond)) {
		s.errorf("got %+v", got)
	}
}

func swapNeverRecreates(s *suite) {
	s.create(s.record("a"))
	r := s.get("a")
	s.must(s.Store.Delete(s.Context(), "a"))
	_, err := s.Store.CompareAndSwap(s.Context(), r)
	s.wantError("CompareAndSwap", err, session.ErrNotFound)
	_, err = s.Store.Get(s.Context(), "a")
	s.wantError("Get", err, session.ErrNotFound)
}

func raceOfSwaps(s *suite) {
	s.create(s.record("a"))
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 3 {
				r, err := s.Store.Get(s.Context(), "a")
				if err != nil {
					s.errorf("Get = %v", err)
					return
				}
				switch _, err := s.Store.CompareAndSwap(s.Context(), r); {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, session.ErrConflict):
					s.errorf("CompareAndSwap = %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := s.get("a").Version; got != 1+wins.Load() || wins.Load() == 0 {
		s.errorf("version %d after %d wins", got, wins.Load())
	}
}

func raceOfDelete(s *suite) {
	for i := range 20 {
		id := fmt.Sprint("r", i)
		s.create(s.record(id))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					r, err := s.Store.Get(s.Context(), id)
					if err != nil {
						return
					}
					_, _ = s.Store.CompareAndSwap(s.Context(), r)
				}
			})
		}
		s.must(s.Store.Delete(s.Context(), id))
		wg.Wait()
		_, err := s.Store.Get(s.Context(), id)
		s.wantError("Get", err, session.ErrNotFound)
	}
}

func markStale(s *suite) {
	s.create(s.record("a"))
	other := s.record("b")
	other.Subject = "bob"
	s.create(other)
	held := s.get("a")
	if n, err := s.Store.MarkStale(s.Context(), pool, "alice"); n != 1 || err != nil {
		s.errorf("MarkStale = %d, %v, want 1", n, err)
	}
	_, err := s.Store.CompareAndSwap(s.Context(), held)
	s.wantError("CompareAndSwap of before the mark", err, session.ErrConflict)
	if got := s.get("a"); !got.Stale || got.Version != 2 {
		s.errorf("got %+v", got)
	}
	if s.get("b").Stale {
		s.errorf("somebody else's session is marked")
	}
	r := s.get("a")
	r.Stale = false
	_, err = s.Store.CompareAndSwap(s.Context(), r)
	s.must(err)
	if s.get("a").Stale {
		s.errorf("the mark cannot be taken off")
	}
}

func deleteTwice(s *suite) {
	s.create(s.record("a"))
	s.create(s.record("b"))
	s.must(s.Store.Delete(s.Context(), "a"))
	s.must(s.Store.Delete(s.Context(), "a"))
	_, err := s.Store.Get(s.Context(), "a")
	s.wantError("Get", err, session.ErrNotFound)
	s.get("b")
}

func deleteBySubject(s *suite) {
	for i, subject := range []string{"alice", "bob", "alice", "alice2"} {
		r := s.record(fmt.Sprint(i))
		r.Subject = subject
		s.create(r)
	}
	elsewhere := s.record("4")
	elsewhere.Pool = "another pool"
	s.create(elsewhere)
	if n, err := s.Store.DeleteBySubject(s.Context(), pool, "alice"); n != 2 || err != nil {
		s.errorf("DeleteBySubject = %d, %v, want 2", n, err)
	}
	for id, want := range map[string]bool{"0": false, "1": true, "2": false, "3": true, "4": true} {
		if _, err := s.Store.Get(s.Context(), id); (err == nil) != want {
			s.errorf("session %s: %v", id, err)
		}
	}
}

func deleteExpired(s *suite) {
	for i := range 5 {
		s.create(s.record(fmt.Sprint(i)))
	}
	s.Advance(30 * time.Minute)
	s.create(s.record("live"))
	s.Advance(30 * time.Minute)
	total := 0
	for range 3 {
		n, err := s.Store.DeleteExpired(s.Context(), 3)
		s.must(err)
		if n > 3 {
			s.errorf("DeleteExpired(3) = %d", n)
		}
		total += n
	}
	if total != 5 && total != 0 { // 0: a store that expires records by itself
		s.errorf("%d of 5 expired records were deleted", total)
	}
	s.get("live")
}

func list(s *suite) {
	for _, id := range []string{"c", "a", "e", "b", "d"} {
		r := s.record(id)
		if id == "d" {
			r.Subject = "bob"
		}
		if id == "e" {
			r.Expires = s.Now().Add(time.Minute)
		}
		s.create(r)
	}
	s.Advance(2 * time.Minute)
	var ids []string
	for after := ""; ; {
		page, err := s.Store.List(s.Context(), session.Query{After: after, Limit: 3})
		s.must(err)
		for _, r := range page {
			ids = append(ids, r.ID)
			if len(r.Sealed) != 0 {
				s.errorf("List hands out content")
			}
		}
		if len(page) < 3 {
			break
		}
		after = page[len(page)-1].ID
	}
	if want := []string{"a", "b", "c", "d"}; !slices.Equal(ids, want) {
		s.errorf("List = %v, want %v", ids, want)
	}
	page, err := s.Store.List(s.Context(), session.Query{Pool: pool, Subject: "bob"})
	s.must(err)
	if len(page) != 1 || page[0].ID != "d" || page[0].Subject != "bob" || page[0].Version != 1 {
		s.errorf("List of bob = %+v", page)
	}
	if page, err := s.Store.List(s.Context(), session.Query{Pool: "another"}); err != nil || len(page) != 0 {
		s.errorf("List of another pool = %+v, %v", page, err)
	}
}

func bytesAreBytes(s *suite) {
	names := []string{"k", "K", "\u212a", "\u0131", "i", "I", "\u017f", "s", "S", "e\u0301", "\u00e9", "\uff4b", "k ", " k", "k'", `k"`, "k%", "k_", `k\`, "k:", "{k}", "k*"}
	for i, name := range names {
		r := s.record(name)
		r.Subject = name
		r.Sealed = []byte{byte(i)}
		s.create(r)
	}
	for i, name := range names {
		if r := s.get(name); r.ID != name || r.Subject != name || r.Sealed[0] != byte(i) {
			s.errorf("%q: got %+v", name, r)
		}
		page, err := s.Store.List(s.Context(), session.Query{Pool: pool, Subject: name})
		s.must(err)
		if len(page) != 1 || page[0].ID != name {
			s.errorf("List of subject %q = %+v", name, page)
		}
	}
	for i, name := range names {
		if n, err := s.Store.DeleteBySubject(s.Context(), pool, name); n != 1 || err != nil {
			s.errorf("DeleteBySubject(%q) = %d, %v", name, n, err)
		}
		for j, other := range names {
			if _, err := s.Store.Get(s.Context(), other); (err == nil) != (j > i) {
				s.errorf("after %q was deleted, %q: %v", name, other, err)
			}
		}
	}
}

func instants(s *suite) {
	r := s.record("a")
	zone := time.FixedZone("far", 13*3600)
	r.Created, r.LastSeen, r.Expires = r.Created.In(zone), r.LastSeen.In(zone).Add(123456*time.Microsecond), r.Expires.In(zone)
	r.LeaseUntil = s.Now().UTC().Add(time.Microsecond)
	s.create(r)
	r.Version = 1
	s.wantEqual(s.get("a"), r)
}

func largeContent(s *suite) {
	r := s.record("a")
	r.Sealed = bytes.Repeat([]byte{0, 0xff, '\'', '\\'}, 16<<10)
	s.create(r)
	if got := s.get("a"); !bytes.Equal(got.Sealed, r.Sealed) {
		s.errorf("%d bytes came back of %d", len(got.Sealed), len(r.Sealed))
	}
}

func contentIsACopy(s *suite) {
	r := s.record("a")
	r.Sealed = []byte("before")
	s.create(r)
	r.Sealed[0] = 'X'
	got := s.get("a")
	if string(got.Sealed) != "before" {
		s.errorf("the store holds the caller's slice")
	}
	_ = append(got.Sealed, "more"...)
	if again := s.get("a"); string(again.Sealed) != "before" {
		s.errorf("appending reached the store: %s", again.Sealed)
	}
}

func cancelled(s *suite) {
	s.create(s.record("a"))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := s.Store.Get(ctx, "a")
	s.wantError("Get", err, session.ErrUnavailable)
	_, err = s.Store.CompareAndSwap(ctx, s.record("a"))
	s.wantError("CompareAndSwap", err, session.ErrUnavailable)
	s.wantError("Create", s.Store.Create(ctx, s.record("b")), session.ErrUnavailable)
	s.wantError("Delete", s.Store.Delete(ctx, "a"), session.ErrUnavailable)
	_, err = s.Store.List(ctx, session.Query{})
	s.wantError("List", err, session.ErrUnavailable)
	_, err = s.Store.DeleteBySubject(ctx, pool, "alice")
	s.wantError("DeleteBySubject", err, session.ErrUnavailable)
	_, err = s.Store.MarkStale(ctx, pool, "alice")
	s.wantError("MarkStale", err, session.ErrUnavailable)
	s.get("a")
}
