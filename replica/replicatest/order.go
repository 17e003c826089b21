package replicatest

import (
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

var orderCases = []testCase{
	{
		name: "order/older never overwrites newer (S-115)",
		why:  "Tokens and events overtake one another on their way. The newest statement of the pool holds, whenever it arrives.",
		run: func(t *test) {
			s := t.store()
			newer := t.apply(s, person(1, 60, in("editors"), func(s *replica.Snapshot) { s.Name = "New" })).User
			t.writesNothing(s, newer.ID, func() replica.Change {
				return t.apply(s, person(1, 59, in("admins"), func(s *replica.Snapshot) {
					s.Name, s.Email, s.Enabled, s.Complete = "Old", "old@example.com", ptr(false), true
				}))
			})
		},
	},
	{
		name: "order/older never overwrites what was said again since",
		why:  "Somebody is put into a group and taken out again. When the event of the first comes after that of the second, it must not put them back: nobody would ever take them out again.",
		run: func(t *test) {
			first := func(seconds int) replica.Snapshot {
				return person(1, seconds, in("editors"), func(s *replica.Snapshot) { s.Complete, s.Enabled = true, ptr(false) })
			}
			between := person(1, 2, in("admins"), func(s *replica.Snapshot) {
				s.Name, s.Email, s.Complete, s.Enabled = "Between", "between@example.com", true, ptr(true)
			})
			s := t.store()
			id := t.apply(s, first(1)).User.ID
			t.changesNothing(s, id, func() replica.Change { return t.apply(s, first(3)) })
			if u := t.user(s, id); !u.AsOf.Equal(at(3)) || !u.GroupsAsOf.Equal(at(3)) || !u.Updated.Equal(clock) {
				t.Errorf("said again: %s, want it as of then", show(u))
			}
			t.writesNothing(s, id, func() replica.Change { return t.apply(s, between) })

			// Groups and attributes are said again each for themselves.
			t.apply(s, person(2, 1, in("editors")))
			id = t.apply(s, person(2, 3, func(s *replica.Snapshot) { s.GroupsKnown = false })).User.ID
			c := t.apply(s, person(2, 2, in("admins"), func(s *replica.Snapshot) { s.Name = "Between" }))
			if u := t.user(s, id); groups(u) != "admins(p)" || u.Name == "Between" || !slices.Equal(c.Fields, []string{"groups"}) || !u.AsOf.Equal(at(3)) || !u.GroupsAsOf.Equal(at(2)) {
				t.Errorf("fields %q, user %s", c.Fields, show(u))
			}
			// And what is stated later than both still counts.
			c = t.apply(s, person(2, 4, in("editors"), func(s *replica.Snapshot) { s.Name = "Later" }))
			if u := t.user(s, id); u.Name != "Later" || groups(u) != "editors(p)" || !u.AsOf.Equal(at(4)) {
				t.Errorf("user = %s", show(u))
			}
			t.sameUser("user of the change", c.User, t.user(s, id))
		},
	},
	{
		name: "order/groups that were stated at another time",
		why:  "A directory is read group by group before it is read user by user, and somebody signs in between. Their sign-in knows their groups better, and the directory the rest.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 20, in("editors"), func(s *replica.Snapshot) { s.Name = "Token" })).User.ID
			read := func(seconds, groupsAt int) replica.Change {
				return t.apply(s, person(1, seconds, in("admins"), func(s *replica.Snapshot) {
					s.Name, s.Complete, s.GroupsAt = "Directory", true, at(groupsAt)
				}))
			}
			c := read(30, 10)
			if u := t.user(s, id); u.Name != "Directory" || groups(u) != "editors(p)" || c.Has("groups") || !u.AsOf.Equal(at(30)) || !u.GroupsAsOf.Equal(at(20)) {
				t.Errorf("fields %q, user %s", c.Fields, show(u))
			}
			t.writesNothing(s, id, func() replica.Change { return read(25, 15) })
			c = read(29, 21) // and the other way round
			if u := t.user(s, id); groups(u) != "admins(p)" || !slices.Equal(c.Fields, []string{"groups"}) || !u.AsOf.Equal(at(30)) || !u.GroupsAsOf.Equal(at(21)) {
				t.Errorf("fields %q, user %s", c.Fields, show(u))
			}
			created := t.apply(s, person(2, 30, in("admins"), func(s *replica.Snapshot) { s.GroupsAt = at(10) })).User
			t.sameUser("user of the change", created, t.user(s, created.ID))
			if !created.AsOf.Equal(at(30)) || !created.GroupsAsOf.Equal(at(10)) {
				t.Errorf("created %s", show(created))
			}
		},
	},
	{
		name: "order/any order ends the same, with what was said again",
		why:  "Two replicas of one pool must not differ by the order of the statements that they got.",
		run: func(t *test) {
			state := func(seconds int, group string) replica.Snapshot {
				return person(1, seconds, in(group), func(s *replica.Snapshot) { s.Name = group })
			}
			statements := []replica.Snapshot{state(1, "a"), state(2, "b"), state(3, "a"), state(4, "a")}
			s := t.store()
			number := 0
			permutations(len(statements), func(order []int) {
				number++
				var id int64
				for _, i := range order {
					snapshot := statements[i]
					snapshot.Subject, snapshot.Email = person(number, 0).Subject, person(number, 0).Email
					id = t.apply(s, snapshot).User.ID
				}
				if u := t.user(s, id); u.Name != "a" || groups(u) != "a(p)" || !u.AsOf.Equal(at(4)) || !u.GroupsAsOf.Equal(at(4)) {
					t.Errorf("in order %v: %s", order, show(u))
				}
			})
		},
	},
	{
		name: "order/of the same time the last to arrive holds",
		why:  "Tokens state whole seconds. A group that somebody was given within the second of their sign-in must not wait for the next.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 0, in("admins"), func(s *replica.Snapshot) { s.At = stated.Add(900 * time.Microsecond) }))
			c := t.apply(s, person(1, 0, in("editors"), func(s *replica.Snapshot) { s.At = stated.Add(900*time.Microsecond + 1) }))
			t.expectGroups(t.user(s, c.User.ID), "editors(p)")
			c = t.apply(s, person(1, 0, in("admins"), func(s *replica.Snapshot) { s.At = stated.Add(900 * time.Microsecond) }))
			t.expectGroups(t.user(s, c.User.ID), "admins(p)")
		},
	},
	{
		name: "order/any order ends the same (S-117)",
		why:  "Events are delivered out of order and more than once. If the end depended on the order, two replicas of one pool would differ.",
		run: func(t *test) {
			statements := []replica.Snapshot{
				person(1, 1, in("a", "b"), func(s *replica.Snapshot) { s.Name, s.Complete, s.SignIn = "One", true, true }),
				person(1, 2, in("b"), func(s *replica.Snapshot) { s.Name, s.Complete = "Two", true }),
				person(1, 3, in("a", "c"), func(s *replica.Snapshot) { s.Name, s.Complete, s.Enabled = "Three", true, ptr(true) }),
				person(1, 4, in("c", "d"), func(s *replica.Snapshot) {
					s.Name, s.Complete, s.Enabled, s.SignIn = "Four", true, ptr(false), true
				}),
			}
			s := t.store()
			number := 0
			permutations(len(statements), func(order []int) {
				number++
				var last replica.Change
				for _, i := range append(order, order[0]) { // and one twice
					snapshot := statements[i]
					snapshot.Subject = person(number, 0).Subject
					snapshot.Email = person(number, 0).Email
					last = t.apply(s, snapshot)
				}
				u := t.user(s, last.User.ID)
				if u.Name != "Four" || u.Enabled || groups(u) != "c(p) d(p)" || !u.AsOf.Equal(at(4)) || !u.FirstSignIn.Equal(at(1)) || !u.LastSignIn.Equal(at(4)) {
					t.Errorf("in order %v: %s", order, show(u))
				}
			})
		},
	},
	{
		name: "order/sign-ins count in any order",
		why:  "The time of the last sign-in must not go back when an older sign-in arrives later.",
		run: func(t *test) {
			s := t.store()
			signIn := func(seconds int) replica.User {
				return t.apply(s, person(1, seconds, func(s *replica.Snapshot) { s.SignIn = true })).User
			}
			expect := func(u replica.User, first, last time.Time) {
				t.Helper()
				if u := t.user(s, u.ID); !u.FirstSignIn.Equal(first) || !u.LastSignIn.Equal(last) {
					t.Errorf("first %v, last %v; want %v, %v", u.FirstSignIn, u.LastSignIn, first, last)
				}
			}
			created := t.apply(s, person(1, 100)).User
			expect(created, time.Time{}, time.Time{})
			expect(signIn(50), at(50), at(50))
			expect(signIn(70), at(50), at(70))
			expect(signIn(60), at(50), at(70))
			expect(signIn(10), at(10), at(70))
			if u := t.user(s, created.ID); !u.AsOf.Equal(at(100)) {
				t.Errorf("older sign-ins moved the time of the statement to %v", u.AsOf)
			}
		},
	},
	{
		name: "order/groups and attributes have times of their own",
		why:  "The directory reads users and memberships one after the other. Neither may hold the other up.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 10, in("old")))
			c := t.apply(s, person(1, 30, func(s *replica.Snapshot) { s.Name, s.Groups, s.GroupsKnown = "New", nil, false }))
			t.expectGroups(c.User, "old(p)")
			c = t.apply(s, person(1, 20, in("new"), func(s *replica.Snapshot) { s.Name = "Old" }))
			u := t.user(s, c.User.ID)
			t.expectGroups(u, "new(p)")
			if u.Name != "New" || !u.AsOf.Equal(at(30)) || !u.GroupsAsOf.Equal(at(20)) {
				t.Errorf("user = %s", show(u))
			}
		},
	},
}

// permutations calls f with every order of the numbers below n.
func permutations(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(k int)
	permute = func(k int) {
		if k == n {
			f(append([]int(nil), order...))
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}
