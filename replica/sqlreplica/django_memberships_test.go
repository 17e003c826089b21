package sqlreplica

import (
	"context"
	"database/sql"
	"slices"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestDjangoMembershipEndsWithThePoolsWord: another backend of the project, such
// as cognito_code_grant, writes what its token says into auth_user_groups before
// we do. That must not make the pool's membership one for ever; what Django's
// administrators gave, and the pool never stated, must not go with it.
func TestDjangoMembershipEndsWithThePoolsWord(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, s *Store)
	}{
		{"an account that is adopted", func(t *testing.T, s *Store) {
			s.createAccount(t, "alice", "user-1@example.com", "admins", "given in django")
		}},
		{"a user who is known", func(t *testing.T, s *Store) {
			id := apply(t, s, person(1, -1)).User.ID
			s.join(t, id, "admins")
			s.join(t, id, "given in django")
		}},
		{"a user who was in it before", func(t *testing.T, s *Store) {
			id := apply(t, s, person(1, -2, "admins")).User.ID
			apply(t, s, person(1, -1))
			s.join(t, id, "admins")
			s.join(t, id, "given in django")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e testEngine) {
				var told []replica.Change
				s, _ := djangoStore(t, e, Config{OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
					told = append(told, c)
					return nil
				}})
				test.prepare(t, s)
				told = nil
				stated := apply(t, s, person(1, 0, "admins"))
				if got := membershipsOf(stated.User); got != "admins(p) given in django(l)" || stated.GroupsAdded != nil || !stated.Has("groups") {
					t.Errorf("stated: %q, added %q, fields %q", got, stated.GroupsAdded, stated.Fields)
				}
				if c := apply(t, s, person(1, 1, "admins")); !c.Empty() {
					t.Errorf("stated once more: changes %q", c.Fields)
				}
				ended := apply(t, s, person(1, 2))
				if !slices.Equal(ended.GroupsRemoved, []string{"admins"}) || !slices.Equal(ended.Fields, []string{"groups"}) {
					t.Errorf("no longer stated: removed %q, fields %q", ended.GroupsRemoved, ended.Fields)
				}
				if got := membershipsOf(mustUser(t, s, ended.User.ID)); got != "given in django(l)" {
					t.Errorf("no longer stated: in %q", got)
				}
				if a := s.account(t, ended.User.ID); !slices.Equal(a.groups, []string{"given in django"}) {
					t.Errorf("no longer stated: Django has %q", a.groups)
				}
				if len(told) != 2 || !told[0].Has("groups") || !slices.Equal(told[1].GroupsRemoved, []string{"admins"}) || len(told[1].User.Groups) != 1 {
					t.Errorf("OnChange was told of %d changes, want of the two", len(told))
				}
			})
		})
	}
}

// TestDjangoGrantOutlivesThePoolsWord: what the application grants through the
// store is its own, whoever had made the membership before.
func TestDjangoGrantOutlivesThePoolsWord(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "pool first")).User.ID
		s.join(t, id, "django first")
		for _, group := range []string{"granted first", "pool first", "django first"} {
			grant := func() replica.Change {
				t.Helper()
				c, err := s.GrantLocalGroup(t.Context(), id, group)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			c := grant()
			if !slices.Equal(c.Fields, []string{"groups"}) || c.Before == nil || (c.GroupsAdded != nil) != (group == "granted first") {
				t.Errorf("granting %q: fields %q, added %q", group, c.Fields, c.GroupsAdded)
			}
			if c := grant(); !c.Empty() {
				t.Errorf("granting %q again changes %q", group, c.Fields)
			}
		}
		apply(t, s, person(1, 1, "django first", "granted first", "pool first"))
		if got := membershipsOf(mustUser(t, s, id)); got != "django first(pl) granted first(pl) pool first(pl)" {
			t.Errorf("granted and stated: %q", got)
		}
		apply(t, s, person(1, 2))
		if got := membershipsOf(mustUser(t, s, id)); got != "django first(l) granted first(l) pool first(l)" {
			t.Errorf("granted, no longer stated: %q", got)
		}
		apply(t, s, person(1, 3, "django first"))
		if _, err := s.RevokeLocalGroup(t.Context(), id, "django first"); err != nil {
			t.Fatal(err)
		}
		if got := membershipsOf(mustUser(t, s, id)); got != "django first(p) granted first(l) pool first(l)" {
			t.Errorf("stated, no longer granted: %q", got)
		}
	})
}

// TestDjangoOlderStatementClaimsNothing: only a statement that counts makes a
// membership the pool's.
func TestDjangoOlderStatementClaimsNothing(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "pool")).User.ID
		s.join(t, id, "mine")
		if c := apply(t, s, person(1, -1, "mine")); !c.Empty() {
			t.Errorf("an older statement changes %q", c.Fields)
		}
		apply(t, s, person(1, 1))
		if got := membershipsOf(mustUser(t, s, id)); got != "mine(l)" {
			t.Errorf("groups = %q", got)
		}
	})
}

// join puts a user into a group as Django would.
func (s *Store) join(t *testing.T, id int64, name string) {
	t.Helper()
	var group int64
	find := func() error {
		return s.engine.sql("SELECT id FROM auth_group WHERE name = ").bind(name).scan(t.Context(), s.db, &group)
	}
	if find() != nil {
		s.django(t, "INSERT INTO auth_group (name) VALUES (", name)
		if err := find(); err != nil {
			t.Fatal(err)
		}
	}
	s.django(t, "INSERT INTO auth_user_groups (user_id, group_id) VALUES (", id, group)
}
