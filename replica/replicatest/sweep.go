package replicatest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

func (t *test) sweep(s replica.BatchStore, pass string, o replica.SweepOptions) replica.SweepResult {
	t.Helper()
	result, err := s.Sweep(t.Context(), issuer, pass, o)
	if err != nil {
		t.Fatalf("Sweep after %q: %v", pass, err)
	}
	return result
}

// subjectsOf are the people whom a sweep has marked as deleted, sorted.
func subjectsOf(changes []replica.Change) []string {
	var subjects []string
	for _, c := range changes {
		subjects = append(subjects, c.User.Subject)
	}
	slices.Sort(subjects)
	return subjects
}

var sweepCases = []testCase{
	{
		name: "sweep/marks whom the pass did not see (S-117)",
		why:  "A person who is deleted from the pool must lose all rights here. The row must stay, because tables of the application refer to it.",
		run: func(t *test) {
			var heard []replica.Change
			f := func(_ context.Context, c replica.Change) error { heard = append(heard, c); return nil }
			s := t.batchStore(hook(&f))
			t.applyBatch(s, people(0, 20, 0, in("a", "b"))...)
			t.apply(s, person(0, 0, func(s *replica.Snapshot) { s.Issuer, s.Email = otherIssuer, "other@example.com" }))
			gone := t.bySubject(s, person(3, 0))
			t.grant(s, gone.ID, "mine")
			before := t.all(s, replica.UserQuery{Issuer: issuer})
			said := people(0, 20, 100, in("a", "b"), by("pass"))
			t.applyBatch(s, slices.Delete(said, 3, 4)...)
			heard = nil

			o := replica.SweepOptions{Began: at(90)}
			result := t.sweep(s, "pass", o)
			if result.Known != 20 || result.Unseen != 1 || len(result.Changes) != 1 {
				t.Fatalf("Sweep = %d known, %d unseen, %d changes; want 20, 1, 1", result.Known, result.Unseen, len(result.Changes))
			}
			c := result.Changes[0]
			if c.User.ID != gone.ID || !slices.Equal(c.Fields, []string{"deleted", "enabled", "groups"}) || !slices.Equal(c.GroupsRemoved, []string{"a", "b"}) ||
				c.Before == nil || !c.Before.Enabled || groups(*c.Before) != "a(p) b(p) mine(l)" {
				t.Errorf("change = %+v", c)
			}
			if !t.harness.NoOnChange && (len(heard) != 1 || heard[0].User.ID != gone.ID || !heard[0].Has("deleted")) {
				t.Errorf("the hook got %+v", heard)
			}

			u := t.user(s, gone.ID)
			t.sameUser("user of the change", c.User, u)
			if !u.Deleted.Equal(clock) || u.Enabled || u.InGroup("a") || u.InGroup("mine") || u.Username != "user-3" || !u.Updated.Equal(clock) {
				t.Errorf("deleted user = %s, deleted %v", show(u), u.Deleted)
			}
			t.expectGroups(u, "mine(l)")
			t.sameUser("deleted user by subject", t.bySubject(s, person(3, 0)), u)
			if _, err := s.UserByUsername(t.Context(), issuer, "user-3"); !errors.Is(err, replica.ErrNotFound) {
				t.Errorf("UserByUsername of a deleted user: %v, want ErrNotFound", err)
			}
			if users, err := s.UsersByEmail(t.Context(), issuer, "user-3@example.com"); err != nil || len(users) != 0 {
				t.Errorf("UsersByEmail of a deleted user: %d, %v; want nobody", len(users), err)
			}
			for _, q := range []replica.UserQuery{{}, {Search: "user-3"}, {Group: "mine"}, {Group: "a"}} {
				q.Issuer = issuer
				without := subjects(t.all(s, q))
				q.Deleted = true
				with := subjects(t.all(s, q))
				if slices.Contains(without, gone.Subject) || slices.Contains(with, gone.Subject) == (q.Group == "a") {
					t.Errorf("Users(%+v) = %d, and %d with the deleted", q, len(without), len(with))
				}
			}
			for _, u := range t.all(s, replica.UserQuery{Issuer: issuer}) {
				i := slices.IndexFunc(before, func(b replica.User) bool { return b.ID == u.ID })
				u.AsOf, u.GroupsAsOf = before[i].AsOf, before[i].GroupsAsOf
				t.sameUser("user whom the pass saw", u, before[i])
			}
			if u := t.bySubject(s, person(0, 0, func(s *replica.Snapshot) { s.Issuer = otherIssuer })); !u.Deleted.IsZero() {
				t.Error("a sweep reached another pool")
			}

			heard = nil
			t.writesNothing(s, gone.ID, func() replica.Change {
				if result := t.sweep(s, "pass", o); result.Known != 19 || result.Unseen != 0 || len(result.Changes) != 0 {
					t.Errorf("sweeping again = %+v, want nothing to do", result)
				}
				return replica.Change{User: t.user(s, gone.ID)}
			})
			if len(heard) != 0 {
				t.Errorf("sweeping again told the hook of %d changes", len(heard))
			}
		},
	},
	{
		name: "sweep/refuses beyond a share (S-118)",
		why:  "A listing that ends early, or is empty, looks like a pool whose users are gone. It must not end everybody's rights.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 20, 0, in("a"))...)
			t.applyBatch(s, people(0, 17, 100, in("a"), by("pass"))...)
			before := t.all(s, replica.UserQuery{Issuer: issuer})
			for _, test := range []struct {
				pass  string
				share float64
			}{{"pass", 0}, {"pass", 0.1499}, {"empty", 0}, {"empty", 0.99}} {
				result, err := s.Sweep(t.Context(), issuer, test.pass, replica.SweepOptions{Began: at(101), MaxShare: test.share})
				if !errors.Is(err, replica.ErrSweepTooLarge) || errors.Is(err, replica.ErrUnavailable) || errors.Is(err, replica.ErrInvalid) || len(result.Changes) != 0 || result.Known != 20 {
					t.Errorf("Sweep after %q up to %v = %+v, %v; want ErrSweepTooLarge", test.pass, test.share, result, err)
				}
			}
			for i, u := range t.all(s, replica.UserQuery{Issuer: issuer}) {
				t.sameUser("user after refused sweeps", u, before[i])
			}
			if result := t.sweep(s, "pass", replica.SweepOptions{Began: at(101), MaxShare: 0.15}); len(result.Changes) != 3 {
				t.Errorf("Sweep up to the very share changed %d, want 3", len(result.Changes))
			}
			if result := t.sweep(s, "another", replica.SweepOptions{Began: at(200), MaxShare: 1}); result.Known != 17 || len(result.Changes) != 17 {
				t.Errorf("Sweep of any share = %d known, %d changes; want 17", result.Known, len(result.Changes))
			}
			if result := t.sweep(s, "another", replica.SweepOptions{Began: at(200)}); result.Known != 0 || len(result.Changes) != 0 {
				t.Errorf("Sweep of nobody = %+v", result)
			}
		},
	},
	{
		name: "sweep/sees whom a pass saw in any way",
		why:  "Whether somebody had changed, and who told of them, is no reason to take them for deleted.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 6, 0, in("a"))...)
			t.applyBatch(s, people(0, 6, 0, in("a"), by("first"))...)
			saw := func(pass string, want ...string) {
				t.Helper()
				result, err := s.Sweep(t.Context(), issuer, pass, replica.SweepOptions{Began: at(1000), MaxShare: 1e-9})
				if result.Unseen != len(want) || (err != nil) != (len(want) > 0) {
					t.Errorf("after %q, %d were not seen, %v; want %d", pass, result.Unseen, err, len(want))
				}
			}
			saw("first")
			saw("second", "all", "of", "them", "were", "not", "seen")
			t.applyBatch(s, person(0, 0, in("a"), by("second")))                                                           // unchanged
			t.applyBatch(s, person(1, 1, in("a"), by("second")))                                                           // said later
			t.applyBatch(s, person(2, 1, in("b"), by("second")))                                                           // changed
			t.applyBatch(s, person(3, -1, in("b"), by("second")))                                                          // said earlier
			t.apply(s, person(4, 0, in("a"), by("second")))                                                                // one by one, unchanged
			t.apply(s, person(5, 1, in("b"), by("second")))                                                                // one by one, changed
			t.apply(s, person(6, 0, in("a"), by("second")))                                                                // new
			t.apply(s, person(0, 2, in("c")))                                                                              // and others go on
			t.apply(s, person(1, 2, in("a")))                                                                              // speaking of
			t.grant(s, t.bySubject(s, person(2, 0)).ID, "mine")                                                            // whom the
			t.apply(s, person(3, -9, func(s *replica.Snapshot) { s.SignIn, s.GroupsKnown = true, false; s.Groups = nil })) // pass saw
			saw("second")
		},
	},
	{
		name: "sweep/spares people who were stated since the pass began",
		why:  "Somebody who registers while the pool is being read is on a page that was read already.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 10, 0, in("a"))...)
			t.apply(s, person(7, 100, in("a")))                                                 // said again
			t.apply(s, person(8, 101, in("b")))                                                 // changed
			t.apply(s, person(9, 101, func(s *replica.Snapshot) { s.GroupsKnown = false }))     // but for groups
			t.apply(s, person(10, 100, in("a"), func(s *replica.Snapshot) { s.SignIn = true })) // new
			t.apply(s, person(11, 99, in("a")))                                                 // new, and gone
			result := t.sweep(s, "pass", replica.SweepOptions{Began: at(100), MaxShare: 1})
			var want []string
			for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 11} {
				want = append(want, person(i, 0).Subject)
			}
			if got := subjectsOf(result.Changes); !slices.Equal(got, want) || result.Known != 12 || result.Unseen != 8 {
				t.Errorf("swept %q of %d, want %q", got, result.Known, want)
			}
		},
	},
	{
		name: "sweep/late statements bring nobody back, newer ones do (S-117)",
		why:  "A token issued before somebody was deleted is presented after it. And where a sweep was wrong, the next statement must undo it.",
		run: func(t *test) {
			s := t.batchStore()
			id := t.apply(s, person(1, 0, in("a", "b"))).User.ID
			t.grant(s, id, "mine")
			gone := t.sweep(s, "pass", replica.SweepOptions{Began: at(100), MaxShare: 1}).Changes[0].User
			t.writesNothing(s, id, func() replica.Change {
				return t.apply(s, person(1, 99, in("a", "b"), func(s *replica.Snapshot) { s.Enabled, s.Complete = ptr(true), true }))
			})
			c := t.apply(s, person(1, 99, in("a"), func(s *replica.Snapshot) { s.SignIn = true }))
			if u := t.user(s, id); !u.Deleted.Equal(gone.Deleted) || u.Enabled || !slices.Equal(c.Fields, []string{"first_sign_in", "last_sign_in"}) {
				t.Errorf("a late sign-in made of them %s", show(u))
			}
			c = t.apply(s, person(1, 100, in("a", "b")))
			if !slices.Equal(c.Fields, []string{"deleted", "enabled", "groups"}) || c.Created || !slices.Equal(c.GroupsAdded, []string{"a", "b"}) {
				t.Errorf("change = %+v", c)
			}
			u := t.user(s, id)
			if !u.Deleted.IsZero() || !u.Enabled || !u.InGroup("a") || !u.InGroup("mine") {
				t.Errorf("stated anew: %s", show(u))
			}
			if u, err := s.UserByUsername(t.Context(), issuer, "user-1"); err != nil || u.ID != id {
				t.Errorf("UserByUsername = %d, %v", u.ID, err)
			}
			// Back, and disabled.
			t.sweep(s, "another", replica.SweepOptions{Began: at(200), MaxShare: 1})
			t.applyBatch(s, person(1, 300, in("a"), func(s *replica.Snapshot) { s.Enabled = ptr(false) }))
			if u := t.user(s, id); !u.Deleted.IsZero() || u.Enabled {
				t.Errorf("stated to be disabled: %s", show(u))
			}
		},
	},
	{
		name: "sweep/add-only keeps memberships",
		why:  "With the setting that groups are never removed, they stay, and the person cannot use them.",
		run: func(t *test) {
			s := t.batchStore(func(o *Options) { o.Policy = replica.AddOnly })
			id := t.apply(s, person(1, 0, in("a"))).User.ID
			t.sweep(s, "pass", replica.SweepOptions{Began: at(100), MaxShare: 1})
			u := t.user(s, id)
			t.expectGroups(u, "a(p)")
			if u.Deleted.IsZero() || u.Enabled || u.InGroup("a") {
				t.Errorf("user = %s", show(u))
			}
		},
	},
	{
		name: "sweep/one that is refused keeps nobody else",
		why:  "One person whom the application will not let go must not hold up everybody after them.",
		run: func(t *test) {
			if t.harness.NoOnChange {
				return
			}
			refusing := true
			f := func(_ context.Context, c replica.Change) error {
				if refusing && c.Has("deleted") && c.User.Username == "user-2" {
					return errHook
				}
				return nil
			}
			s := t.batchStore(hook(&f))
			t.applyBatch(s, people(0, 5, 0, in("a"))...)
			o := replica.SweepOptions{Began: at(100), MaxShare: 1}
			result, err := s.Sweep(t.Context(), issuer, "pass", o)
			var batch *replica.BatchError
			if !errors.Is(err, errHook) || errors.Is(err, replica.ErrUnavailable) || !errors.As(err, &batch) || len(batch.Refused) != 1 ||
				batch.Refused[0].Index != -1 || batch.Refused[0].Subject != person(2, 0).Subject || len(result.Changes) != 4 {
				t.Errorf("Sweep = %+v, %v", result, err)
			}
			if u := t.bySubject(s, person(2, 0)); !u.Deleted.IsZero() || !u.InGroup("a") {
				t.Errorf("user whom the hook refused: %s", show(u))
			}
			refusing = false
			if result := t.sweep(s, "pass", o); len(result.Changes) != 1 {
				t.Errorf("sweeping again changed %d, want the one that is left", len(result.Changes))
			}
		},
	},
	{
		name: "sweep/of many",
		why:  "A pool that is given up has a hundred thousand users, and no transaction should hold all of them.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 450, 0, in("a"))...)
			t.applyBatch(s, people(200, 300, 100, in("a"), by("pass"))...)
			result := t.sweep(s, "pass", replica.SweepOptions{Began: at(99), MaxShare: 1})
			if result.Known != 450 || result.Unseen != 350 || len(result.Changes) != 350 {
				t.Errorf("Sweep = %d known, %d unseen, %d changes", result.Known, result.Unseen, len(result.Changes))
			}
			if got := len(t.all(s, replica.UserQuery{Issuer: issuer, Limit: replica.MaxPage})); got != 100 {
				t.Errorf("%d users are left, want 100", got)
			}
			if got := len(t.all(s, replica.UserQuery{Issuer: issuer, Group: "a", Deleted: true, Limit: replica.MaxPage})); got != 100 {
				t.Errorf("%d members are left, want 100", got)
			}
		},
	},
	{
		name: "sweep/beside everything else",
		why:  "Somebody signs in at the very moment when a sweep comes to them. Whichever is first, they must be there afterwards.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, crowd, 0, in("a"))...)
			t.together(func(i int) error {
				if i%10 == 0 {
					_, err := s.Sweep(t.Context(), issuer, "pass", replica.SweepOptions{Began: at(50), MaxShare: 1})
					return err
				}
				_, err := s.Apply(t.Context(), person(i, 60, in("a"), func(s *replica.Snapshot) { s.SignIn = true }))
				return err
			})
			t.sweep(s, "pass", replica.SweepOptions{Began: at(50), MaxShare: 1})
			for _, u := range t.all(s, replica.UserQuery{Issuer: issuer, Deleted: true, Limit: replica.MaxPage}) {
				var number int
				_, err := fmt.Sscanf(u.Username, "user-%d", &number)
				if gone := number%10 == 0; err != nil || u.Deleted.IsZero() == gone || u.InGroup("a") == gone {
					t.Errorf("user = %s", show(u))
				}
			}
		},
	},
	{
		name: "sweep/impossible",
		why:  "A pass without a name or a beginning would sweep people by mistake.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 3, 0)...)
			for name, sweep := range map[string]struct {
				issuer, pass string
				o            replica.SweepOptions
			}{
				"no issuer":      {"", "pass", replica.SweepOptions{Began: at(1), MaxShare: 1}},
				"no pass":        {issuer, "", replica.SweepOptions{Began: at(1), MaxShare: 1}},
				"no beginning":   {issuer, "pass", replica.SweepOptions{MaxShare: 1}},
				"long pass":      {issuer, strings.Repeat("x", replica.MaxPassBytes+1), replica.SweepOptions{Began: at(1), MaxShare: 1}},
				"pass with NUL":  {issuer, "a\x00", replica.SweepOptions{Began: at(1), MaxShare: 1}},
				"negative share": {issuer, "pass", replica.SweepOptions{Began: at(1), MaxShare: -1}},
				"share above 1":  {issuer, "pass", replica.SweepOptions{Began: at(1), MaxShare: 10}},
				"no number":      {issuer, "pass", replica.SweepOptions{Began: at(1), MaxShare: math.NaN()}},
			} {
				if _, err := s.Sweep(t.Context(), sweep.issuer, sweep.pass, sweep.o); !errors.Is(err, replica.ErrInvalid) {
					t.Errorf("%s: %v, want ErrInvalid", name, err)
				}
			}
			changes, err := s.ApplyBatch(t.Context(), []replica.Snapshot{person(0, 1, by(strings.Repeat("x", replica.MaxPassBytes+1)))})
			if !errors.Is(err, replica.ErrInvalid) || len(changes) != 1 {
				t.Errorf("ApplyBatch in an impossible pass: %v, want ErrInvalid", err)
			}
			if got := len(t.all(s, replica.UserQuery{Issuer: issuer})); got != 3 {
				t.Errorf("%d users are left, want 3", got)
			}
			t.applyBatch(s, person(0, 1, by(strings.Repeat("𝒳", replica.MaxPassBytes/4))))
		},
	},
	{
		name: "sweep/in another time zone",
		why:  "When a pass began is an instant; read as a local time it sweeps people, or spares them, for hours.",
		run: func(t *test) {
			s := t.batchStore()
			t.apply(s, person(1, 100))
			for _, zone := range []*time.Location{time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)} {
				if result := t.sweep(s, "pass", replica.SweepOptions{Began: at(100).In(zone), MaxShare: 1}); result.Unseen != 0 {
					t.Errorf("in zone %v, %d were swept", zone, result.Unseen)
				}
			}
			if result := t.sweep(s, "pass", replica.SweepOptions{Began: at(101).In(time.FixedZone("", -12*3600)), MaxShare: 1}); result.Unseen != 1 {
				t.Errorf("%d were swept, want one", result.Unseen)
			}
		},
	},
}
