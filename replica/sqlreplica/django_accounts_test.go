package sqlreplica

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestRelinkDjango: what an operator does where the store must not guess.
func TestRelinkDjango(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := s.createAccount(t, "alice", "user-1@example.com", "in django")
		apply(t, s, person(1, 0, "admins"))
		anew := person(2, 60, "analysts") // made anew in the pool: a new subject, the same address
		anew.Email, anew.SignIn = "user-1@example.com", true
		if _, err := s.Apply(t.Context(), anew); !errors.Is(err, replica.ErrConflict) {
			t.Fatalf("Apply = %v, want a conflict", err)
		}
		if err := s.RelinkDjango(t.Context(), id, testIssuer, anew.Subject); err != nil {
			t.Fatal(err)
		}
		c := apply(t, s, anew)
		if c.User.ID != id || c.User.Subject != anew.Subject || membershipsOf(c.User) != "analysts(p) in django(l)" {
			t.Errorf("user %d, %q in %q", c.User.ID, c.User.Subject, membershipsOf(c.User))
		}
		if _, err := s.UserBySubject(t.Context(), testIssuer, "subject-1"); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("whoever had the account before: %v", err)
		}

		// A twin goes back to the account that is theirs.
		other := s.createAccount(t, "carol", "carol@example.com", "in django")
		twin := apply(t, s, person(3, 0, "g")).User.ID
		if err := s.RelinkDjango(t.Context(), other, testIssuer, "subject-3"); err != nil {
			t.Fatal(err)
		}
		if err := s.RelinkDjango(t.Context(), other, testIssuer, "subject-3"); err != nil {
			t.Errorf("a second time: %v", err)
		}
		if c := apply(t, s, person(3, 1, "g")); c.User.ID != other || twin == other || membershipsOf(c.User) != "g(p) in django(l)" {
			t.Errorf("user %d in %q, want %d", c.User.ID, membershipsOf(c.User), other)
		}

		// The pool deleted somebody, and has them anew.
		off := s.createAccount(t, "dave", "user-4@example.com")
		apply(t, s, person(4, 0))
		if _, err := s.Sweep(t.Context(), testIssuer, "p", replica.SweepOptions{Began: stated.Add(time.Second), MaxShare: 1}); err != nil {
			t.Fatal(err)
		}
		find := func() DjangoAccount {
			t.Helper()
			accounts, err := s.DjangoAccounts(t.Context())
			i := slices.IndexFunc(accounts, func(a DjangoAccount) bool { return a.ID == off })
			if err != nil || i < 0 {
				t.Fatalf("DjangoAccounts = %+v, %v", accounts, err)
			}
			return accounts[i]
		}
		if a := find(); a.Active || !a.TurnedOff || !a.Gone || a.Subject != "subject-4" {
			t.Errorf("of somebody whom the pool deleted: %+v", a)
		}
		again := person(5, 120)
		again.Email, again.SignIn = "user-4@example.com", true
		if _, err := s.Apply(t.Context(), again); !errors.Is(err, replica.ErrConflict) {
			t.Errorf("Apply = %v, want a conflict", err)
		}
		if err := s.RelinkDjango(t.Context(), off, testIssuer, again.Subject); err != nil {
			t.Fatal(err)
		}
		if c := apply(t, s, again); c.User.ID != off || !c.User.Enabled {
			t.Errorf("user %d, enabled %v, want %d", c.User.ID, c.User.Enabled, off)
		}
		if a := find(); !a.Active || a.TurnedOff || a.Gone || a.Subject != again.Subject {
			t.Errorf("after the sign-in: %+v", a)
		}

		if err := s.RelinkDjango(t.Context(), 9999, testIssuer, "subject-3"); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("no such account: %v", err)
		}
		if err := s.RelinkDjango(t.Context(), other, testIssuer, ""); !errors.Is(err, replica.ErrInvalid) {
			t.Errorf("nobody: %v", err)
		}
		accounts, err := s.DjangoAccounts(t.Context())
		if err != nil || len(accounts) != 4 {
			t.Fatalf("DjangoAccounts = %+v, %v", accounts, err)
		}
		i := slices.IndexFunc(accounts, func(a DjangoAccount) bool { return a.ID == id })
		if a := accounts[i]; a.Username != "alice" || a.Email != "user-1@example.com" || !a.Active || a.Subject != anew.Subject || a.PoolEmail != "user-1@example.com" || !a.PoolEmailVerified {
			t.Errorf("account = %+v", a)
		}
		if i := slices.IndexFunc(accounts, func(a DjangoAccount) bool { return a.ID == twin }); accounts[i].Subject != "" {
			t.Errorf("the twin is linked to %q", accounts[i].Subject)
		}
	})
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		if _, err := s.DjangoAccounts(t.Context()); !errors.Is(err, replica.ErrInvalid) {
			t.Errorf("DjangoAccounts of tables of its own: %v", err)
		}
		if err := s.RelinkDjango(t.Context(), 1, testIssuer, "x"); !errors.Is(err, replica.ErrInvalid) {
			t.Errorf("RelinkDjango in tables of its own: %v", err)
		}
	})
}
