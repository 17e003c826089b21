package replicatest

import (
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/replica"
)

// lookAlikes are strings that some collation, normal form or fold takes for one
// another. Every one is another name.
var lookAlikes = []string{
	"admin", "Admin", "ADMIN", "admin ", " admin", "admin\u00a0", "admin\u200b", // case, spaces
	"adm\u0131n", "ADM\u0130N", // dotless i, dotted I
	"\u017fales", "sales", "Sales", // long s
	"\u212aim", "kim", "Kim", // Kelvin sign
	"\uff41\uff44\uff4d\uff49\uff4e",  // full width
	"caf\u00e9", "cafe\u0301", "cafe", // composed, decomposed, without accent
	"stra\u00dfe", "strasse", "STRASSE", // sharp s
	"\ufb01n", "fin", // ligature
	"\u0430dmin",                                         // Cyrillic a
	"\U0001F600", "\U0001F601", "\ufffd", "\uff1f\uff1f", // characters that a narrow encoding turns into question marks
	"a_b", "axb", "a%b", "ab", `a\b`, // wildcards
	"1", "01", "1.0", "1e0", "0x1", // numbers, to an engine that converts
}

var equalityCases = []testCase{
	{
		name: "equality/subjects (S-113)",
		why:  "Two subjects that a database takes for one are two people in one account.",
		run: func(t *test) {
			s := t.store()
			ids := make(map[int64]string)
			for i, subject := range lookAlikes {
				c := t.apply(s, person(i, 0, func(s *replica.Snapshot) { s.Subject = subject }))
				if !c.Created || ids[c.User.ID] != "" {
					t.Errorf("%+q is the user of %+q", subject, ids[c.User.ID])
				}
				ids[c.User.ID] = subject
			}
			for _, subject := range lookAlikes {
				u, err := s.UserBySubject(t.Context(), issuer, subject)
				if err != nil || u.Subject != subject || ids[u.ID] != subject {
					t.Errorf("UserBySubject(%+q) = %+q, %v", subject, u.Subject, err)
				}
			}
		},
	},
	{
		name: "equality/issuers (S-113)",
		why:  "Pools that differ in a letter are run by different people.",
		run: func(t *test) {
			s := t.store()
			for i, name := range lookAlikes {
				c := t.apply(s, person(1, 0, in("admins"), func(s *replica.Snapshot) {
					s.Issuer, s.Email = "https://example.com/"+name, fmt.Sprintf("at-%d@example.com", i)
				}))
				if !c.Created {
					t.Errorf("the user of issuer %+q is known already", name)
				}
			}
			for _, name := range lookAlikes {
				issuer := "https://example.com/" + name
				if users := t.all(s, replica.UserQuery{Issuer: issuer}); len(users) != 1 || users[0].Issuer != issuer {
					t.Errorf("%d users of issuer %+q", len(users), name)
				}
			}
		},
	},
	{
		name: "equality/usernames and addresses (S-113)",
		why:  "A look-up that folds finds somebody else: another case of an address is another mailbox to some.",
		run: func(t *test) {
			s := t.store()
			for i, name := range lookAlikes {
				t.apply(s, person(i, 0, func(s *replica.Snapshot) { s.Username, s.Email, s.EmailVerified = name, name+"@example.com", false }))
			}
			for i, name := range lookAlikes {
				want := person(i, 0).Subject
				if u, err := s.UserByUsername(t.Context(), issuer, name); err != nil || u.Subject != want {
					t.Errorf("UserByUsername(%+q) = %+q, %v", name, u.Username, err)
				}
				users, err := s.UsersByEmail(t.Context(), issuer, name+"@example.com")
				if err != nil || len(users) != 1 || users[0].Subject != want {
					t.Errorf("UsersByEmail(%+q@…) = %q, %v", name, subjects(users), err)
				}
			}
		},
	},
	{
		name: "equality/groups (S-113)",
		why:  "Somebody who may name groups names one that looks like yours.",
		run: func(t *test) {
			s := t.store()
			all := t.apply(s, person(0, 0, in(lookAlikes...))).User
			if len(all.Groups) != len(lookAlikes) {
				t.Errorf("%d groups, want %d", len(all.Groups), len(lookAlikes))
			}
			for i, name := range lookAlikes {
				u := t.apply(s, person(i+1, 0, in(name))).User
				if u = t.user(s, u.ID); len(u.Groups) != 1 || u.Groups[0].Name != name || !u.InGroup(name) {
					t.Errorf("groups of a member of %+q = %+q", name, groups(u))
				}
				members := t.all(s, replica.UserQuery{Issuer: issuer, Group: name})
				if len(members) != 2 || members[0].ID != all.ID || members[1].ID != u.ID {
					t.Errorf("members of %+q = %q", name, subjects(members))
				}
			}
			ids := make(map[int64]bool)
			for _, g := range t.user(s, all.ID).Groups {
				ids[g.ID] = true
			}
			if len(ids) != len(lookAlikes) {
				t.Errorf("%d rows for %d groups", len(ids), len(lookAlikes))
			}
			if c := t.apply(s, person(1, 1, in("aDMIN"))); len(c.GroupsAdded) != 1 || len(c.GroupsRemoved) != 1 {
				t.Errorf("another case: added %q, removed %q", c.GroupsAdded, c.GroupsRemoved)
			}
		},
	},
	{
		name: "equality/a changed case is a change",
		why:  "If a store took the new spelling for the old one, the two would differ for ever.",
		run: func(t *test) {
			s := t.store()
			id := t.apply(s, person(1, 0, func(s *replica.Snapshot) { s.Username, s.Name = "alice", "alice" })).User.ID
			c := t.apply(s, person(1, 1, func(s *replica.Snapshot) { s.Username, s.Name = "ALICE", "alice " }))
			if u := t.user(s, id); len(c.Fields) != 2 || u.Username != "ALICE" || u.Name != "alice " {
				t.Errorf("fields %q, user %s", c.Fields, show(u))
			}
		},
	},
}

var lookupCases = []testCase{
	{
		name: "lookup/nobody",
		why:  "That somebody does not exist and that the store cannot say are different answers: one signs a person up, the other asks them to wait.",
		run: func(t *test) {
			s := t.store()
			for _, empty := range []bool{true, false} {
				if !empty {
					t.apply(s, person(1, 0))
				}
				known := person(1, 0)
				lookups := map[string]func() (replica.User, error){
					"User(0)":                  func() (replica.User, error) { return s.User(t.Context(), 0) },
					"User(-1)":                 func() (replica.User, error) { return s.User(t.Context(), -1) },
					"User(999999)":             func() (replica.User, error) { return s.User(t.Context(), 999999) },
					"another issuer's subject": func() (replica.User, error) { return s.UserBySubject(t.Context(), otherIssuer, known.Subject) },
					"no issuer":                func() (replica.User, error) { return s.UserBySubject(t.Context(), "", known.Subject) },
					"subject of nobody":        func() (replica.User, error) { return s.UserBySubject(t.Context(), issuer, "nobody") },
					"empty subject":            func() (replica.User, error) { return s.UserBySubject(t.Context(), issuer, "") },
					"subject not UTF-8":        func() (replica.User, error) { return s.UserBySubject(t.Context(), issuer, "\xff\xfe") },
					"subject with NUL":         func() (replica.User, error) { return s.UserBySubject(t.Context(), issuer, known.Subject+"\x00") },
					"username of nobody":       func() (replica.User, error) { return s.UserByUsername(t.Context(), issuer, "nobody") },
					"another issuer's name":    func() (replica.User, error) { return s.UserByUsername(t.Context(), otherIssuer, known.Username) },
					"username not UTF-8":       func() (replica.User, error) { return s.UserByUsername(t.Context(), issuer, "\xff") },
				}
				for name, lookup := range lookups {
					u, err := lookup()
					if !errors.Is(err, replica.ErrNotFound) || errors.Is(err, replica.ErrUnavailable) || u.ID != 0 {
						t.Errorf("%s: %d, %v; want ErrNotFound", name, u.ID, err)
					}
				}
				for _, email := range []string{"", "nobody@example.com", "\xff", "%", "user-_@example.com"} {
					if users, err := s.UsersByEmail(t.Context(), issuer, email); err != nil || len(users) != 0 {
						t.Errorf("UsersByEmail(%q) = %q, %v; want nobody", email, subjects(users), err)
					}
				}
			}
		},
	},
	{
		name: "lookup/nobody has the empty name",
		why:  "People whose name or address nobody stated must not be found by asking for none.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, replica.Snapshot{Issuer: issuer, Subject: "s", At: stated})
			if users, err := s.UsersByEmail(t.Context(), issuer, ""); err != nil || len(users) != 0 {
				t.Errorf("UsersByEmail = %q, %v", subjects(users), err)
			}
			if u, err := s.UserByUsername(t.Context(), issuer, ""); !errors.Is(err, replica.ErrNotFound) {
				t.Errorf("UserByUsername = %d, %v; want ErrNotFound", u.ID, err)
			}
		},
	},
	{
		name: "lookup/an address of several people",
		why:  "A local account and one from Google may share an address. A program that takes the first for the only one lets one person into the other's account.",
		run: func(t *test) {
			s := t.store()
			var want []string
			for i := range 3 {
				snapshot := person(i, 0, in("g"), func(s *replica.Snapshot) { s.Email, s.EmailVerified = "shared@example.com", i == 1 })
				t.apply(s, snapshot)
				want = append(want, snapshot.Subject)
			}
			t.apply(s, person(9, 0, func(s *replica.Snapshot) {
				s.Issuer, s.Email, s.EmailVerified = otherIssuer, "shared@example.com", false
			}))
			users, err := s.UsersByEmail(t.Context(), issuer, "shared@example.com")
			if err != nil || fmt.Sprint(subjects(users)) != fmt.Sprint(want) {
				t.Fatalf("UsersByEmail = %q, %v; want %q", subjects(users), err, want)
			}
			for i, u := range users {
				if u.EmailVerified != (i == 1) || groups(u) != "g(p)" {
					t.Errorf("user %d = %s", i, show(u))
				}
			}
		},
	},
}
