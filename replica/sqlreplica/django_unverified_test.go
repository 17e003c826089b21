package sqlreplica

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestS285_NobodyIsSplitInSilence: a newcomer whose address the pool does not call
// verified is refused with the way out, or treated as somebody has chosen.
func TestS285_NobodyIsSplitInSilence(t *testing.T) {
	const taken, free = "user-1@example.com", "new@example.com"
	for _, tt := range []struct {
		policy Unverified
		email  string
		signIn bool
		want   string // refused, adopted, apart (no address) or named (with it)
	}{
		{RefuseUnverified, taken, true, "refused"},
		{RefuseUnverified, "USER-1@example.com", true, "refused"},
		{RefuseUnverified, taken, false, "refused"},
		{RefuseUnverified, free, true, "refused"},  // another backend would make a twin
		{RefuseUnverified, free, false, "refused"}, // and then let them in
		{RefuseUnverified, "", true, "apart"},      // nobody has that one
		{UnverifiedApart, taken, true, "apart"},
		{UnverifiedApart, free, true, "apart"},
		{InsecureUnverifiedUntilFirstLink, taken, true, "adopted"},
		{InsecureUnverifiedUntilFirstLink, taken, false, "adopted"},
		{InsecureUnverifiedUntilFirstLink, free, true, "named"},
	} {
		t.Run(fmt.Sprintf("%q, %s, sign-in %v", tt.policy, tt.email, tt.signIn), func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e testEngine) {
				s, _ := djangoStore(t, e, Config{Django: &Django{AdoptVerifiedEmail: true, Unverified: tt.policy}})
				id := s.createAccount(t, "alice", taken)
				p := person(1, 0, "g")
				p.Email, p.EmailVerified, p.SignIn = tt.email, false, tt.signIn
				c, err := s.Apply(t.Context(), p)
				if tt.want == "refused" {
					if !errors.Is(err, replica.ErrEmailNotVerified) || !errors.Is(err, replica.ErrConflict) || errors.Is(err, replica.ErrUnavailable) ||
						!strings.Contains(err.Error(), "email_verified") || !strings.Contains(err.Error(), "relink") {
						t.Errorf("Apply = %v", err)
					}
					if _, err := s.UserBySubject(t.Context(), testIssuer, p.Subject); !errors.Is(err, replica.ErrNotFound) {
						t.Errorf("and yet they are here: %v", err)
					}

					// Verified at the pool, they are the account.
					p.EmailVerified = true
					if c := apply(t, s, p); tt.email != free && c.User.ID != id {
						t.Errorf("verified: user %d, want %d", c.User.ID, id)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				a := s.account(t, c.User.ID)
				switch {
				case c.Adopted != (tt.want == "adopted") || c.Adopted != (c.User.ID == id):
					t.Errorf("user %d, adopted %v", c.User.ID, c.Adopted)
				case tt.want == "apart" && (a.email != "" || a.username != p.Subject), tt.want == "named" && (a.email != free || a.username != free):
					t.Errorf("account %+v", a)
				}
			})
		})
	}
	t.Run("until the first link", func(t *testing.T) {
		eachEngine(t, func(t *testing.T, e testEngine) {
			s, _ := djangoStore(t, e, Config{Django: &Django{AdoptVerifiedEmail: true, Unverified: InsecureUnverifiedUntilFirstLink}})
			s.createAccount(t, "alice", taken)
			apply(t, s, person(1, 0))
			mallory := person(2, 1)
			mallory.Email, mallory.EmailVerified, mallory.SignIn = taken, false, true
			if _, err := s.Apply(t.Context(), mallory); !errors.Is(err, replica.ErrConflict) {
				t.Errorf("an account that is linked: %v", err)
			}
			// Whoever is linked stays linked, whatever their address becomes.
			alice := person(1, 2)
			alice.Email, alice.EmailVerified, alice.SignIn = "other@example.com", false, true
			if c := apply(t, s, alice); c.Created || c.User.Subject != alice.Subject {
				t.Errorf("linked by the subject: %+v", c.User)
			}
		})
	})
	for _, d := range []Django{{Unverified: "always"}, {Unverified: InsecureUnverifiedUntilFirstLink}} {
		if _, err := New(nil, Config{Dialect: SQLite, Django: &d}); err == nil || !strings.Contains(err.Error(), "Django.Unverified") {
			t.Errorf("New(%+v) = %v", d, err)
		}
	}
}

// TestS286_WhatDjangoDeletedIsThePoolsStill: a membership that the pool stated, that
// Django's administrators deleted, and that an old session gives again, ends with the
// pool's word like any other.
func TestS286_WhatDjangoDeletedIsThePoolsStill(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		adopted := s.createAccount(t, "alice", "user-1@example.com", "admins", "given in django")
		for _, first := range []func() int64{
			func() int64 { return apply(t, s, person(2, 0, "admins")).User.ID },
			func() int64 { return apply(t, s, person(1, 0, "admins")).User.ID }, // who was in it before
			func() int64 {
				id := apply(t, s, person(3, -1)).User.ID
				s.join(t, id, "admins")
				return apply(t, s, person(3, 0, "admins")).User.ID
			},
		} {
			id := first()
			expect := func(what, want string) {
				t.Helper()
				if id == adopted {
					want = strings.TrimSpace(want + " given in django(l)")
				}
				if got := membershipsOf(mustUser(t, s, id)); got != want {
					t.Errorf("user %d, %s: in %q, want %q", id, what, got, want)
				}
			}
			subject := mustUser(t, s, id).Subject
			state := func(second int, groups ...string) {
				t.Helper()
				p := person(map[string]int{"subject-1": 1, "subject-2": 2, "subject-3": 3}[subject], second, groups...)
				apply(t, s, p)
			}
			leave := func() {
				t.Helper()
				s.django(t, "DELETE FROM auth_user_groups WHERE group_id IN (SELECT id FROM auth_group WHERE name = 'admins') AND user_id IN (", id)
			}
			leave()
			expect("deleted in Django", "")
			s.join(t, id, "admins")
			expect("given again by an old session", "")
			state(1, "admins")
			expect("and stated", "admins(p)")
			leave()
			s.join(t, id, "admins")
			state(2)
			expect("and no longer stated", "")
			if got := strings.Join(s.account(t, id).groups, " "); strings.Contains(got, "admins") {
				t.Errorf("Django has %q", got)
			}
			s.join(t, id, "admins")
			expect("given once more", "")
			if _, err := s.GrantLocalGroup(t.Context(), id, "admins"); err != nil {
				t.Fatal(err)
			}
			expect("granted", "admins(l)")
		}
	})
}

// TestS286_WhatThePoolTookAwayStaysAway: an old session of a Python backend gives a group
// again that the pool took away.
func TestS286_WhatThePoolTookAwayStaysAway(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "admins", "analysts")).User.ID
		s.createAccount(t, "bob", "bob@example.com", "given in django")
		s.join(t, id, "given in django")
		apply(t, s, person(1, 1, "analysts"))
		expect := func(what, replica, django string) {
			t.Helper()
			if got := membershipsOf(mustUser(t, s, id)); got != replica {
				t.Errorf("%s: in %q, want %q", what, got, replica)
			}
			if got := strings.Join(s.account(t, id).groups, " "); got != django {
				t.Errorf("%s: Django has %q, want %q", what, got, django)
			}
		}
		expect("taken away", "analysts(p) given in django(l)", "analysts given in django")
		for second := 2; second < 5; second++ {
			s.join(t, id, "admins") // as set_groups of the package does
			expect("given again by an old session", "analysts(p) given in django(l)", "admins analysts given in django")
			c := apply(t, s, person(1, second, "analysts"))
			if strings.Join(c.GroupsRemoved, " ") != "admins" {
				t.Errorf("removed %q", c.GroupsRemoved)
			}
			expect("and taken away again", "analysts(p) given in django(l)", "analysts given in django")
		}

		s.join(t, id, "admins")
		apply(t, s, person(1, 6, "admins", "analysts"))
		expect("the pool states it again", "admins(p) analysts(p) given in django(l)", "admins analysts given in django")
		apply(t, s, person(1, 7, "analysts"))
		expect("and takes it away", "analysts(p) given in django(l)", "analysts given in django")
		s.join(t, id, "admins")
		if _, err := s.GrantLocalGroup(t.Context(), id, "admins"); err != nil {
			t.Fatal(err)
		}
		apply(t, s, person(1, 8, "analysts"))
		expect("granted here", "admins(l) analysts(p) given in django(l)", "admins analysts given in django")
	})
}
