package keep_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/session"
)

// leased has a refresh under way in one process that the pool answers after a while, with
// Alice's tokens at their end, and returns another process.
func leased(t *testing.T, lasts time.Duration, test func(h *house, alice jar, other *keep.Sessions, holder <-chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, ways[0], time.Now)
		s, _ := h.begin()
		other, _ := h.begin()
		alice := h.signIn(s, "alice", nil)
		h.settle()
		time.Sleep(61 * time.Minute)
		var once atomic.Bool
		h.point = func(s step) {
			if s.kind == "pool refresh" && once.CompareAndSwap(false, true) {
				time.Sleep(lasts)
			}
		}
		holder := make(chan error, 1)
		go func() {
			_, err := s.Find(httptest.NewRecorder(), alice.request())
			holder <- err
		}()
		synctest.Wait() // it holds the lease, and the pool has its request
		test(h, alice, other, holder)
		h.settle()
	})
}

// TestS640_ALeaseIsExtended: however long the pool takes, nobody else asks it meanwhile.
func TestS640_ALeaseIsExtended(t *testing.T) {
	leased(t, 24*time.Second, func(h *house, alice jar, other *keep.Sessions, holder <-chan error) {
		if who, _, err := find(other, alice); who != "" || !fault.IsUnavailable(err) {
			t.Errorf("after the patience of a request: %q, %v", who, err)
		}
		time.Sleep(10 * time.Second)
		if err := <-holder; !fault.IsUnavailable(err) {
			t.Errorf("the request that began it: %v", err)
		}
		h.settle()
		h.wantFound(other, alice, "alice")
		if n := h.pool.refreshes(); n != 1 {
			t.Errorf("the pool is asked %d times", n)
		}
		if records := h.records(); len(records) != 1 || !records[0].LeaseUntil.IsZero() {
			t.Errorf("the lease is not free: %v", records)
		}
	})
}

// TestS640_AKilledHolderCostsALease: nothing is heard any more of the process that has the
// lease. Whoever waits for it is served, within the patience of a request.
func TestS640_AKilledHolderCostsALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, ways[0], time.Now)
		s, _ := h.begin()
		other, _ := h.begin()
		alice := h.signIn(s, "alice", nil)
		h.settle()
		time.Sleep(61 * time.Minute)
		never := make(chan struct{})
		var killed atomic.Bool
		h.point = func(s step) {
			if s.actor != "killed" {
				return
			}
			if s.kind == "pool refresh" {
				time.Sleep(5 * time.Second) // it extends the lease, and then
				killed.Store(true)
			}
			if killed.Load() {
				<-never
			}
		}
		ctx := context.WithValue(t.Context(), actorKey{}, "killed")
		go s.Find(httptest.NewRecorder(), alice.request().WithContext(ctx))
		time.Sleep(5 * time.Second)
		began := time.Now()
		h.wantFound(other, alice, "alice")
		if took := time.Since(began); took > 8*time.Second+100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		close(never) // it was no more than held up, and finds its token spent
		h.settle()
		h.wantFound(s, alice, "alice")
		h.wantFound(other, alice, "alice")
		if n := h.pool.good("alice"); n != 1 {
			t.Errorf("%d grants are good", n)
		}
	})
}

// TestS640_WhatHappensUnderALease: it is extended over what others write to the row, and
// that stays.
func TestS640_WhatHappensUnderALease(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 5 * time.Second} { // before it is extended, and after that
		leased(t, 10*time.Second, func(h *house, alice jar, other *keep.Sessions, holder <-chan error) {
			time.Sleep(after)
			if err := h.mark("alice"); err != nil {
				t.Fatal(err)
			}
			if err := <-holder; err != nil {
				t.Errorf("the holder: %v", err)
			}
			h.settle()
			h.wantFound(other, alice, "alice")
			// The first was asked before the mark, and says nothing of what came after.
			if n := h.pool.refreshes(); n != 2 {
				t.Errorf("marked after %v: the pool is asked %d times, want 2", after, n)
			}
			if records := h.records(); len(records) != 1 || !records[0].LeaseUntil.IsZero() || records[0].Stale {
				t.Errorf("marked after %v: %v", after, records)
			}
		})
		leased(t, 10*time.Second, func(h *house, alice jar, other *keep.Sessions, holder <-chan error) {
			time.Sleep(after)
			if err := other.End(t.Context(), httptest.NewRecorder(), alice.request()); err != nil {
				t.Fatal(err)
			}
			<-holder
			h.settle()
			h.wantFound(other, alice, "")
			if n := h.pool.good("alice"); n != 0 {
				t.Errorf("signed out after %v: %d grants are good", after, n)
			}
		})
		leased(t, 10*time.Second, func(h *house, alice jar, other *keep.Sessions, holder <-chan error) {
			time.Sleep(after)
			h.pool.mu.Lock()
			h.pool.answer = errAway
			h.pool.mu.Unlock()
			if err := <-holder; !fault.IsUnavailable(err) {
				t.Errorf("the holder: %v", err)
			}
			h.pool.answer = nil
			began := time.Now()
			h.wantFound(other, alice, "alice") // the lease was given back
			if took := time.Since(began); took > time.Second {
				t.Errorf("the next one waits for %v", took)
			}
		})
	}
}

// forgetful is a store whose writes of a lease come to nothing, or are made and not
// answered, from some moment on.
type forgetful struct {
	session.Store
	mu      sync.Mutex
	made    bool
	answers int // of writes of a lease, before that begins
	fails   int // how often
}

func (s *forgetful) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.LeaseUntil.IsZero() {
		return s.Store.CompareAndSwap(ctx, r)
	}
	if s.answers--; s.answers < 0 && s.fails > 0 {
		s.fails--
		if s.made {
			if _, err := s.Store.CompareAndSwap(ctx, r); err != nil {
				return session.Record{}, err
			}
		}
		return session.Record{}, session.ErrUnavailable
	}
	return s.Store.CompareAndSwap(ctx, r)
}

// TestS640_AStoreThatFailsUnderALease: a write that was not answered may have been made. The
// holder goes on with what it finds, and gives its lease back.
func TestS640_AStoreThatFailsUnderALease(t *testing.T) {
	for _, made := range []bool{false, true} {
		for fails := 1; fails <= 4; fails++ {
			for _, lasts := range []time.Duration{2200 * time.Millisecond, 14 * time.Second} {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t, ways[0], time.Now)
					h.store.Store = &forgetful{Store: h.store.Store, made: made, answers: 1, fails: fails}
					s, _ := h.begin()
					other, _ := h.begin()
					alice := h.signIn(s, "alice", nil)
					h.settle()
					time.Sleep(61 * time.Minute)
					h.point = func(s step) {
						if s.kind == "pool refresh" {
							time.Sleep(lasts)
						}
					}
					var both sync.WaitGroup
					for _, s := range []*keep.Sessions{s, other} {
						both.Go(func() { h.wantFound(s, alice, "alice") })
						synctest.Wait()
					}
					both.Wait()
					h.settle()
					if n := h.pool.refreshes(); n != 1 {
						t.Errorf("made %t, %d failures, %v: the pool is asked %d times", made, fails, lasts, n)
					}
					if records := h.records(); len(records) != 1 || !records[0].LeaseUntil.IsZero() {
						t.Errorf("made %t, %d failures, %v: the lease is not free", made, fails, lasts)
					}
				})
			}
		}
	}
}

// TestS640_APanicUnderALease: it is given back as it was extended last.
func TestS640_APanicUnderALease(t *testing.T) {
	leased(t, 0, func(h *house, alice jar, other *keep.Sessions, holder <-chan error) {
		<-holder
		h.settle()
		time.Sleep(61 * time.Minute)
		h.point = func(s step) {
			if s.kind == "pool refresh" {
				time.Sleep(5 * time.Second)
				panic("of a client that is not ours")
			}
		}
		if who, _, err := find(other, alice); who != "" || !fault.IsUnavailable(err) {
			t.Errorf("%q, %v", who, err)
		}
		if records := h.records(); len(records) != 1 || !records[0].LeaseUntil.IsZero() {
			t.Errorf("the lease is not free: %v", records)
		}
	})
}

// TestS640_ALeaseIsLost: who was held up for longer than its lease does not take it back
// from whoever has it then.
func TestS640_ALeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, ways[0], time.Now)
		h.pool.keeps = true
		s, _ := h.begin()
		other, _ := h.begin()
		alice := h.signIn(s, "alice", nil)
		h.settle()
		time.Sleep(61 * time.Minute)
		began := time.Now()
		var swaps atomic.Int32
		h.point = func(s step) {
			switch late := s.actor == "held up"; {
			case late && s.kind == "store swap":
				if swaps.Add(1) == 2 {
					time.Sleep(time.Until(began.Add(12 * time.Second)))
				}
			case late && s.kind == "pool refresh":
				time.Sleep(24 * time.Second)
			case s.kind == "pool refresh":
				time.Sleep(10 * time.Second)
			}
		}
		ctx := context.WithValue(t.Context(), actorKey{}, "held up")
		go s.Find(httptest.NewRecorder(), alice.request().WithContext(ctx))
		synctest.Wait()
		go find(other, alice)
		time.Sleep(17 * time.Second)
		if n := swaps.Load(); n != 2 {
			t.Errorf("it writes to the row %d times, once to take the lease and once to extend it", n)
		}
		h.settle()
		h.wantFound(s, alice, "alice")
		if records := h.records(); len(records) != 1 || !records[0].LeaseUntil.IsZero() {
			t.Errorf("the lease is not free: %v", records)
		}
	})
}
