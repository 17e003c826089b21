package replicatest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

var applyCases = []testCase{
	{
		name: "apply/create",
		why:  "A person who signs in for the first time must be there, whole, for the application to join to.",
		run: func(t *test) {
			s := t.store()
			snapshot := person(1, 0, in("editors", "admins"), func(s *replica.Snapshot) {
				s.PhoneNumber, s.PhoneNumberVerified, s.Locale = "+4930123456", true, "de-DE"
				s.Custom = map[string]string{"custom:team": "red"}
				s.Status, s.SignIn = "CONFIRMED", true
			})
			c := t.apply(s, snapshot)
			if !c.Created || c.Adopted || c.Before != nil || c.Empty() || c.User.ID <= 0 {
				t.Errorf("change = %+v, want a new user", c)
			}
			if !slices.Equal(c.GroupsAdded, []string{"admins", "editors"}) || c.GroupsRemoved != nil {
				t.Errorf("added %q, removed %q", c.GroupsAdded, c.GroupsRemoved)
			}
			want := replica.User{
				ID: c.User.ID, Issuer: snapshot.Issuer, Subject: snapshot.Subject, Username: snapshot.Username,
				Email: snapshot.Email, EmailVerified: true, Name: snapshot.Name, GivenName: snapshot.GivenName, FamilyName: snapshot.FamilyName,
				PhoneNumber: "+4930123456", PhoneNumberVerified: true, Locale: "de-DE",
				Custom: snapshot.Custom, Enabled: true, Status: "CONFIRMED", Groups: c.User.Groups,
				FirstSignIn: stated, LastSignIn: stated, Created: clock, Updated: clock, AsOf: stated, GroupsAsOf: stated,
			}
			t.sameUser("user of the change", c.User, want)
			t.expectGroups(c.User, "admins(p) editors(p)")
			for _, m := range c.User.Groups {
				if m.ID <= 0 || m.Issuer != issuer || m.Origin != replica.OriginPool || m.Precedence != nil || !m.Created.Equal(clock) {
					t.Errorf("group = %+v", m)
				}
			}
			t.sameUser("user by ID", t.user(s, c.User.ID), c.User)
			t.sameUser("user by subject", t.bySubject(s, snapshot), c.User)
		},
	},
	{
		name: "apply/create the least",
		why:  "An access token says little more than the subject. An attribute that nobody stated is empty, not a fault.",
		run: func(t *test) {
			s := t.store()
			snapshot := replica.Snapshot{Issuer: issuer, Subject: "s", At: stated}
			c := t.apply(s, snapshot)
			want := replica.User{ID: c.User.ID, Issuer: issuer, Subject: "s", Enabled: true, Created: clock, Updated: clock, AsOf: stated}
			t.sameUser("user of the change", c.User, want)
			t.sameUser("user by subject", t.bySubject(s, snapshot), want)
		},
	},
	{
		name: "apply/update",
		why:  "After a new statement of the pool, reads must return it, and the application must learn the old value.",
		run: func(t *test) {
			s := t.store()
			created := t.apply(s, person(1, 0, in("admins")))
			c := t.apply(s, person(1, 60, in("admins"), func(s *replica.Snapshot) {
				s.Username, s.Email, s.EmailVerified, s.Name = "renamed", "new@example.com", false, "New Name"
				s.Custom = map[string]string{"custom:team": "blue"}
			}))
			if c.Created || !slices.Equal(c.Fields, []string{"custom", "email", "email_verified", "name", "username"}) {
				t.Errorf("created %v, fields %q", c.Created, c.Fields)
			}
			if c.Before == nil {
				t.Fatal("the change does not say what was before")
			}
			t.sameUser("user before the change", *c.Before, created.User)
			want := created.User
			want.Username, want.Email, want.EmailVerified, want.Name = "renamed", "new@example.com", false, "New Name"
			want.Custom = map[string]string{"custom:team": "blue"}
			want.AsOf, want.GroupsAsOf = at(60), at(60)
			t.sameUser("user of the change", c.User, want)
			t.sameUser("user by ID", t.user(s, c.User.ID), want)
		},
	},
	{
		name: "apply/unchanged writes nothing",
		why:  "A directory of a million users is read again and again. If what did not change were written, reading it would cost as much as filling it.",
		run: func(t *test) {
			s := t.store()
			edit := func(s *replica.Snapshot) {
				s.Custom, s.Status, s.Enabled = map[string]string{"custom:a": "b"}, "CONFIRMED", ptr(true)
			}
			c := t.apply(s, person(1, 0, in("admins", "editors"), edit))
			again := func(seconds int) func() replica.Change {
				return func() replica.Change {
					return t.apply(s, person(1, seconds, in("editors", "admins", "editors"), edit))
				}
			}
			t.writesNothing(s, c.User.ID, again(0))
			t.writesNothing(s, c.User.ID, again(-60))
			t.changesNothing(s, c.User.ID, again(60))
			t.writesNothing(s, c.User.ID, again(30))
		},
	},
	{
		name: "apply/idempotent",
		why:  "Events come twice, and a caller who got no answer asks again.",
		run: func(t *test) {
			s := t.store()
			for i, snapshot := range []replica.Snapshot{
				person(1, 0, in("a", "b"), func(s *replica.Snapshot) { s.SignIn = true }),
				person(1, 1, in("b")),
				person(1, 2, func(s *replica.Snapshot) { s.Enabled = ptr(false) }),
				person(1, 3, in("a"), func(s *replica.Snapshot) { s.Complete = true }),
			} {
				c := t.apply(s, snapshot)
				if c.Empty() {
					t.Fatalf("statement %d changed nothing", i)
				}
				t.writesNothing(s, c.User.ID, func() replica.Change { return t.apply(s, snapshot) })
			}
		},
	},
	{
		name: "apply/what a token leaves out stays",
		why:  "Scopes and the rights of an app client decide which claims a token carries. A sign-in must not erase what the directory knows.",
		run: func(t *test) {
			s := t.store()
			full := person(1, 0, in("admins"), func(s *replica.Snapshot) {
				s.PhoneNumber, s.PhoneNumberVerified, s.Locale = "+491", true, "de"
				s.Custom, s.Status, s.Complete = map[string]string{"custom:a": "b"}, "CONFIRMED", true
			})
			c := t.apply(s, full)
			t.changesNothing(s, c.User.ID, func() replica.Change {
				return t.apply(s, replica.Snapshot{Issuer: full.Issuer, Subject: full.Subject, At: at(60)})
			})
			c = t.apply(s, replica.Snapshot{Issuer: full.Issuer, Subject: full.Subject, Complete: true, At: at(120)})
			if u := t.user(s, c.User.ID); u.Username+u.Email+u.PhoneNumber+u.Locale != "" || u.EmailVerified || u.PhoneNumberVerified || u.Custom != nil {
				t.Errorf("a complete statement left %s", show(u))
			}
			t.expectGroups(t.user(s, c.User.ID), "admins(p)")
		},
	},
	{
		name: "apply/e-mail and whether it is verified go together (S-114)",
		why:  "An address that is trusted because another one was verified lets people take over accounts.",
		run: func(t *test) {
			s := t.store()
			c := t.apply(s, person(1, 0))
			c = t.apply(s, person(1, 1, func(s *replica.Snapshot) { s.Email, s.EmailVerified = "victim@example.com", false }))
			if u := t.user(s, c.User.ID); u.Email != "victim@example.com" || u.EmailVerified {
				t.Errorf("e-mail = %q, verified %v; want it not verified", u.Email, u.EmailVerified)
			}
			c = t.apply(s, person(1, 2, func(s *replica.Snapshot) { s.Email, s.EmailVerified = "", true }))
			if u := t.user(s, c.User.ID); u.Email != "victim@example.com" || u.EmailVerified {
				t.Errorf("verified without an address made %q verified %v", u.Email, u.EmailVerified)
			}
		},
	},
	{
		name: "apply/a disabled user stays disabled (S-117)",
		why:  "A token issued before somebody was disabled, or an event that comes late, must not revive them.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0)).User.ID
			c := t.apply(s, person(1, 60, func(s *replica.Snapshot) { s.Enabled = ptr(false) }))
			if !slices.Equal(c.Fields, []string{"enabled"}) || c.User.Enabled {
				t.Errorf("fields %q, enabled %v", c.Fields, c.User.Enabled)
			}
			t.apply(s, person(1, 30, func(s *replica.Snapshot) { s.Enabled = ptr(true) }))
			t.apply(s, person(1, 90, func(s *replica.Snapshot) { s.SignIn = true }))
			if t.user(s, id).Enabled {
				t.Error("the user was revived")
			}
			t.apply(s, person(1, 120, func(s *replica.Snapshot) { s.Enabled = ptr(true) }))
			if !t.user(s, id).Enabled {
				t.Error("the pool enabled the user again, and the replica did not")
			}
		},
	},
	{
		name: "apply/invalid writes nothing (S-115)",
		why:  "A value cut to fit, or half a statement, is a person with attributes that nobody stated.",
		run: func(t *test) {
			s := t.store()
			known := t.apply(s, person(1, 0, in("admins"))).User
			for name, edit := range map[string]func(*replica.Snapshot){
				"no subject":            func(s *replica.Snapshot) { s.Subject = "" },
				"no issuer":             func(s *replica.Snapshot) { s.Issuer = "" },
				"no time":               func(s *replica.Snapshot) { s.At = time.Time{} },
				"subject too long":      func(s *replica.Snapshot) { s.Subject = strings.Repeat("x", replica.MaxKeyBytes+1) },
				"name too long":         func(s *replica.Snapshot) { s.Name = strings.Repeat("x", replica.MaxAttributeBytes+1) },
				"not UTF-8":             func(s *replica.Snapshot) { s.Username = "\xff" },
				"NUL":                   func(s *replica.Snapshot) { s.Email = "a\x00@example.com" },
				"control character":     func(s *replica.Snapshot) { s.Name = "a\x1b[2J" },
				"custom value not UTF8": func(s *replica.Snapshot) { s.Custom = map[string]string{"custom:a": "\xff"} },
				"group not UTF-8":       in("admins", "a\xff"),
				"group without name":    in("admins", ""),
			} {
				for _, number := range []int{1, 2} {
					c, err := s.Apply(t.Context(), person(number, 60, func(s *replica.Snapshot) { s.Name = "Changed" }, edit))
					if !errors.Is(err, replica.ErrInvalid) || errors.Is(err, replica.ErrUnavailable) || !c.Empty() {
						t.Errorf("%s: Apply = %+v, %v; want ErrInvalid", name, c, err)
					}
				}
			}
			if got := t.all(s, replica.UserQuery{Issuer: issuer}); len(got) != 1 {
				t.Errorf("%d users, want the one who existed", len(got))
			}
			t.sameUser("user who was there", t.user(s, known.ID), known)
		},
	},
	{
		name: "apply/everything at its limit",
		why:  "Every store must return all of what the contract allows, or people with long names cannot sign in.",
		run: func(t *test) {
			s := t.store()
			// Four bytes each: the most that characters can need.
			long := func(bytes int) string { return strings.Repeat("𝒳", bytes/4) + strings.Repeat("x", bytes%4) }
			custom := make(map[string]string)
			for i := range replica.MaxCustom {
				custom[fmt.Sprintf("custom:%02d%s", i, long(replica.MaxCustomKeyBytes-10))] = long(replica.MaxAttributeBytes)
			}
			snapshot := replica.Snapshot{
				Issuer: "https://i/" + long(replica.MaxKeyBytes-10), Subject: long(replica.MaxKeyBytes),
				Username: long(replica.MaxAttributeBytes), Email: long(replica.MaxAttributeBytes-12) + "@example.com", Name: long(replica.MaxAttributeBytes),
				GivenName: long(replica.MaxAttributeBytes), FamilyName: long(replica.MaxAttributeBytes), PhoneNumber: long(replica.MaxAttributeBytes),
				Locale: long(replica.MaxAttributeBytes), Status: long(replica.MaxAttributeBytes), Custom: custom, At: stated,
			}
			c := t.apply(s, snapshot)
			u := t.bySubject(s, snapshot)
			t.sameUser("user read back", u, c.User)
			if u.Username != snapshot.Username || u.Name != snapshot.Name || u.Status != snapshot.Status || !maps.Equal(u.Custom, custom) {
				t.Errorf("read back: %.400s", show(u))
			}
			if got, err := s.UserByUsername(t.Context(), snapshot.Issuer, snapshot.Username); err != nil || got.ID != u.ID {
				t.Errorf("UserByUsername = %d, %v", got.ID, err)
			}
		},
	},
	{
		name: "apply/text comes back as it was stated",
		why:  "Names are written in every script, and an attribute can hold anything that a person can type.",
		run: func(t *test) {
			s := t.store()
			for i, text := range []string{
				"'; DROP TABLE codegrant_users; --", `back\slash "quoted" 'single' %s $1 ? :name`, "100% _under_",
				"Зоя Ω 王小明 علي \U0001F469\u200d\U0001F4BB", "e\u0301 and \u00e9 are spelled apart", "  spaces  ", "\U0010FFFD", "null", "{}", "<b>&amp;",
			} {
				snapshot := person(i, 0, func(s *replica.Snapshot) {
					s.Username, s.Name, s.GivenName, s.FamilyName, s.Locale, s.Status = text, text, text, text, text, text
					s.Custom = map[string]string{"custom:" + text: text, "custom:lines": text + "\r\n\t" + text, "custom:empty": ""}
				})
				u := t.apply(s, snapshot).User
				got := t.bySubject(s, snapshot)
				t.sameUser("user read back", got, u)
				if got.Username != text || got.Name != text || got.FamilyName != text || !maps.Equal(got.Custom, snapshot.Custom) {
					t.Errorf("%q came back as %s", text, show(got))
				}
			}
		},
	},
	{
		name: "apply/times name instants",
		why:  "Servers and databases run in zones of their own; an order that depends on them lets old statements win.",
		run: func(t *test) {
			s := t.store()
			for i, instant := range []time.Time{
				time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
				time.Date(2026, 3, 29, 2, 30, 0, 0, time.FixedZone("", 3600)), // does not exist in half of Europe
				time.Date(2026, 10, 25, 2, 30, 0, 0, time.FixedZone("", 7200)),
				time.Date(2026, 7, 1, 23, 59, 59, 999999999, time.FixedZone("", -11*3600)),
				time.Date(2038, 1, 19, 3, 14, 8, 1000, time.UTC),
				time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
			} {
				c := t.apply(s, person(i, 0, func(s *replica.Snapshot) { s.At, s.SignIn = instant, true }))
				u, want := t.user(s, c.User.ID), instant.Truncate(time.Microsecond)
				if !u.AsOf.Equal(want) || !u.LastSignIn.Equal(want) || !u.GroupsAsOf.Equal(want) || !u.Created.Equal(clock) {
					t.Errorf("%v came back as %v, %v; created %v", instant, u.AsOf, u.LastSignIn, u.Created)
				}
				t.sameUser("user of the change", c.User, u)
			}
		},
	},
	{
		name: "apply/people are named by issuer and subject (S-110)",
		why:  "A username, an address or a subject that another pool, or a later person, uses too must not open somebody else's account.",
		run: func(t *test) {
			s := t.store()
			first := t.apply(s, person(1, 0, in("admins"))).User
			second := t.apply(s, person(1, 60, func(s *replica.Snapshot) { s.Issuer, s.Email = otherIssuer, "else@example.com" }))
			third := t.apply(s, person(2, 120, func(s *replica.Snapshot) { s.Username = "user-1" }))
			if !second.Created || !third.Created || first.ID == second.User.ID || first.ID == third.User.ID || len(third.User.Groups) != 0 {
				t.Errorf("users %d, %d, %d: want three people", first.ID, second.User.ID, third.User.ID)
			}
			t.sameUser("first person", t.user(s, first.ID), first)
			if u, err := s.UserByUsername(t.Context(), issuer, "user-1"); err != nil || u.ID != third.User.ID {
				t.Errorf("UserByUsername = %d, %v; want %d, who was stated last", u.ID, err, third.User.ID)
			}
		},
	},
}
