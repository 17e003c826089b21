package session_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// clock is a clock that stands until it is moved.
type clock struct{ atomic.Int64 }

var begin = time.Unix(1_800_000_000, 0)

func (c *clock) now() time.Time          { return begin.Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func TestMemoryStore(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
		c := new(clock)
		return sessiontest.Harness{Store: session.NewMemoryStore(session.MemoryConfig{Now: c.now}), Now: c.now, Advance: c.advance}
	})
}

func TestS145_MemoryIsBounded(t *testing.T) {
	c := new(clock)
	store := session.NewMemoryStore(session.MemoryConfig{MaxSessions: 3, Now: c.now})
	record := func(id string) session.Record {
		return session.Record{ID: id, Expires: c.now().Add(time.Hour)}
	}
	for i := range 3 {
		if err := store.Create(t.Context(), record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Create(t.Context(), record("more")); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create() = %v, want %v", err, session.ErrFull)
	}
	if _, err := store.Get(t.Context(), "0"); err != nil {
		t.Errorf("a live session gave way: %v", err)
	}
	c.advance(2 * time.Hour)
	for i := range 3 {
		if err := store.Create(t.Context(), record(fmt.Sprint("later", i))); err != nil {
			t.Errorf("Create() = %v, though the others have expired", err)
		}
	}
	if err := store.Delete(t.Context(), "later0"); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), record("again")); err != nil {
		t.Errorf("Create() = %v, though one was deleted", err)
	}
}

func TestS145_TheBoundHoldsUnderConcurrency(t *testing.T) {
	const bound = 50
	store := session.NewMemoryStore(session.MemoryConfig{MaxSessions: bound})
	var made atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := store.Create(t.Context(), session.Record{ID: fmt.Sprint(i), Expires: time.Now().Add(time.Hour)})
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, session.ErrFull) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != bound {
		t.Errorf("%d sessions were made, want %d", made.Load(), bound)
	}
}

func TestS145_RoomIsLookedForOnceASecond(t *testing.T) {
	c := new(clock)
	store := session.NewMemoryStore(session.MemoryConfig{MaxSessions: 1, Now: c.now})
	create := func(id string) error {
		return store.Create(t.Context(), session.Record{ID: id, Expires: c.now().Add(time.Millisecond)})
	}
	if err := create("a"); err != nil {
		t.Fatal(err)
	}
	if err := create("b"); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create() = %v, want %v", err, session.ErrFull)
	}
	c.advance(time.Second - 1)
	if err := create("b"); !errors.Is(err, session.ErrFull) {
		t.Errorf("Create() within a second = %v, want %v", err, session.ErrFull)
	}
	c.advance(1)
	if err := create("b"); err != nil {
		t.Errorf("Create() after a second = %v", err)
	}
}

func BenchmarkMemoryStoreGet(b *testing.B) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = session.NewHandle().RecordID()
		if err := store.Create(b.Context(), session.Record{ID: ids[i], Expires: time.Now().Add(time.Hour), Sealed: make([]byte, 4096)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := store.Get(b.Context(), ids[i%len(ids)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Most sessions end by not being used. A store that is far from full must not keep
// them until it is.
func TestS145_ExpiredSessionsAreLetGo(t *testing.T) {
	c := new(clock)
	store := session.NewMemoryStore(session.MemoryConfig{Now: c.now})
	const perHour = 1000
	for hour := range 50 {
		for i := range perHour {
			if err := store.Create(t.Context(), session.Record{ID: fmt.Sprint(hour, " ", i), Expires: c.now().Add(30 * time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		c.advance(time.Hour)
	}
	n, err := store.DeleteExpired(t.Context(), 1<<30)
	if err != nil || n > 2*perHour {
		t.Errorf("%d expired sessions are kept, %v", n, err)
	}
}
