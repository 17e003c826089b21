package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// steadyClock is one that tests move.
type steadyClock struct{ now time.Time }

func newSteadyClock() *steadyClock { return &steadyClock{time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)} }

func (c *steadyClock) Now() time.Time { return c.now }

// remembered is a store that keeps its history, begun.
func (e testEngine) remembered(t *testing.T, config Config) *Store {
	t.Helper()
	if config.History == nil {
		config.History = &History{Keep: 24 * time.Hour}
	}
	s, _ := e.store(t, config)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// worded is what a history is to tell of somebody.
func worded(u replica.User) replica.RecordedUser {
	r := replica.NewRecordedUser(u)
	r.Updated, r.FirstSignIn, r.LastSignIn, r.LinkedTo = time.Time{}, time.Time{}, time.Time{}, 0
	for i := range r.Groups {
		r.Groups[i].ID = 0
	}
	return r
}

// TestS765_AsOf: whatever way people change, a history tells how each of them was at any
// time since it began, by a model that remembers all of it.
func TestS765_AsOf(t *testing.T) {
	const people, steps = 5, 120
	ways := map[string]func() Config{
		"in one statement": func() Config { return Config{} },
		"in a transaction": func() Config {
			return Config{OnChange: func(context.Context, *sql.Tx, replica.Change) error { return nil }}
		},
		"beside the outbox": func() Config { return Config{Outbox: &Outbox{}} },
	}
	eachEngine(t, func(t *testing.T, e testEngine) {
		for way, config := range ways {
			t.Run(way, func(t *testing.T) {
				clock := newSteadyClock()
				c := config()
				c.Now = clock.Now
				s := e.remembered(t, c)
				random := rand.New(rand.NewPCG(765, uint64(len(way))))
				type moment struct {
					at    time.Time
					users map[int64]replica.RecordedUser
				}
				var model []moment
				snapshot := func(n int) replica.Snapshot {
					p := person(random.IntN(people), n, []string{"a", "b", "c"}[:random.IntN(4)]...)
					p.Complete, p.At, p.SignIn = true, clock.now, random.IntN(3) == 0
					p.Custom = map[string]string{"custom:n": fmt.Sprint(random.IntN(3)), "identities": "[]"}
					enabled := random.IntN(4) > 0
					p.Enabled = &enabled
					return p
				}
				for n := range steps {
					clock.now = clock.now.Add(time.Duration(1+random.IntN(3000)) * time.Millisecond)
					var err error
					switch random.IntN(8) {
					case 0:
						var some []replica.Snapshot
						for range 1 + random.IntN(3) {
							p := snapshot(n)
							if !slices.ContainsFunc(some, func(o replica.Snapshot) bool { return o.Subject == p.Subject }) {
								some = append(some, p)
							}
						}
						_, err = s.ApplyBatch(t.Context(), some)
					case 1:
						p := snapshot(n)
						p.Pass = fmt.Sprint("pass ", n)
						if _, err = s.ApplyBatch(t.Context(), []replica.Snapshot{p}); err == nil {
							_, err = s.Sweep(t.Context(), testIssuer, p.Pass, replica.SweepOptions{Began: clock.now, MaxShare: 1})
						}
					case 2:
						_, err = s.GrantLocalGroup(t.Context(), int64(1+random.IntN(people)), "local")
						if errors.Is(err, replica.ErrNotFound) {
							err = nil
						}
					case 3:
						a, b := int64(1+random.IntN(people)), int64(1+random.IntN(people))
						if _, err = s.Merge(t.Context(), a, b, "me"); errors.Is(err, replica.ErrNotFound) {
							err = nil
						}
					default:
						_, err = s.Apply(t.Context(), snapshot(n))
					}
					if err != nil {
						t.Fatal(err)
					}
					page, err := s.Users(t.Context(), replica.UserQuery{Issuer: testIssuer, Deleted: true, Limit: 100})
					if err != nil {
						t.Fatal(err)
					}
					m := moment{clock.now, make(map[int64]replica.RecordedUser)}
					for _, u := range page.Users {
						m.users[u.ID] = worded(u)
					}
					model = append(model, m)
				}
				page, err := s.Users(t.Context(), replica.UserQuery{Issuer: testIssuer, Deleted: true, Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range model {
					for _, at := range []time.Time{m.at, m.at.Add(500 * time.Microsecond)} {
						then, err := s.AsOf(t.Context(), page.Users, at)
						if err != nil {
							t.Fatal(err)
						}
						got := make(map[int64]replica.RecordedUser)
						for _, u := range then {
							got[u.ID] = worded(u)
						}
						if !reflect.DeepEqual(got, m.users) {
							t.Fatalf("as of %v:\n%+v\nwas:\n%+v", at, got, m.users)
						}
					}
				}
				if then, err := s.AsOf(t.Context(), page.Users, model[0].at.Add(-time.Hour)); err != nil || len(then) != 0 {
					t.Errorf("before anybody came: %+v, %v", then, err)
				}
				size, err := s.HistorySize(t.Context())
				if err != nil || size.Entries == 0 || size.Entries >= steps*2 {
					t.Errorf("size %+v, %v", size, err)
				}
			})
		}
	})
}

// TestS766_HistoryIsWrittenWithTheChange: a change that the application refuses leaves no
// entry, and neither does what is not a change of the pool's word.
func TestS766_HistoryIsWrittenWithTheChange(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var fault error
		s := e.remembered(t, Config{OnChange: func(context.Context, *sql.Tx, replica.Change) error { return fault }})
		entries := func() int64 {
			t.Helper()
			size, err := s.HistorySize(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return size.Entries
		}
		id := apply(t, s, person(1, 0, "a")).User.ID
		if n := entries(); n != 0 {
			t.Errorf("a newcomer leaves %d entries", n)
		}
		in := person(1, 1, "a")
		in.SignIn = true
		apply(t, s, in)
		if n := entries(); n != 0 {
			t.Errorf("a sign-in leaves %d entries", n)
		}
		fault = errors.New("not now")
		if _, err := s.Apply(t.Context(), person(1, 2, "b")); !errors.Is(err, fault) || entries() != 0 {
			t.Errorf("a change that is refused: %v, %d entries", err, entries())
		}
		fault = nil
		apply(t, s, person(1, 3, "b"))
		if n := entries(); n != 1 {
			t.Errorf("a change leaves %d entries", n)
		}
		// Whose row is deleted has no history.
		if _, err := s.db.ExecContext(t.Context(), fmt.Sprintf("DELETE FROM codegrant_users WHERE id = %d", id)); err != nil || entries() != 0 {
			t.Errorf("%v, %d entries of nobody", err, entries())
		}
	})
}

// TestS766_HistoryEnds: it is bounded by age and by size, nobody is told of what was
// removed, and a time in which it was not kept is a gap.
func TestS766_HistoryEnds(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		clock := newSteadyClock()
		config := Config{Now: clock.Now, History: &History{Keep: 10 * time.Hour}}
		s := e.remembered(t, config)
		began := clock.now
		change := func(s *Store, n int) {
			t.Helper()
			p := person(1, n, "a")
			p.Complete, p.Name, p.At = true, fmt.Sprint("Name ", n), clock.now
			apply(t, s, p)
		}
		name := func(s *Store, at time.Time) (string, error) {
			t.Helper()
			u, err := s.User(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			then, err := s.AsOf(t.Context(), []replica.User{u}, at)
			if err != nil || len(then) == 0 {
				return "", err
			}
			return then[0].Name, nil
		}
		for n := range 20 { // one an hour
			change(s, n)
			clock.now = clock.now.Add(time.Hour)
		}
		if n, err := name(s, began.Add(90*time.Minute)); n != "Name 1" {
			t.Errorf("before a trim: %q, %v", n, err)
		}
		removed, err := s.TrimHistory(t.Context())
		if err != nil || removed != 10 { // until hours 1 to 10
			t.Errorf("trimmed %d, %v", removed, err)
		}
		if n, err := name(s, began.Add(9*time.Hour+time.Minute)); !errors.Is(err, ErrNoHistory) || errors.Is(err, replica.ErrUnavailable) {
			t.Errorf("before the history: %q, %v", n, err)
		}
		if n, err := name(s, began.Add(10*time.Hour)); n != "Name 10" {
			t.Errorf("at its beginning: %q, %v", n, err)
		}

		config.History = &History{Keep: 10 * time.Hour, Entries: 3}
		config.Dialect = e.dialect
		small, err := New(s.db, config)
		if err != nil {
			t.Fatal(err)
		}
		if removed, err := small.TrimHistory(t.Context()); err != nil || removed != 6 {
			t.Errorf("trimmed %d to size, %v", removed, err)
		}
		if n, err := name(s, began.Add(15*time.Hour)); !errors.Is(err, ErrNoHistory) {
			t.Errorf("before the oldest of three entries: %q, %v", n, err)
		}
		if n, err := name(s, began.Add(16*time.Hour)); n != "Name 16" {
			t.Errorf("the oldest of three entries: %q, %v", n, err)
		}

		// A process that keeps none comes in between: there is a gap, also once it is kept again.
		config.History = nil
		without, err := New(s.db, config)
		if err != nil || without.Migrate(t.Context()) != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(time.Hour)
		change(without, 30)
		if n, err := name(s, clock.now.Add(-time.Minute)); !errors.Is(err, ErrNoHistory) {
			t.Errorf("while it is not kept: %q, %v", n, err)
		}
		if n, err := name(s, clock.now); n != "Name 30" {
			t.Errorf("as they are: %q, %v", n, err)
		}
		clock.now = clock.now.Add(time.Hour)
		again := clock.now
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(time.Hour)
		change(s, 31)
		if n, err := name(s, again.Add(-2*time.Hour)); !errors.Is(err, ErrNoHistory) {
			t.Errorf("in the gap: %q, %v", n, err)
		}
		if n, err := name(s, again); n != "Name 30" {
			t.Errorf("since it is kept again: %q, %v", n, err)
		}
	})
	for _, h := range []History{{}, {Keep: -1}, {Entries: -1}} {
		if _, err := New(&sql.DB{}, Config{Dialect: SQLite, History: &h}); err == nil {
			t.Errorf("%+v is taken", h)
		}
	}
}

// TestS765_GroupsAsOf: what groups were is known of each pass.
func TestS765_GroupsAsOf(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s := e.remembered(t, Config{})
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		one, two := 1, 2
		states := [][]replica.GroupDefinition{
			{{Name: "a", Precedence: &one, Description: "those", RoleARN: "arn:aws:iam::111122223333:role/a"}, {Name: "b"}},
			{{Name: "a", Precedence: &two, Description: "those", RoleARN: "arn:aws:iam::111122223333:role/a"}, {Name: "b"}},
			{{Name: "b", Description: "now with one"}},
			{{Name: "a"}, {Name: "b", Description: "now with one"}, {Name: "c"}},
			{},
		}
		for i, groups := range states {
			for range 2 { // a second time says nothing new
				if err := s.DefineGroups(t.Context(), testIssuer, groups, at.Add(time.Duration(i)*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.DefineGroups(t.Context(), testIssuer, states[0], at); err != nil { // late
			t.Fatal(err)
		}
		for i, want := range states[:4] {
			got, err := s.GroupsAsOf(t.Context(), testIssuer, at.Add(time.Duration(i)*time.Hour+time.Minute))
			if err != nil || !slices.EqualFunc(got, want, replica.GroupDefinition.Equal) {
				t.Errorf("as of %d: %+v, %v", i, got, err)
			}
		}
	})
}
