package replicatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

var errHook = errors.New("the application refuses")

// hook returns an option that calls whatever *f is at the time.
func hook(f *func(context.Context, replica.Change) error) func(*Options) {
	return func(o *Options) {
		o.OnChange = func(ctx context.Context, c replica.Change) error {
			if *f == nil {
				return nil
			}
			return (*f)(ctx, c)
		}
	}
}

// attempts are changes of every kind, about the person 1, who is known and in
// group "a", and the person 2, who is new.
var attempts = map[string]func(context.Context, replica.Store, int64) (replica.Change, error){
	"new user": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		return s.Apply(ctx, person(2, 0, in("a", "new group")))
	},
	"attributes": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		return s.Apply(ctx, person(1, 1, in("a"), func(s *replica.Snapshot) { s.Name = "Changed" }))
	},
	"groups": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		return s.Apply(ctx, person(1, 1, in("b", "c")))
	},
	"precedence": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		return s.Apply(ctx, person(1, 1, func(s *replica.Snapshot) { s.Groups = []replica.GroupRef{{Name: "a", Precedence: ptr(1)}} }))
	},
	"sign-in": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		return s.Apply(ctx, person(1, 1, in("a"), func(s *replica.Snapshot) { s.SignIn = true }))
	},
	"grant": func(ctx context.Context, s replica.Store, id int64) (replica.Change, error) {
		return s.GrantLocalGroup(ctx, id, "local")
	},
	"revoke": func(ctx context.Context, s replica.Store, id int64) (replica.Change, error) {
		return s.RevokeLocalGroup(ctx, id, "granted")
	},
}

// batchAttempts are further ones, of a store that takes batches.
var batchAttempts = map[string]func(context.Context, replica.Store, int64) (replica.Change, error){
	"batch": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		changes, err := s.(replica.BatchStore).ApplyBatch(ctx, []replica.Snapshot{person(1, 1, in("b", "c"))})
		return changes[0], err
	},
	"batch of a new user": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		changes, err := s.(replica.BatchStore).ApplyBatch(ctx, []replica.Snapshot{person(2, 1, in("b", "c"))})
		return changes[0], err
	},
	"sweep": func(ctx context.Context, s replica.Store, _ int64) (replica.Change, error) {
		result, err := s.(replica.BatchStore).Sweep(ctx, issuer, "pass", replica.SweepOptions{Began: at(60), MaxShare: 1})
		if len(result.Changes) != 1 {
			return replica.Change{}, err
		}
		return result.Changes[0], err
	},
}

// eachAttempt runs every kind of change on a store of its own, which does to its
// hook what prepare returns, and checks that nothing was changed.
func (t *test) eachAttempt(prepare func(ctx context.Context) (context.Context, func(context.Context, replica.Change) error), check func(t *test, try func(context.Context) error)) {
	t.Helper()
	all := maps.Clone(attempts)
	if !t.harness.NoBatch {
		maps.Copy(all, batchAttempts)
	}
	for name, attempt := range all {
		t.Run(name, func(tt *testing.T) {
			t := &test{T: tt, harness: t.harness}
			var f func(context.Context, replica.Change) error
			s := t.store(hook(&f))
			id := t.apply(s, person(1, 0, in("a"))).User.ID
			t.grant(s, id, "granted")
			before, groupsBefore := t.user(s, id), len(t.allGroups(s, issuer))

			ctx, h := prepare(t.Context())
			f = h
			check(t, func(context.Context) error {
				_, err := attempt(ctx, s, id)
				return err
			})
			f = nil
			t.sameUser("user afterwards", t.user(s, id), before)
			if users := t.all(s, replica.UserQuery{Issuer: issuer}); len(users) != 1 {
				t.Errorf("%d users, want one", len(users))
			}
			if n := len(t.allGroups(s, issuer)); n != groupsBefore {
				t.Errorf("%d groups, want %d", n, groupsBefore)
			}
			if c, err := attempt(t.Context(), s, id); err != nil || c.Empty() {
				t.Errorf("once more without fault: %v, empty %v", err, c.Empty())
			}
		})
	}
}

var hookCases = []testCase{
	{
		name: "hook/hears of every change and of nothing else",
		why:  "An application keeps its own tables in step by this call alone.",
		run: func(t *test) {
			var heard []replica.Change
			f := func(_ context.Context, c replica.Change) error { heard = append(heard, c); return nil }
			s := t.store(hook(&f))
			expect := func(c replica.Change) {
				t.Helper()
				if len(heard) != 1 {
					t.Fatalf("the hook was called %d times, want once", len(heard))
				}
				got := heard[0]
				t.sameUser("user that the hook got", got.User, c.User)
				if got.Created != c.Created || !slices.Equal(got.Fields, c.Fields) || !slices.Equal(got.GroupsAdded, c.GroupsAdded) || (got.Before == nil) != (c.Before == nil) {
					t.Errorf("the hook got %+v, the caller %+v", got, c)
				}
				heard = nil
			}
			c := t.apply(s, person(1, 0, in("a")))
			expect(c)
			id := c.User.ID
			expect(t.apply(s, person(1, 1, in("b"))))
			expect(t.apply(s, person(1, 2, in("b"), func(s *replica.Snapshot) { s.SignIn = true })))
			expect(t.grant(s, id, "mine"))
			expect(t.revoke(s, id, "mine"))
			t.apply(s, person(1, 3, in("b")))
			t.apply(s, person(1, -1, in("z")))
			t.revoke(s, id, "mine")
			if _, err := s.Apply(t.Context(), replica.Snapshot{}); !errors.Is(err, replica.ErrInvalid) {
				t.Errorf("Apply of nothing: %v", err)
			}
			if len(heard) != 0 {
				t.Errorf("the hook got %+v, though nothing has changed", heard)
			}
		},
	},
	{
		name: "hook/an error undoes the change",
		why:  "When the application cannot follow, the replica must not go ahead: the next attempt would change nothing, and the application would never learn of it.",
		run: func(t *test) {
			t.eachAttempt(func(ctx context.Context) (context.Context, func(context.Context, replica.Change) error) {
				return ctx, func(context.Context, replica.Change) error { return fmt.Errorf("sorry: %w", errHook) }
			}, func(t *test, try func(context.Context) error) {
				if err := try(t.Context()); !errors.Is(err, errHook) || errors.Is(err, replica.ErrUnavailable) || errors.Is(err, replica.ErrInvalid) {
					t.Errorf("%v; want the hook's own error", err)
				}
			})
		},
	},
	{
		name: "hook/a panic undoes the change",
		why:  "A mistake in the application must neither leave half a change nor a transaction that locks everybody out.",
		run: func(t *test) {
			t.eachAttempt(func(ctx context.Context) (context.Context, func(context.Context, replica.Change) error) {
				return ctx, func(context.Context, replica.Change) error { panic(errHook) }
			}, func(t *test, try func(context.Context) error) {
				defer func() {
					if got := recover(); got != errHook {
						t.Errorf("recovered %v, want the hook's panic", got)
					}
				}()
				t.Errorf("%v; want a panic", try(t.Context()))
			})
		},
	},
	{
		name: "hook/a context that ends meanwhile undoes the change",
		why:  "The server gets a signal to stop while somebody signs in.",
		run: func(t *test) {
			t.eachAttempt(func(ctx context.Context) (context.Context, func(context.Context, replica.Change) error) {
				ctx, cancel := context.WithCancel(ctx)
				t.Cleanup(cancel)
				return ctx, func(context.Context, replica.Change) error { cancel(); return nil }
			}, func(t *test, try func(context.Context) error) {
				if err := try(t.Context()); !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, context.Canceled) {
					t.Errorf("%v; want ErrUnavailable and context.Canceled", err)
				}
			})
		},
	},
	{
		name: "hook/in a crowd gets each change that is made",
		why:  "Of a hundred who create a person only one does, and the application greets newcomers once.",
		run: func(t *test) {
			var mu sync.Mutex
			told, created := make(map[int64]bool), 0
			f := func(_ context.Context, c replica.Change) error {
				mu.Lock()
				defer mu.Unlock()
				if c.Created {
					told[c.User.ID] = true
				}
				return nil
			}
			s := t.store(hook(&f))
			t.together(func(i int) error {
				c, err := s.Apply(t.Context(), person(i%5, 0, in("a")))
				mu.Lock()
				defer mu.Unlock()
				if c.Created {
					created++
				}
				return err
			})
			// The hook may hear of a change in a transaction that is repeated, too.
			users := t.all(s, replica.UserQuery{Issuer: issuer})
			for _, u := range users {
				if !told[u.ID] {
					t.Errorf("the hook did not get user %d", u.ID)
				}
			}
			if len(users) != 5 || created != 5 {
				t.Errorf("%d users, and %d calls that made one; want 5", len(users), created)
			}
		},
	},
}
