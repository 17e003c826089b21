package replicatest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

var groupCases = []testCase{
	{
		name: "groups/mirror adds and removes",
		why:  "Somebody whom an administrator took out of a group must be out of it here too.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 0, in("a", "b")))
			c := t.apply(s, person(1, 1, in("b", "c", "d")))
			if !slices.Equal(c.Fields, []string{"groups"}) || !slices.Equal(c.GroupsAdded, []string{"c", "d"}) || !slices.Equal(c.GroupsRemoved, []string{"a"}) {
				t.Errorf("fields %q, added %q, removed %q", c.Fields, c.GroupsAdded, c.GroupsRemoved)
			}
			t.expectGroups(c.User, "b(p) c(p) d(p)")
			t.sameUser("user read back", t.user(s, c.User.ID), c.User)
			c = t.apply(s, person(1, 2, in()))
			if !slices.Equal(c.GroupsRemoved, []string{"b", "c", "d"}) {
				t.Errorf("removed %q, want all", c.GroupsRemoved)
			}
			t.sameUser("user read back", t.user(s, c.User.ID), c.User)
			if got := len(t.allGroups(s, issuer)); got != 4 {
				t.Errorf("%d groups, want 4: a group does not end with its last member", got)
			}
		},
	},
	{
		name: "groups/add-only removes nothing",
		why:  "A service that comes from the Python package may depend on groups that are never removed.",
		run: func(t *test) {
			s := t.store(func(o *Options) { o.Policy = replica.AddOnly })
			t.apply(s, person(1, 0, in("a", "b")))
			c := t.apply(s, person(1, 1, in("c")))
			if !slices.Equal(c.GroupsAdded, []string{"c"}) || c.GroupsRemoved != nil {
				t.Errorf("added %q, removed %q", c.GroupsAdded, c.GroupsRemoved)
			}
			t.expectGroups(t.user(s, c.User.ID), "a(p) b(p) c(p)")
			t.changesNothing(s, c.User.ID, func() replica.Change { return t.apply(s, person(1, 2, in())) })
		},
	},
	{
		name: "groups/nothing said is not nothing",
		why:  "A source that does not know about groups must not take everybody out of theirs.",
		run: func(t *test) {
			s := t.store()
			c := t.apply(s, person(1, 0, in("a")))
			t.apply(s, person(1, 1, func(s *replica.Snapshot) { s.GroupsKnown, s.Name = false, "Changed" }))
			t.expectGroups(t.user(s, c.User.ID), "a(p)")
		},
	},
	{
		name: "groups/shared by members, apart by issuer",
		why:  "An application joins its rights to one row of a group, and a pool has no say in the groups of another.",
		run: func(t *test) {
			s := t.store()
			one := t.apply(s, person(1, 0, in("admins"))).User
			two := t.apply(s, person(2, 0, in("admins"))).User
			other := t.apply(s, person(3, 0, in("admins"), func(s *replica.Snapshot) { s.Issuer = otherIssuer })).User
			if one.Groups[0].ID != two.Groups[0].ID {
				t.Errorf("two members of one group are in groups %d and %d", one.Groups[0].ID, two.Groups[0].ID)
			}
			if other.Groups[0].ID == one.Groups[0].ID || other.Groups[0].Issuer != otherIssuer {
				t.Errorf("members of two pools are in group %d", one.Groups[0].ID)
			}
			t.apply(s, person(1, 1, in()))
			t.expectGroups(t.user(s, two.ID), "admins(p)")
			t.expectGroups(t.user(s, other.ID), "admins(p)")
		},
	},
	{
		name: "groups/made for identity providers are marked (S-116)",
		why:  "Cognito puts everybody who comes through a provider into a group named after it. That says where they came from, not what they may do.",
		run: func(t *test) {
			s := t.store()
			c := t.apply(s, person(1, 0, in("admins", "eu-west-1_Ab12Cd34E_Google", "eu-west-1_Zz99Zz99Z_Google")))
			u := t.user(s, c.User.ID)
			want := map[string]replica.Origin{
				"admins": replica.OriginPool, "eu-west-1_Ab12Cd34E_Google": replica.OriginProvider, "eu-west-1_Zz99Zz99Z_Google": replica.OriginPool,
			}
			for _, m := range u.Groups {
				if m.Origin != want[m.Name] {
					t.Errorf("origin of %s = %s, want %s", m.Name, m.Origin, want[m.Name])
				}
			}
			if u.InGroup("eu-west-1_Ab12Cd34E_Google") || !u.InGroup("admins") {
				t.Error("a provider's group counts as a role, or a role does not")
			}
			for _, g := range t.allGroups(s, issuer) {
				if g.Origin != want[g.Name] {
					t.Errorf("listed origin of %s = %s, want %s", g.Name, g.Origin, want[g.Name])
				}
			}
		},
	},
	{
		name: "groups/precedence",
		why:  "Precedence belongs to the group: every member must see the same, and a token, which does not know it, must not take it away.",
		run: func(t *test) {
			s := t.store()
			precedence := func(number, seconds int, p *int) replica.Change {
				return t.apply(s, person(number, seconds, func(s *replica.Snapshot) {
					s.Groups = []replica.GroupRef{{Name: "admins", Precedence: p}, {Name: "zero", Precedence: ptr(0)}}
				}))
			}
			expect := func(id int64, want string) {
				t.Helper()
				got := "none"
				if p := t.user(s, id).Groups[0].Precedence; p != nil {
					got = fmt.Sprint(*p)
				}
				if got != want {
					t.Errorf("precedence = %s, want %s", got, want)
				}
			}
			one := precedence(1, 0, nil).User
			expect(one.ID, "none")
			two := precedence(2, 10, ptr(7)).User
			expect(one.ID, "7")
			if c := precedence(1, 20, ptr(3)); !slices.Equal(c.Fields, []string{"groups"}) || c.GroupsAdded != nil {
				t.Errorf("fields %q, added %q", c.Fields, c.GroupsAdded)
			}
			expect(two.ID, "3")
			precedence(2, 15, ptr(5)) // newer for the person, older for the group
			expect(two.ID, "3")
			t.changesNothing(s, one.ID, func() replica.Change { return precedence(1, 30, nil) })
			if g := t.user(s, one.ID).Groups[1]; g.Precedence == nil || *g.Precedence != 0 {
				t.Error("the precedence 0 is not the same as none")
			}
		},
	},
	{
		name: "groups/an older precedence never overwrites what was said again since",
		why:  "The order of roles decides what people may do. It must be the one that the pool stated last, whichever member's statement brings it.",
		run: func(t *test) {
			s := t.store()
			precedence := func(number, seconds, p int) replica.Change {
				return t.apply(s, person(number, seconds, func(s *replica.Snapshot) {
					s.Groups = []replica.GroupRef{{Name: "admins", Precedence: ptr(p)}}
				}))
			}
			expect := func(want int) {
				t.Helper()
				for _, g := range t.allGroups(s, issuer) {
					if g.Precedence == nil || *g.Precedence != want {
						t.Errorf("group = %+v, want precedence %d", g, want)
					}
				}
			}
			id := precedence(1, 1, 7).User.ID
			t.changesNothing(s, id, func() replica.Change { return precedence(1, 3, 7) })
			precedence(2, 2, 5)
			expect(7)
			precedence(3, 5, 7) // a member who is new says it again
			precedence(2, 4, 5)
			expect(7)
			precedence(2, 6, 5)
			expect(5)
		},
	},
	{
		name: "groups/many",
		why:  "Cognito's limit is a hundred, a trigger can state any number, and a statement is taken whole or not at all.",
		run: func(t *test) {
			s := t.store()
			var names []string
			for i := range replica.MaxGroups {
				names = append(names, fmt.Sprintf("group-%04d", i))
			}
			c := t.apply(s, person(1, 0, in(names...)))
			if u := t.user(s, c.User.ID); len(u.Groups) != replica.MaxGroups || len(c.GroupsAdded) != replica.MaxGroups {
				t.Fatalf("%d groups, %d added, want %d", len(u.Groups), len(c.GroupsAdded), replica.MaxGroups)
			}
			c = t.apply(s, person(1, 1, in(names[:10]...)))
			if u := t.user(s, c.User.ID); len(u.Groups) != 10 || len(c.GroupsRemoved) != replica.MaxGroups-10 {
				t.Errorf("%d groups, %d removed", len(u.Groups), len(c.GroupsRemoved))
			}
		},
	},
	{
		name: "groups/longest name",
		why:  "A name that is cut is another group's.",
		run: func(t *test) {
			s := t.store()
			name := strings.Repeat("𝒳", replica.MaxGroupBytes/4)
			c := t.apply(s, person(1, 0, in(name, name[:len(name)-4])))
			t.expectGroups(t.user(s, c.User.ID), name[:len(name)-4]+"(p) "+name+"(p)")
		},
	},
}

var localCases = []testCase{
	{
		name: "local/grant and revoke",
		why:  "An application has rights of its own to give, which the pool knows nothing of and must not take.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0, in("pool"))).User.ID
			c := t.grant(s, id, "mine")
			if !slices.Equal(c.GroupsAdded, []string{"mine"}) || !slices.Equal(c.Fields, []string{"groups"}) || c.Before == nil || len(c.Before.Groups) != 1 {
				t.Errorf("change = %+v", c)
			}
			u := t.user(s, id)
			t.sameUser("user of the change", c.User, u)
			t.expectGroups(u, "mine(l) pool(p)")
			if g := u.Groups[0]; g.Origin != replica.OriginLocal || g.ID <= 0 || !u.InGroup("mine") {
				t.Errorf("group = %+v", g)
			}
			t.writesNothing(s, id, func() replica.Change { return t.grant(s, id, "mine") })

			t.apply(s, person(1, 1, in()))
			t.expectGroups(t.user(s, id), "mine(l)")

			c = t.revoke(s, id, "mine")
			if !slices.Equal(c.GroupsRemoved, []string{"mine"}) {
				t.Errorf("removed %q", c.GroupsRemoved)
			}
			t.expectGroups(t.user(s, id), "")
			t.writesNothing(s, id, func() replica.Change { return t.revoke(s, id, "mine") })
			t.writesNothing(s, id, func() replica.Change { return t.revoke(s, id, "never heard of") })
		},
	},
	{
		name: "local/beside what the pool states",
		why:  "Two sides can say the same. When one of them no longer does, the other's word still holds.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0, in("both"))).User.ID
			if c := t.grant(s, id, "both"); c.Empty() || c.GroupsAdded != nil {
				t.Errorf("change = %+v, want one that adds no group", c)
			}
			t.expectGroups(t.user(s, id), "both(pl)")
			if c := t.apply(s, person(1, 1, in())); c.Empty() || c.GroupsRemoved != nil {
				t.Errorf("change = %+v, want one that removes no group", c)
			}
			t.expectGroups(t.user(s, id), "both(l)")
			t.apply(s, person(1, 2, in("both")))
			t.revoke(s, id, "both")
			t.expectGroups(t.user(s, id), "both(p)")
			t.writesNothing(s, id, func() replica.Change { return t.revoke(s, id, "both") })
			t.apply(s, person(1, 3, in()))
			t.expectGroups(t.user(s, id), "")
		},
	},
	{
		name: "local/the pool takes a name over",
		why:  "One name is one group: an application that asks for a member of admins means every one of them.",
		run: func(t *test) {
			s := t.store()
			one := t.grant(s, t.apply(s, person(1, 0)).User.ID, "team").User
			two := t.apply(s, person(2, 0, in("team"))).User
			if one.Groups[0].ID != two.Groups[0].ID || t.user(s, one.ID).Groups[0].Origin != replica.OriginPool {
				t.Errorf("group = %+v and %+v", t.user(s, one.ID).Groups[0], two.Groups[0])
			}
			t.expectGroups(t.user(s, one.ID), "team(l)")
			three := t.grant(s, t.apply(s, person(3, 0)).User.ID, "team").User
			if three.Groups[0].Origin != replica.OriginPool {
				t.Error("a grant made the pool's group local")
			}
		},
	},
	{
		name: "local/nobody, and no name",
		why:  "A right that is given to nobody is a mistake that somebody should hear of.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0)).User.ID
			for _, f := range []func(int64, string) (replica.Change, error){
				func(id int64, g string) (replica.Change, error) { return s.GrantLocalGroup(t.Context(), id, g) },
				func(id int64, g string) (replica.Change, error) { return s.RevokeLocalGroup(t.Context(), id, g) },
			} {
				if _, err := f(id+1000, "x"); !errors.Is(err, replica.ErrNotFound) || errors.Is(err, replica.ErrUnavailable) {
					t.Errorf("for nobody: %v, want ErrNotFound", err)
				}
				for _, name := range []string{"", "a\xff", "a\x00", "a\nb", strings.Repeat("x", replica.MaxGroupBytes+1)} {
					if _, err := f(id, name); !errors.Is(err, replica.ErrInvalid) {
						t.Errorf("for group %.20q: %v, want ErrInvalid", name, err)
					}
				}
			}
			if got := t.allGroups(s, issuer); len(got) != 0 {
				t.Errorf("groups = %+v, want none", got)
			}
		},
	},
}

func (t *test) grant(s replica.Store, id int64, group string) replica.Change {
	t.Helper()
	c, err := s.GrantLocalGroup(t.Context(), id, group)
	if err != nil {
		t.Fatalf("GrantLocalGroup(%d, %q): %v", id, group, err)
	}
	return c
}

func (t *test) revoke(s replica.Store, id int64, group string) replica.Change {
	t.Helper()
	c, err := s.RevokeLocalGroup(t.Context(), id, group)
	if err != nil {
		t.Fatalf("RevokeLocalGroup(%d, %q): %v", id, group, err)
	}
	return c
}
