package directory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestReadStatus: the journal says how the last pass was, why one was left, and whom a
// pass refused to remove, also while and after later passes.
func TestReadStatus(t *testing.T) {
	for name, open := range journalsToTest {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			journal := open(t)
			use := func(c *Config) { c.Journal = journal }
			status := func() Status {
				t.Helper()
				s, err := ReadStatus(t.Context(), journal.(Looker), r.issuer)
				r.ok(err)
				return s
			}
			if s := status(); s.Last.Pass != "" || s.Current.Pass != "" || s.Running || s.Scheduled || s.Fault != "" || s.Age(time.Now()) >= 0 {
				t.Errorf("before any pass: %+v", s)
			}
			for i := range 30 {
				r.user(fmt.Sprintf("user%d", i))
			}
			first := r.full(use)
			s := status()
			if s.Last.Pass != first.Pass || s.Last.Created != 30 || !s.LastFull.Equal(first.Began) || s.Current.Pass != "" || s.Fault != "" || s.Age(first.Finished.Add(time.Minute)) != time.Minute {
				t.Errorf("after a pass: %+v", s)
			}

			// One that fails leaves the one before in sight.
			var left atomic.Int64
			left.Store(1)
			broken := r.sync(use, func(c *Config) { c.Source = failingFor{c.Source, &left} })
			if _, err := broken.Run(t.Context(), Options{}); err == nil {
				t.Fatal("it did not fail")
			}
			if s = status(); s.Last.Pass != first.Pass || s.Current.Phase != phaseUsers || !strings.Contains(s.Fault, ErrUnavailable.Error()) || s.FaultAt.IsZero() {
				t.Errorf("after a pass that failed: %+v", s)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = r.sync(use).Run(cancelled, Options{})
			if s = status(); !strings.Contains(s.Fault, ErrUnavailable.Error()) {
				t.Errorf("a pass that was told to stop says %q", s.Fault)
			}
			if _, err := broken.Run(t.Context(), Options{}); err != nil {
				t.Fatal(err)
			}
			if s = status(); s.Fault != "" || s.Current.Pass != "" || s.Last.Pass == first.Pass || !s.LastFull.Equal(first.Began) {
				t.Errorf("gone on with: %+v", s)
			}

			// Whoever is missing and was not removed is counted until a pass that has them again.
			for i := range 20 {
				r.remove(fmt.Sprintf("user%d", i))
			}
			if _, err := r.sync(use).Run(t.Context(), Options{Full: true}); err == nil {
				t.Fatal("20 of 30 were removed")
			}
			if s = status(); s.Last.Withheld != 20 || s.Fault != "" || s.Last.Removed != 0 {
				t.Errorf("too many: %+v", s)
			}
			if _, err := r.sync(use).Run(t.Context(), Options{Full: true, MaxShare: 1}); err != nil {
				t.Fatal(err)
			}
			if s = status(); s.Last.Withheld != 0 || s.Last.Removed != 20 {
				t.Errorf("allowed: %+v", s)
			}

			// Somebody makes a pass, and is seen to.
			term, state, err := journal.Acquire(t.Context(), "pass "+r.issuer, "somebody", time.Minute)
			r.ok(err)
			if s = status(); !s.Running || s.Last.Removed != 20 {
				t.Errorf("under way: %+v", s)
			}
			r.ok(journal.Write(t.Context(), "pass "+r.issuer, term, time.Minute, []byte(`{"Version": 2}`)))
			if _, err := ReadStatus(t.Context(), journal.(Looker), r.issuer); err == nil || !strings.Contains(err.Error(), "version 2") {
				t.Errorf("another version: %v", err)
			}
			r.ok(journal.Write(t.Context(), "pass "+r.issuer, term, time.Minute, state))
		})
	}
}

// failingFor is a source that does not list people for a while.
type failingFor struct {
	Source
	left *atomic.Int64
}

func (f failingFor) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	if f.left.Add(-1) >= 0 {
		return UserPage{}, ErrUnavailable
	}
	return f.Source.Users(ctx, q)
}

// TestReadStatus_Scheduled: whoever makes passes again and again says when the next is due,
// and why the last try failed.
func TestReadStatus_Scheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, journal := newReplica(t, sqlreplica.Config{}), NewMemoryJournal()
		var left atomic.Int64
		left.Store(1)
		s := newFixedSync(t, "issuer", failing{left: &left}, journal, store)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = s.Passes(ctx, Schedule{Every: time.Hour}) })
		synctest.Wait()
		begun := time.Now().UTC()
		status := func() Status {
			t.Helper()
			found, err := ReadStatus(t.Context(), journal, "issuer")
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if got := status(); !got.Scheduled || !got.Next.Equal(begun.Add(time.Minute)) || got.Fault == "" {
			t.Errorf("after a failure: %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := status(); !got.Next.Equal(begun.Add(time.Minute+time.Hour)) || got.Fault != "" || got.Last.Pass == "" || got.Age(time.Now()) != 0 {
			t.Errorf("a minute later: %+v", got)
		}
		cancel()
		all.Wait()
		if got := status(); got.Scheduled || !got.Next.IsZero() {
			t.Errorf("after its end: %+v", got)
		}
	})
}
