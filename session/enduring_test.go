package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// endsInMemory can be out of reach, or hang.
type endsInMemory struct {
	mu    sync.Mutex
	ends  []End
	gone  atomic.Bool
	hangs atomic.Bool
	reads atomic.Int64
	rows  atomic.Int64
}

func (e *endsInMemory) PutEnds(ctx context.Context, ends ...End) error {
	if e.gone.Load() {
		return fmt.Errorf("%w: gone", ErrUnavailable)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, end := range ends {
		end.Number = int64(len(e.ends) + 1)
		e.ends = append(e.ends, end)
	}
	return nil
}

func (e *endsInMemory) EndsAfter(ctx context.Context, after int64, limit int) ([]End, error) {
	e.reads.Add(1)
	if e.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e.gone.Load() {
		return nil, fmt.Errorf("%w: gone", ErrUnavailable)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := e.ends[min(int(after), len(e.ends)):]
	rest = rest[:min(limit, len(rest))]
	e.rows.Add(int64(len(rest)))
	return append([]End(nil), rest...), nil
}

func aliceAt(id string, created time.Time) Record {
	return Record{ID: id, Pool: "pool", Subject: "alice", Created: created, LastSeen: created, Expires: created.Add(12 * time.Hour)}
}

func enduring(t *testing.T, inner Store, ends Ends) *EnduringStore {
	s := NewEnduringStore(inner, ends, EnduringConfig{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { s.Close() })
	return s
}

func wantGone(t *testing.T, s Store, gone bool, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Get(t.Context(), id); errors.Is(err, ErrNotFound) != gone || err != nil && !gone {
			t.Errorf("session %s: %v, want it gone: %v", id, err, gone)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// All sessions of a person end, those that only a backup knows too, on every instance.
func TestS085_AllSessionsOfAPersonEndOnEveryInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, ends := NewMemoryStore(MemoryConfig{}), new(endsInMemory)
		one, two := enduring(t, inner, ends), enduring(t, inner, ends)
		before := time.Now()
		old, listed := aliceAt("in a backup", before), aliceAt("listed", before.Add(time.Hour))
		time.Sleep(time.Hour)
		must(t, one.Create(t.Context(), listed))
		wantGone(t, two, false, "listed")
		if n, err := one.DeleteBySubject(t.Context(), "pool", "alice"); n != 1 || err != nil {
			t.Fatalf("DeleteBySubject = %d, %v", n, err)
		}
		must(t, inner.Create(t.Context(), old), inner.Create(t.Context(), listed), one.Create(t.Context(), aliceAt("anew", time.Now())))
		wantGone(t, one, true, "listed", "in a backup")
		must(t, inner.Create(t.Context(), old), inner.Create(t.Context(), listed))
		time.Sleep(2 * endsEvery)
		_, _ = two.Get(t.Context(), "nobody's") // has it read what is new
		synctest.Wait()
		if page, err := two.List(t.Context(), Query{Limit: 1}); err != nil || len(page) != 1 || page[0].ID != "anew" {
			t.Errorf("List = %v, %v", page, err)
		}
		if _, err := two.CompareAndSwap(t.Context(), Record{ID: "listed", Version: 1}); !errors.Is(err, ErrNotFound) {
			t.Errorf("CompareAndSwap = %v", err)
		}
		wantGone(t, two, true, "in a backup", "listed")
		wantGone(t, two, false, "anew")
		if _, err := inner.Get(t.Context(), "in a backup"); !errors.Is(err, ErrNotFound) {
			t.Errorf("what was back is left there: %v", err)
		}
		// A third one, which starts now.
		must(t, inner.Create(t.Context(), listed))
		wantGone(t, enduring(t, inner, ends), true, "listed")
	})
}

// Nobody's clock makes a person who has just signed in anew be taken for one of before.
func TestS161_ASignInAfterTheEndOfAllHoldsWhereAClockIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enduring(t, NewMemoryStore(MemoryConfig{}), new(endsInMemory))
		ahead, behind := aliceAt("ahead", time.Now().Add(clockSkew)), aliceAt("behind", time.Now().Add(-clockSkew))
		must(t, s.Create(t.Context(), ahead))
		_, err := s.DeleteBySubject(t.Context(), "pool", "alice")
		must(t, err, s.inner.Create(t.Context(), ahead), s.Create(t.Context(), behind))
		wantGone(t, s, true, "ahead")
		wantGone(t, s, false, "behind")
	})
}

func TestS153_EndsOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, ends := NewMemoryStore(MemoryConfig{}), new(endsInMemory)
		one, two := enduring(t, inner, ends), enduring(t, inner, ends)
		a, b := aliceAt("a", time.Now()), aliceAt("b", time.Now())
		must(t, one.Create(t.Context(), a), one.Create(t.Context(), b))
		wantGone(t, one, false, "a")
		ends.gone.Store(true)
		time.Sleep(time.Minute)
		start := time.Now()
		wantGone(t, one, false, "a")
		wantGone(t, two, false, "a")
		if err := one.Delete(t.Context(), "a"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Delete = %v, want %v", err, ErrUnavailable)
		}
		if _, err := inner.Get(t.Context(), "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the session stays: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("calls wait %v", took)
		}
		must(t, inner.Create(t.Context(), a))
		wantGone(t, one, true, "a")
		// It is put on record when that can be done, and the other hears of it.
		ends.gone.Store(false)
		time.Sleep(2 * endsEvery)
		wantGone(t, one, false, "b")
		synctest.Wait()
		must(t, inner.Create(t.Context(), a))
		time.Sleep(2 * endsEvery)
		wantGone(t, two, false, "b")
		synctest.Wait()
		wantGone(t, two, true, "a")

		// One that hangs costs a moment, once.
		ends.hangs.Store(true)
		time.Sleep(time.Minute)
		start = time.Now()
		for range 10 {
			wantGone(t, two, false, "b")
		}
		if took := time.Since(start); took != endsPatience {
			t.Errorf("calls wait %v, want %v once", took, endsPatience)
		}
	})
}

// Numbers come to be seen late, and old ones are not read again and again.
func TestS153_AnEndThatIsSeenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, ends := NewMemoryStore(MemoryConfig{}), new(endsInMemory)
		s := enduring(t, inner, ends)
		must(t, inner.Create(t.Context(), aliceAt("late", time.Now())), inner.Create(t.Context(), aliceAt("live", time.Now())))
		for i := range 20_000 {
			ends.ends = append(ends.ends, End{Number: int64(i + 1), ID: fmt.Sprint(i), Until: time.Now().Add(24 * time.Hour)})
		}
		look := func() { wantGone(t, s, false, "live"); synctest.Wait() }
		look()
		if n := ends.rows.Load(); n != 20_000 {
			t.Errorf("%d rows read at first", n)
		}
		for range 200 {
			time.Sleep(endsEvery)
			look()
		}
		ends.rows.Store(0)
		time.Sleep(endsEvery)
		look()
		if n := ends.rows.Load(); n != 0 {
			t.Errorf("%d rows of old read again", n)
		}
		put := func(id string) { must(t, ends.PutEnds(t.Context(), End{ID: id, Until: time.Now().Add(time.Hour)})) }
		put("to be overtaken")
		put("overtaking")
		time.Sleep(endsEvery)
		look()
		ends.mu.Lock()
		ends.ends[20_000].ID = "late"
		ends.mu.Unlock()
		time.Sleep(endsBack - 5*time.Second)
		look()
		wantGone(t, s, true, "late")
	})
}

func TestKnownEndsAreBounded(t *testing.T) {
	k, now := newKnownEnds(1000), time.Now()
	forgotten := 0
	for i := range 5000 {
		forgotten += k.add([]End{{ID: fmt.Sprint(i), Until: now.Add(time.Hour)}, {Pool: "p", Subject: fmt.Sprint(i), Until: now.Add(time.Hour)}}, now)
	}
	// A shard that holds none forgets none.
	if n := k.sessions.Load(); n > 1000+knownShards || forgotten < 2*(4000-knownShards) {
		t.Errorf("%d known, %d forgotten", n, forgotten)
	}
	for range knownShards {
		k.sweep(now.Add(time.Hour))
	}
	if n, m := k.sessions.Load(), k.people.Load(); n != 0 || m != 0 {
		t.Errorf("%d and %d known that are over", n, m)
	}
}

func BenchmarkEnduringGet(b *testing.B) {
	bare := NewMemoryStore(MemoryConfig{})
	ends := new(endsInMemory)
	for i := range 100_000 {
		ends.ends = append(ends.ends, End{Number: int64(2*i + 1), ID: fmt.Sprint(i), Until: time.Now().Add(time.Hour)})
		ends.ends = append(ends.ends, End{Number: int64(2*i + 2), Pool: "pool", Subject: fmt.Sprint(i), Until: time.Now().Add(time.Hour)})
	}
	s := NewEnduringStore(bare, ends, EnduringConfig{})
	defer s.Close()
	id := NewHandle().RecordID()
	if err := s.Create(b.Context(), aliceAt(id, time.Now())); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		store Store
	}{{"bare", bare}, {"enduring", s}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.store.Get(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
