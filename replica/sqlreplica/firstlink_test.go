package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// arrival is the first sign-in at another pool of somebody who was there before.
func arrival(number, seconds int, of string) replica.Snapshot {
	s := person(number, seconds, "a")
	s.Issuer, s.Subject = "https://other.example.com/pool", fmt.Sprintf("new-%d", number)
	s.Username, s.Email = fmt.Sprintf("new-user-%d", number), fmt.Sprintf("new-%d@example.com", number)
	s.SignIn = true
	if of != "" {
		s.Of = &replica.Of{Issuer: testIssuer, Subject: of, By: "move"}
	}
	return s
}

// TestS773_LinkedAtTheFirstSignIn: whoever comes from another pool is the person that they
// were from their first sign-in on, or nobody has it written.
func TestS773_LinkedAtTheFirstSignIn(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var told []replica.Change
		for name, config := range map[string]Config{
			"alone": {Outbox: &Outbox{}},
			"with OnChange": {Outbox: &Outbox{}, OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
				told = append(told, c)
				return nil
			}},
		} {
			t.Run(name, func(t *testing.T) {
				s, _ := e.store(t, config)
				a, b := rowOf(t, s, 1), rowOf(t, s, 2)

				told = nil
				c := apply(t, s, arrival(1, 0, "subject-1"))
				if !c.Created || c.User.Person() != a || !c.Has("linked_to") || c.Merged != nil || c.User.ID == a {
					t.Errorf("arrival: %+v", c)
				}
				if config.OnChange != nil && (len(told) != 1 || told[0].User.Person() != a) {
					t.Errorf("told: %+v", told)
				}
				if all, err := s.Identities(t.Context(), a); err != nil || len(all) != 2 {
					t.Errorf("identities: %+v, %v", all, err)
				}
				// Unlinked, they stay so.
				if _, err := s.Unlink(t.Context(), c.User.ID); err != nil {
					t.Fatal(err)
				}
				if again := apply(t, s, arrival(1, 5, "subject-1")); again.User.Person() != again.User.ID {
					t.Errorf("linked again: %+v", again)
				}

				// A pass over the new pool was first: the application may have rows.
				before := arrival(2, 0, "subject-2")
				before.SignIn = false
				seen := apply(t, s, before)
				if seen.User.Person() != seen.User.ID {
					t.Errorf("linked without a sign-in: %+v", seen)
				}
				c = apply(t, s, arrival(2, 1, "subject-2"))
				if c.Created || c.User.Person() != b || c.Merged == nil || *c.Merged != (replica.Merged{From: seen.User.ID, Into: b}) {
					t.Errorf("arrival of one whom a pass had seen: %+v", c)
				}

				// The other identity is linked itself, is not there, or is their own.
				third, fourth := rowOf(t, s, 3), rowOf(t, s, 4)
				if _, err := s.Merge(t.Context(), third, fourth, "me"); err != nil {
					t.Fatal(err)
				}
				if c := apply(t, s, arrival(3, 0, "subject-3")); c.User.Person() != fourth {
					t.Errorf("arrival of an identity that is linked: %+v", c)
				}
				// Somebody else of the new pool says the same: they are let in as nobody.
				if c, err := s.Apply(t.Context(), arrival(30, 0, "subject-3")); !errors.Is(err, replica.ErrConflict) {
					t.Errorf("a second one: %+v, %v", c, err)
				}
				if _, err := s.UserBySubject(t.Context(), "https://other.example.com/pool", "new-30"); !errors.Is(err, replica.ErrNotFound) {
					t.Errorf("the second one is stored: %v", err)
				}
				own := arrival(5, 0, "")
				own.Of = &replica.Of{Issuer: own.Issuer, Subject: own.Subject, By: "move"}
				if c := apply(t, s, own); c.User.Person() != c.User.ID {
					t.Errorf("arrival as oneself: %+v", c)
				}
				if c := apply(t, s, arrival(6, 0, "")); c.User.Person() != c.User.ID {
					t.Errorf("no arrival: %+v", c)
				}
			})
		}
	})
}

// TestS773_ArrivalsAtOnce: many first sign-ins of one person, while an operator merges.
func TestS773_ArrivalsAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		for n := range 5 {
			a, b := rowOf(t, s, 2*n), rowOf(t, s, 2*n+1)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if _, err := s.Apply(t.Context(), arrival(2*n, 0, fmt.Sprintf("subject-%d", 2*n))); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				if _, err := s.Merge(t.Context(), a, b, "operator"); err != nil {
					t.Error(err)
				}
			})
			all.Wait()
			ids, err := s.Identities(t.Context(), b)
			if err != nil || len(ids) != 3 {
				t.Errorf("person %d: %d identities, %v", b, len(ids), err)
			}
		}
	})
}

// TestS770_TheReplicaIsLate: somebody comes from another pool before the replica has heard
// of them there. They are one person, who is told of first, and the pass that comes later
// says who they are.
func TestS770_TheReplicaIsLate(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var told []replica.Change
		var mu sync.Mutex
		s, _ := e.store(t, Config{Outbox: &Outbox{}, OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, c)
			return nil
		}})
		c := apply(t, s, arrival(1, 0, "subject-1"))
		before, err := s.UserBySubject(t.Context(), testIssuer, "subject-1")
		if err != nil || !before.Enabled || c.User.Person() != before.ID || c.Merged != nil {
			t.Fatalf("%+v, %v: %+v", before, err, c)
		}
		if len(told) != 2 || told[0].User.ID != before.ID || !told[0].Created || told[1].User.Person() != before.ID {
			t.Errorf("told: %+v", told)
		}
		late := person(1, -100, "a") // said before she came, and read after it
		if c := apply(t, s, late); c.User.ID != before.ID || c.User.Username != late.Username || c.User.Email != late.Email || len(c.User.Groups) != 1 {
			t.Errorf("what the pool says later: %+v", c)
		}
		if again := apply(t, s, arrival(1, 5, "subject-1")); again.User.Person() != before.ID {
			t.Errorf("%+v", again)
		}

		// By a sign-in that a sibling has made, it is the same, and once.
		entering := arrival(2, 0, "subject-2")
		entering.SignIn, entering.Entering = false, true
		c = apply(t, s, entering)
		if c.User.LinkedTo == 0 || c.User.FirstSignIn.IsZero() {
			t.Errorf("by a sibling: %+v", c)
		}
		if _, err := s.Unlink(t.Context(), c.User.ID); err != nil {
			t.Fatal(err)
		}
		if again := apply(t, s, entering); again.User.LinkedTo != 0 {
			t.Errorf("unlinked, and linked again: %+v", again)
		}

		// Many at once, and a pass beside them.
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := s.Apply(t.Context(), arrival(3, 0, "subject-3")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if _, err := s.Apply(t.Context(), person(3, 0, "a")); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		u, err := s.UserBySubject(t.Context(), testIssuer, "subject-3")
		if err != nil || u.Username == "" {
			t.Errorf("%+v, %v", u, err)
		}
		if ids, err := s.Identities(t.Context(), u.ID); err != nil || len(ids) != 2 {
			t.Errorf("%d identities, %v", len(ids), err)
		}
	})
}

// TestS784_OfOnePool: two identities of one pool are one person where it is said of that
// pool, and stay apart once they are unlinked.
func TestS784_OfOnePool(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{Outbox: &Outbox{}})
		a := rowOf(t, s, 1)
		for _, n := range []int{2, 3} {
			second := person(n, 0, "a")
			second.SignIn, second.Of = true, &replica.Of{Issuer: testIssuer, Subject: "subject-1", By: "sign-in"}
			c := apply(t, s, second)
			if c.User.Person() != a || c.User.ID == a {
				t.Errorf("%+v", c)
			}
			if _, err := s.Unlink(t.Context(), c.User.ID); err != nil {
				t.Fatal(err)
			}
			if again := apply(t, s, second); again.User.LinkedTo != 0 {
				t.Errorf("linked again: %+v", again)
			}
			if _, err := s.Merge(t.Context(), c.User.ID, a, "me"); err != nil {
				t.Fatal(err)
			}
		}
		if ids, err := s.Identities(t.Context(), a); err != nil || len(ids) != 3 {
			t.Errorf("%d identities, %v", len(ids), err)
		}
	})
}
