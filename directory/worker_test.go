package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestEventNames: what a rule lets through is what is looked into, and a name for
// each kind of reason is among it.
func TestEventNames(t *testing.T) {
	names := EventNames()
	for _, want := range []string{
		// The pattern that the rule is to have, whatever else it has.
		"AdminCreateUser", "AdminDeleteUser", "DeleteUser", "AdminDisableUser", "AdminEnableUser", "AdminUpdateUserAttributes",
		"AdminDeleteUserAttributes", "UpdateUserAttributes", "AdminConfirmSignUp", "ConfirmSignUp", "AdminAddUserToGroup",
		"AdminRemoveUserFromGroup", "CreateGroup", "UpdateGroup", "DeleteGroup", "AdminLinkProviderForUser", "AdminDisableProviderForUser",
		"AdminUserGlobalSignOut",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, name := range names {
		if operations[name] == 0 || strings.Contains(name, "_") {
			t.Errorf("%s is not an operation", name)
		}
	}
	if !slices.IsSorted(names) {
		t.Error("they are not sorted")
	}
}

// fixed is a source of one user, who says when somebody asks.
type fixed struct {
	Source
	asked chan string   // nil: nobody is told
	going chan struct{} // nil: answers at once
}

func (f fixed) User(ctx context.Context, subject string) (User, error) {
	if f.asked != nil {
		f.asked <- subject
	}
	if f.going != nil {
		select {
		case <-f.going:
		case <-ctx.Done():
			return User{}, ctx.Err()
		}
	}
	return User{Username: "user " + subject, Enabled: true, Status: "CONFIRMED", Attributes: map[string]string{"sub": subject}, AsOf: time.Now()}, nil
}

func (f fixed) Users(context.Context, UserQuery) (UserPage, error) {
	u, err := fixed{}.User(context.Background(), "s-1")
	return UserPage{Users: []User{u}, AsOf: u.AsOf}, err
}

func (fixed) Groups(context.Context, string) (GroupPage, error) { return GroupPage{}, ErrNoGroups }

func newFixedSync(t *testing.T, issuer string, source Source, journal Journal, store *sqlreplica.Store) *Sync {
	t.Helper()
	s, err := New(Config{Source: source, Issuer: issuer, Replica: store, Journal: journal, Recheck: -1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWorker_Pools: events of several pools come through one queue, and those of
// each are dealt with in its own, also while another pool does not answer.
func TestWorker_Pools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newReplica(t, sqlreplica.Config{})
		stuck := fixed{asked: make(chan string, 9), going: make(chan struct{})}
		q := newQueue()
		worker, err := NewWorker(WorkerConfig{Queue: q, Pools: Pools{
			"p_A": newFixedSync(t, "issuer a", fixed{}, NewMemoryJournal(), store),
			"p_B": newFixedSync(t, "issuer b", stuck, NewMemoryJournal(), store),
		}})
		if err != nil {
			t.Fatal(err)
		}
		in := func(pool, body string) string { return strings.ReplaceAll(body, poolID, pool) }
		q.send(in("p_A", event("AdminCreateUser", "s-1", "")))
		q.send(in("p_B", event("AdminCreateUser", "s-2", "")))
		q.send(in("p_C", event("AdminCreateUser", "s-3", "")))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- worker.Run(ctx) }()
		if got := <-stuck.asked; got != "s-2" {
			t.Errorf("pool B is asked for %s", got)
		}
		synctest.Wait()
		if _, err := store.UserBySubject(t.Context(), "issuer a", "s-1"); err != nil {
			t.Error("pool A waits for pool B:", err)
		}
		if q.empty() {
			t.Error("messages are taken from the queue before they are dealt with")
		}
		close(stuck.going)
		synctest.Wait()
		if _, err := store.UserBySubject(t.Context(), "issuer b", "s-2"); err != nil {
			t.Error(err)
		}
		if !q.empty() {
			t.Error("messages stay in the queue")
		}
		cancel()
		<-done
	})
}

// TestWorker_Stops: what is under way when it is to end is finished, what takes too
// long stays in the queue, and nothing more is taken.
func TestWorker_Stops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		empty bool
	}{{"in time", 5 * time.Second, true}, {"too late", time.Minute, false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newReplica(t, sqlreplica.Config{})
				source := fixed{asked: make(chan string, 9), going: make(chan struct{})}
				q := newQueue()
				q.send(event("AdminCreateUser", "s-1", ""))
				worker, err := NewWorker(WorkerConfig{Queue: q, Pools: Pools{poolID: newFixedSync(t, "issuer", source, NewMemoryJournal(), store)}, Concurrency: 1})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- worker.Run(ctx) }()
				<-source.asked
				cancel()
				time.AfterFunc(tt.takes, func() { close(source.going) })
				begun := time.Now()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("Run = %v", err)
				}
				if q.empty() != tt.empty {
					t.Errorf("after %s the queue is empty: %t", time.Since(begun), q.empty())
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("it took %s to stop", took)
				}
				q.mu.Lock()
				defer q.mu.Unlock()
				if q.received["m0"] != 1 {
					t.Errorf("received %d times", q.received["m0"])
				}
			})
		})
	}
}

func TestNewWorker_NamesEveryFault(t *testing.T) {
	_, err := NewWorker(WorkerConfig{Grace: -1, Pools: Pools{"": nil}})
	for _, want := range []string{"Queue", "Pools", "Grace"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
}

// TestPasses: of two processes one makes the passes, on time, and the other takes
// over when it ends.
func TestPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, journal := newReplica(t, sqlreplica.Config{}), NewMemoryJournal()
		var made [2]atomic.Int64
		var full [2]atomic.Int64
		var ends [2]context.CancelFunc
		var all sync.WaitGroup
		for i := range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			ends[i] = cancel
			s := newFixedSync(t, "issuer", fixed{}, journal, store)
			all.Go(func() {
				err := s.Passes(ctx, Schedule{Every: time.Hour, Options: Options{Full: true}, Done: func(r Report, err error) {
					if err != nil || r.Phase != "done" {
						t.Errorf("pass: %+v, %v", r, err)
					}
					made[i].Add(1)
					if r.Full {
						full[i].Add(1)
					}
				}})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Passes = %v", err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(3*time.Hour - time.Minute)
		synctest.Wait()
		if a, b := made[0].Load(), made[1].Load(); a != 3 || b != 0 || full[0].Load() != 2 {
			t.Errorf("%d and %d passes in three hours, %d of them full", a, b, full[0].Load())
		}
		ends[0]()
		time.Sleep(time.Minute)
		synctest.Wait()
		if b := made[1].Load(); b != 1 {
			t.Errorf("after the other process has ended: %d passes", b)
		}
		ends[1]()
		all.Wait()
	})
}

// failing is a source that does not answer for a while.
type failing struct {
	fixed
	left *atomic.Int64
}

func (f failing) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	if f.left.Add(-1) >= 0 {
		return UserPage{}, ErrUnavailable
	}
	return f.fixed.Users(ctx, q)
}

// TestPasses_GoOn: a pass that fails is gone on with soon, and ends nothing.
func TestPasses_GoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, journal := newReplica(t, sqlreplica.Config{}), NewMemoryJournal()
		var left atomic.Int64
		left.Store(2)
		s := newFixedSync(t, "issuer", failing{left: &left}, journal, store)
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		failed := 0
		err := s.Passes(ctx, Schedule{Every: time.Hour, Done: func(r Report, err error) {
			if err == nil {
				cancel()
			} else if failed++; !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		}})
		if !errors.Is(err, context.Canceled) || failed != 2 {
			t.Errorf("%d failed, %v", failed, err)
		}
		if took := time.Since(begun); took != 2*time.Minute {
			t.Errorf("done after %s, want two minutes", took)
		}
	})
}
