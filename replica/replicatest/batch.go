package replicatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/codegrant/codegrant/replica"
)

// batchStore is store, of a harness without NoBatch.
func (t *test) batchStore(edits ...func(*Options)) replica.BatchStore {
	t.Helper()
	s, ok := t.store(edits...).(replica.BatchStore)
	if !ok {
		t.Fatal("the store is not a replica.BatchStore: set Harness.NoBatch")
	}
	return s
}

func (t *test) applyBatch(s replica.BatchStore, snapshots ...replica.Snapshot) []replica.Change {
	t.Helper()
	changes, err := s.ApplyBatch(t.Context(), snapshots)
	if err != nil {
		t.Fatalf("ApplyBatch of %d: %v", len(snapshots), err)
	}
	if len(changes) != len(snapshots) {
		t.Fatalf("ApplyBatch of %d returned %d changes", len(snapshots), len(changes))
	}
	return changes
}

// by returns an edit that makes a snapshot part of a pass.
func by(pass string) func(*replica.Snapshot) {
	return func(s *replica.Snapshot) { s.Pass = pass }
}

// people returns snapshots of the people from first and before end.
func people(first, end, seconds int, edits ...func(*replica.Snapshot)) []replica.Snapshot {
	var snapshots []replica.Snapshot
	for i := first; i < end; i++ {
		snapshots = append(snapshots, person(i, seconds, edits...))
	}
	return snapshots
}

// withoutIDs is a user as in any store.
func withoutIDs(u replica.User) replica.User {
	u.ID = 0
	u.Groups = slices.Clone(u.Groups)
	for i := range u.Groups {
		u.Groups[i].ID = 0
	}
	return u
}

// statements returns what a pool may say of some people, in any order.
func statements(n int) []replica.Snapshot {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	var all []replica.Snapshot
	for range n {
		all = append(all, person(random.IntN(n/8), random.IntN(20), func(s *replica.Snapshot) {
			s.Name, s.Locale = pick("One", "Two", "Three"), pick("", "de", "en")
			s.Complete, s.SignIn = random.IntN(2) == 0, random.IntN(4) == 0
			if random.IntN(3) == 0 {
				s.Custom = map[string]string{pick("custom:a", "custom:b"): pick("", "x", "y")}
			}
			if random.IntN(4) == 0 {
				s.Enabled = ptr(random.IntN(3) > 0)
			}
			if s.GroupsKnown = random.IntN(5) > 0; s.GroupsKnown {
				for range random.IntN(5) {
					group := replica.GroupRef{Name: pick("a", "b", "c", "d", "e", "f")}
					if random.IntN(2) == 0 {
						group.Precedence = ptr(random.IntN(3))
					}
					s.Groups = append(s.Groups, group)
				}
			}
		}))
	}
	return all
}

var batchCases = []testCase{
	{
		name: "batch/the same as one by one",
		why:  "A statement must have the same result from a sign-in and from the directory.",
		run: func(t *test) {
			said := statements(200)
			single := t.batchStore()
			var want []replica.Change
			for _, snapshot := range said {
				want = append(want, t.apply(single, snapshot))
			}
			for _, size := range []int{7, len(said)} {
				var heard int
				f := func(context.Context, replica.Change) error { heard++; return nil }
				s := t.batchStore(hook(&f))
				var got []replica.Change
				for part := range slices.Chunk(said, size) {
					got = append(got, t.applyBatch(s, part...)...)
				}
				told := 0
				for i, c := range got {
					w := want[i]
					if c.Created != w.Created || !slices.Equal(c.Fields, w.Fields) || !slices.Equal(c.GroupsAdded, w.GroupsAdded) ||
						!slices.Equal(c.GroupsRemoved, w.GroupsRemoved) || (c.Before == nil) != (w.Before == nil) {
						t.Fatalf("in batches of %d, statement %d changes %q, adds %q, removes %q, created %v; by itself %q, %q, %q, %v", size, i,
							c.Fields, c.GroupsAdded, c.GroupsRemoved, c.Created, w.Fields, w.GroupsAdded, w.GroupsRemoved, w.Created)
					}
					if !c.Empty() {
						told++
					}
				}
				if !t.harness.NoOnChange && heard != told {
					t.Errorf("in batches of %d, the hook got %d changes of %d", size, heard, told)
				}
				for _, u := range t.all(single, replica.UserQuery{Issuer: issuer}) {
					got, err := s.UserBySubject(t.Context(), u.Issuer, u.Subject)
					if err != nil {
						t.Fatal(err)
					}
					t.sameUser(fmt.Sprint("user in batches of ", size), withoutIDs(got), withoutIDs(u))
				}
				if got, want := len(t.all(s, replica.UserQuery{Issuer: issuer})), len(t.all(single, replica.UserQuery{Issuer: issuer})); got != want {
					t.Errorf("in batches of %d there are %d users, one by one %d", size, got, want)
				}
			}
		},
	},
	{
		name: "batch/changes are whole",
		why:  "The application gets changes of a pass in the same form as changes of a sign-in.",
		run: func(t *test) {
			s := t.batchStore()
			for _, c := range t.applyBatch(s, people(0, 20, 0, in("a", "b"))...) {
				if !c.Created || c.User.ID == 0 || c.User.Groups[0].ID == 0 {
					t.Errorf("change = %+v, want a new user", c)
				}
				t.sameUser("user of the change", c.User, t.user(s, c.User.ID))
			}
			for _, c := range t.applyBatch(s, people(10, 30, 1, in("b", "c"))...) {
				if c.Before != nil && (groups(*c.Before) != "a(p) b(p)" || !slices.Equal(c.GroupsAdded, []string{"c"}) || !slices.Equal(c.GroupsRemoved, []string{"a"})) {
					t.Errorf("change = %+v", c)
				}
				t.sameUser("user of the change", c.User, t.user(s, c.User.ID))
			}
			if got := len(t.allGroups(s, issuer)); got != 3 {
				t.Errorf("%d groups, want 3", got)
			}
			if changes, err := s.ApplyBatch(t.Context(), nil); err != nil || len(changes) != 0 {
				t.Errorf("ApplyBatch of nothing = %v, %v", changes, err)
			}
		},
	},
	{
		name: "batch/unchanged writes nothing",
		why:  "A directory of a million users is read again and again. That most are as they were may cost a note of it, and not their rows.",
		run: func(t *test) {
			var heard int
			f := func(context.Context, replica.Change) error { heard++; return nil }
			s := t.batchStore(hook(&f))
			said := people(0, 30, 0, in("a", "b"), by("first"))
			t.applyBatch(s, said...)
			before := t.all(s, replica.UserQuery{Issuer: issuer})
			again := func(what string, said []replica.Snapshot, mayNote bool) {
				t.Helper()
				heard = 0
				var writes int64
				if t.harness.Writes != nil {
					writes = t.harness.Writes(s)
				}
				for _, c := range t.applyBatch(s, said...) {
					if !c.Empty() {
						t.Errorf("%s: changes %q", what, c.Fields)
					}
				}
				if t.harness.Writes != nil && !mayNote && t.harness.Writes(s) != writes {
					t.Errorf("%s: wrote %d times", what, t.harness.Writes(s)-writes)
				}
				if heard != 0 {
					t.Errorf("%s: the hook got %d changes", what, heard)
				}
				for i, u := range t.all(s, replica.UserQuery{Issuer: issuer}) {
					u.AsOf, u.GroupsAsOf = before[i].AsOf, before[i].GroupsAsOf
					t.sameUser(what, u, before[i])
				}
			}
			again("the same batch", said, false)
			again("older", people(0, 30, -1, in("a", "b"), by("first")), false)
			second := people(0, 30, 1, in("a", "b"), by("second"))
			again("in another pass", second, true)
			again("in another pass again", second, false)
			if u := t.user(s, before[0].ID); !u.AsOf.Equal(at(1)) || !u.GroupsAsOf.Equal(at(1)) {
				t.Errorf("said again at %v: %s", at(1), show(u))
			}
			// And what is older than that does not count (S-115).
			again("other, and older", people(0, 30, 0, in("z"), by("second")), false)
		},
	},
	{
		name: "batch/one that is refused keeps nobody else",
		why:  "Among a million people there is one whom the store cannot take. The pass must get past them, and say who it is.",
		run: func(t *test) {
			f := func(_ context.Context, c replica.Change) error {
				if c.User.Username == "user-7" {
					return errHook
				}
				return nil
			}
			s := t.batchStore(hook(&f))
			said := people(0, 10, 0, in("a"))
			said[3].Name, said[5].Subject = "a\x00", ""
			changes, err := s.ApplyBatch(t.Context(), said)
			var batch *replica.BatchError
			if !errors.Is(err, replica.ErrInvalid) || errors.Is(err, replica.ErrUnavailable) || !errors.As(err, &batch) {
				t.Fatalf("ApplyBatch = %v, want a BatchError that is ErrInvalid", err)
			}
			want := []int{3, 5}
			if !t.harness.NoOnChange {
				want = append(want, 7)
				if !errors.Is(err, errHook) {
					t.Errorf("ApplyBatch = %v, want the hook's error in it", err)
				}
			}
			var got []int
			for _, r := range batch.Refused {
				got = append(got, r.Index)
				if r.Subject != said[r.Index].Subject || r.Err == nil {
					t.Errorf("refused %+v", r)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("refused %v, want %v", got, want)
			}
			for i, snapshot := range said {
				_, err := s.UserBySubject(t.Context(), snapshot.Issuer, snapshot.Subject)
				if refused := slices.Contains(want, i); refused != errors.Is(err, replica.ErrNotFound) || refused != changes[i].Empty() {
					t.Errorf("user %d: %v, change empty %v; refused %v", i, err, changes[i].Empty(), refused)
				}
			}
		},
	},
	{
		name: "batch/of several pools",
		why:  "A program that reads two pools must not mix them up.",
		run: func(t *test) {
			s := t.batchStore()
			var said []replica.Snapshot
			for i := range 10 {
				said = append(said, person(i, 0), person(i, 0, func(s *replica.Snapshot) { s.Issuer, s.Email = otherIssuer, "other-"+s.Email }))
			}
			t.applyBatch(s, said...)
			for _, snapshot := range said {
				if u := t.bySubject(s, snapshot); u.Email != snapshot.Email {
					t.Errorf("%s of %s has %s", snapshot.Subject, snapshot.Issuer, u.Email)
				}
			}
		},
	},
	{
		name: "batch/beside everything else",
		why:  "A pass runs for minutes, on one server, while people sign in on ten others, and perhaps a second pass with it.",
		run: func(t *test) {
			s := t.batchStore()
			var created atomic.Int32
			count := func(changes ...replica.Change) {
				for _, c := range changes {
					if c.Created {
						created.Add(1)
					}
				}
			}
			t.together(func(i int) error {
				if i%4 != 0 {
					c, err := s.Apply(t.Context(), person(i%20, i, in(fmt.Sprint("g", i%7), "all"), func(s *replica.Snapshot) { s.SignIn = true }))
					count(c)
					return err
				}
				said := people(0, 20, i, in(fmt.Sprint("g", i%7), "all"))
				if i%8 == 0 {
					slices.Reverse(said)
				}
				changes, err := s.ApplyBatch(t.Context(), said)
				count(changes...)
				return err
			})
			users := t.all(s, replica.UserQuery{Issuer: issuer})
			if created.Load() != 20 || len(users) != 20 {
				t.Errorf("%d users, created %d times, want 20", len(users), created.Load())
			}
			for _, u := range users {
				var number int
				_, err := fmt.Sscanf(u.Username, "user-%d", &number)
				last := crowd - 4 // the last batch
				for i := range crowd {
					if i%4 != 0 && i%20 == number {
						last = max(last, i)
					}
				}
				if err != nil || groups(u) != fmt.Sprintf("all(p) g%d(p)", last%7) || !u.AsOf.Equal(at(last)) {
					t.Errorf("want the statement %d, got %s", last, show(u))
				}
			}
		},
	},
	{
		name: "batch/ended before",
		why:  "A pass must stop when its context ends. People whom it has not read must not be taken for deleted.",
		run: func(t *test) {
			s := t.batchStore()
			t.applyBatch(s, people(0, 3, 0, in("a"))...)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.ApplyBatch(ctx, people(0, 6, 1, in("b"))); !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("ApplyBatch = %v; want ErrUnavailable and context.Canceled", err)
			}
			if _, err := s.Sweep(ctx, issuer, "pass", replica.SweepOptions{Began: at(60), MaxShare: 1}); !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("Sweep = %v; want ErrUnavailable and context.Canceled", err)
			}
			users := t.all(s, replica.UserQuery{Issuer: issuer})
			if len(users) != 3 {
				t.Errorf("%d users, want 3", len(users))
			}
			for _, u := range users {
				t.expectGroups(u, "a(p)")
			}
		},
	},
}
