package replicatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/codegrant/codegrant/replica"
)

// crowd is how many callers do something at once.
const crowd = 100

// together calls f for every number below crowd at the same time, and fails for
// each error.
func (t *test) together(f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, crowd)
	for i := range crowd {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	failed := 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		if failed++; failed <= 3 {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if failed > 3 {
		t.Errorf("and %d more calls failed", failed-3)
	}
}

var concurrencyCases = []testCase{
	{
		name: "concurrency/a hundred sign-ins of one new person",
		why:  "A page loads ten things at once, on ten servers. A person must come out of that as one, and no request may fail for it.",
		run: func(t *test) {
			s := t.store()
			var created atomic.Int32
			var ids sync.Map
			t.together(func(int) error {
				c, err := s.Apply(t.Context(), person(1, 0, in("a", "b", "c"), func(s *replica.Snapshot) { s.SignIn = true }))
				if c.Created {
					created.Add(1)
				}
				ids.Store(c.User.ID, true)
				if err == nil && groups(c.User) != "a(p) b(p) c(p)" {
					err = fmt.Errorf("groups = %q", groups(c.User))
				}
				return err
			})
			if created.Load() != 1 {
				t.Errorf("%d calls say that they created the user", created.Load())
			}
			n := 0
			ids.Range(func(any, any) bool { n++; return true })
			if users := t.all(s, replica.UserQuery{Issuer: issuer}); n != 1 || len(users) != 1 {
				t.Errorf("%d users, reported under %d IDs; want one", len(users), n)
			}
			if got := len(t.allGroups(s, issuer)); got != 3 {
				t.Errorf("%d groups, want 3", got)
			}
		},
	},
	{
		name: "concurrency/a hundred new people in the same new groups",
		why:  "On the first day everybody comes at once, and nobody's groups exist yet.",
		run: func(t *test) {
			s := t.store()
			t.together(func(i int) error {
				c, err := s.Apply(t.Context(), person(i, 0, in("z", "a", "m", fmt.Sprint("own-", i%7))))
				if err == nil && !c.Created {
					err = errors.New("not created")
				}
				return err
			})
			users := t.all(s, replica.UserQuery{Issuer: issuer})
			if len(users) != crowd {
				t.Errorf("%d users, want %d", len(users), crowd)
			}
			for _, u := range users {
				if len(u.Groups) != 4 {
					t.Errorf("groups of %s = %q", u.Username, groups(u))
				}
			}
			if got := len(t.allGroups(s, issuer)); got != 10 {
				t.Errorf("%d groups, want 10", got)
			}
		},
	},
	{
		name: "concurrency/a hundred statements about one person",
		why:  "Sessions in many places refresh at once. Whatever order the statements are made in, the last one of the pool holds, and nothing is lost between them.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, -1)).User.ID
			t.together(func(i int) error {
				_, err := s.Apply(t.Context(), person(1, i, in(fmt.Sprint("g", i), fmt.Sprint("h", i/2)), func(s *replica.Snapshot) {
					s.Name, s.SignIn = fmt.Sprint("Name ", i), true
				}))
				return err
			})
			u := t.user(s, id)
			if u.Name != fmt.Sprint("Name ", crowd-1) || groups(u) != "g99(p) h49(p)" || !u.AsOf.Equal(at(crowd-1)) ||
				!u.FirstSignIn.Equal(at(0)) || !u.LastSignIn.Equal(at(crowd-1)) {
				t.Errorf("user = %s", show(u))
			}
		},
	},
	{
		name: "concurrency/a repeated statement beside an older statement",
		why:  "Two events of one person are handled at the same moment by two servers. Which of them comes second must not decide.",
		run: func(t *test) {
			s := t.store()
			state := func(number, seconds int, group string) error {
				_, err := s.Apply(t.Context(), person(number, seconds, in(group), func(s *replica.Snapshot) { s.Name = group }))
				return err
			}
			for number := range crowd / 2 {
				if err := state(number, 1, "a"); err != nil {
					t.Fatal(err)
				}
			}
			t.together(func(i int) error {
				if i%2 == 0 {
					return state(i/2, 2, "b")
				}
				return state(i/2, 3, "a")
			})
			for _, u := range t.all(s, replica.UserQuery{Issuer: issuer}) {
				if u.Name != "a" || groups(u) != "a(p)" || !u.AsOf.Equal(at(3)) || !u.GroupsAsOf.Equal(at(3)) {
					t.Errorf("user = %s", show(u))
				}
			}
		},
	},
	{
		name: "concurrency/local grants beside statements of the pool",
		why:  "Two sides write the memberships of one person. Neither may undo the other's.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, -1, in("pool"))).User.ID
			t.together(func(i int) error {
				var err error
				switch i % 4 {
				case 0:
					_, err = s.GrantLocalGroup(t.Context(), id, fmt.Sprint("local-", i%16))
				case 1:
					_, err = s.Apply(t.Context(), person(1, i, in("pool", fmt.Sprint("p", i))))
				case 2:
					_, err = s.GrantLocalGroup(t.Context(), id, "pool")
				case 3:
					_, err = s.RevokeLocalGroup(t.Context(), id, "never granted")
				}
				return err
			})
			t.expectGroups(t.user(s, id), "local-0(l) local-12(l) local-4(l) local-8(l) p97(p) pool(pl)")
		},
	},
	{
		name: "concurrency/readers see whole changes",
		why:  "Somebody who is moved from one group to another is never, for a moment, in both or in neither.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0, in("even", "x"), func(s *replica.Snapshot) { s.Name = "even" })).User.ID
			whole := func(u replica.User) error {
				if len(u.Groups) != 2 || u.Groups[0].Name != u.Name {
					return fmt.Errorf("named %q, in %q", u.Name, groups(u))
				}
				return nil
			}
			t.together(func(i int) error {
				if i < 10 {
					for j := range 10 {
						name := []string{"even", "odd"}[(i+j)%2]
						if _, err := s.Apply(t.Context(), person(1, i*10+j, in(name, "x"), func(s *replica.Snapshot) { s.Name = name })); err != nil {
							return err
						}
					}
					return nil
				}
				u, err := s.User(t.Context(), id)
				if err == nil {
					err = whole(u)
				}
				if err != nil {
					return err
				}
				page, err := s.Users(t.Context(), replica.UserQuery{Issuer: issuer})
				if err == nil {
					err = whole(page.Users[0])
				}
				return err
			})
		},
	},
}

var contextCases = []testCase{
	{
		name: "context/ended before",
		why:  "A call must stop when its request ends. The end of a request must not change what is known of a person.",
		run: func(t *test) {
			s := t.store()
			known := t.apply(s, person(1, 0, in("a"))).User
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			calls := map[string]func() error{
				"Apply of a new user":   func() error { _, err := s.Apply(ctx, person(2, 0, in("b"))); return err },
				"Apply of a known user": func() error { _, err := s.Apply(ctx, person(1, 1, in("b"))); return err },
				"User":                  func() error { _, err := s.User(ctx, known.ID); return err },
				"UserBySubject":         func() error { _, err := s.UserBySubject(ctx, issuer, known.Subject); return err },
				"UserByUsername":        func() error { _, err := s.UserByUsername(ctx, issuer, known.Username); return err },
				"UsersByEmail":          func() error { _, err := s.UsersByEmail(ctx, issuer, known.Email); return err },
				"Users":                 func() error { _, err := s.Users(ctx, replica.UserQuery{Issuer: issuer}); return err },
				"Groups":                func() error { _, err := s.Groups(ctx, replica.GroupQuery{Issuer: issuer}); return err },
				"GrantLocalGroup":       func() error { _, err := s.GrantLocalGroup(ctx, known.ID, "b"); return err },
				"RevokeLocalGroup":      func() error { _, err := s.RevokeLocalGroup(ctx, known.ID, "a"); return err },
			}
			for name, call := range calls {
				if err := call(); !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, context.Canceled) || errors.Is(err, replica.ErrNotFound) {
					t.Errorf("%s: %v; want ErrUnavailable and context.Canceled", name, err)
				}
			}
			t.sameUser("user after all that", t.user(s, known.ID), known)
			if users := t.all(s, replica.UserQuery{Issuer: issuer}); len(users) != 1 || len(t.allGroups(s, issuer)) != 1 {
				t.Errorf("%d users and %d groups, want one of each", len(users), len(t.allGroups(s, issuer)))
			}
		},
	},
	{
		name: "context/storm of cancellations (S-165)",
		why:  "Browsers give up while a row is being read. Nobody else may be shown what was read for them.",
		run: func(t *test) {
			s := t.store()
			var known []replica.User
			for i := range 4 {
				known = append(known, t.apply(s, person(i, 0, in(fmt.Sprint("g", i)))).User)
			}
			t.together(func(i int) error {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				want := known[i%len(known)]
				if i%3 == 0 {
					go cancel()
				}
				u, err := s.UserBySubject(ctx, want.Issuer, want.Subject)
				switch {
				case err == nil && (u.ID != want.ID || groups(u) != groups(want)):
					return fmt.Errorf("asked for %s, got %s", want.Username, show(u))
				case err != nil && (!errors.Is(err, replica.ErrUnavailable) || i%3 != 0):
					return err
				}
				return nil
			})
		},
	},
}
