package replicatest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

var listCases = []testCase{
	{
		name: "list/pages",
		why:  "A walk through the pages must meet everybody once, however large the pages are.",
		run: func(t *test) {
			s := t.store()
			var want []string
			for i := range 25 {
				snapshot := person(i, 0, in("everybody", fmt.Sprint("group-", i)))
				t.apply(s, snapshot)
				want = append(want, snapshot.Subject)
			}
			t.apply(s, person(99, 0, func(s *replica.Snapshot) { s.Issuer = otherIssuer }))
			for _, limit := range []int{1, 2, 7, 24, 25, 26, 0, -1, 1 << 40} {
				users := t.all(s, replica.UserQuery{Issuer: issuer, Limit: limit})
				if !slices.Equal(subjects(users), want) {
					t.Errorf("with limit %d: %d users, want %d in order", limit, len(users), len(want))
				}
				for i, u := range users {
					t.sameUser("listed user", u, t.user(s, u.ID))
					if len(u.Groups) != 2 {
						t.Errorf("user %d has groups %q", i, groups(u))
					}
				}
			}
			page, err := s.Users(t.Context(), replica.UserQuery{Issuer: issuer, Limit: 5})
			if err != nil || len(page.Users) != 5 || page.Next == "" {
				t.Errorf("page of 5 has %d, next %q, %v", len(page.Users), page.Next, err)
			}
			page, err = s.Users(t.Context(), replica.UserQuery{Issuer: issuer, Limit: 25})
			if err != nil || len(page.Users) != 25 || page.Next != "" {
				t.Errorf("last page has %d, next %q, %v; a page that is full need not have another after it", len(page.Users), page.Next, err)
			}
			page, err = s.Users(t.Context(), replica.UserQuery{Issuer: "https://nobody.example.com"})
			if err != nil || len(page.Users) != 0 || page.Next != "" {
				t.Errorf("page of nobody has %d, next %q, %v", len(page.Users), page.Next, err)
			}
		},
	},
	{
		name: "list/stable while people come and change",
		why:  "People sign in while an operator, or a directory pass, walks through the pages. Nobody may be skipped or met twice for it.",
		run: func(t *test) {
			s := t.store()
			var want []string
			for i := range 10 {
				snapshot := person(i, 0)
				t.apply(s, snapshot)
				want = append(want, snapshot.Subject)
			}
			var got []string
			q := replica.UserQuery{Issuer: issuer, Limit: 3}
			for round := range 20 {
				page, err := s.Users(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, subjects(page.Users)...)
				if q.After = page.Next; q.After == "" {
					break
				}
				if round < 2 {
					t.apply(s, person(round, 60, func(s *replica.Snapshot) { s.Username, s.Name = "zzz", "zzz" })) // met already
					t.apply(s, person(9-round, 60, func(s *replica.Snapshot) { s.Username, s.Name = "aaa", "aaa" }))
					snapshot := person(100+round, 0, func(s *replica.Snapshot) { s.Username = fmt.Sprint("000-", round) })
					t.apply(s, snapshot)
					want = append(want, snapshot.Subject)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("met %q\nwant %q", got, want)
			}
		},
	},
	{
		name: "list/cursors that nobody made (S-133)",
		why:  "A cursor comes back from a browser, and so from anybody.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 0, in("g")))
			for _, cursor := range []string{"1", "0", "-1", "AAAAAAAAAAAA", "1 OR 1=1", "' OR ''='", "\x00", "\xff", strings.Repeat("A", 1000)} {
				if page, err := s.Users(t.Context(), replica.UserQuery{Issuer: issuer, After: cursor}); !errors.Is(err, replica.ErrInvalid) || page.Users != nil {
					t.Errorf("Users after %.20q: %d, %v; want ErrInvalid", cursor, len(page.Users), err)
				}
				if page, err := s.Groups(t.Context(), replica.GroupQuery{Issuer: issuer, After: cursor}); !errors.Is(err, replica.ErrInvalid) || page.Groups != nil {
					t.Errorf("Groups after %.20q: %d, %v; want ErrInvalid", cursor, len(page.Groups), err)
				}
			}
		},
	},
	{
		name: "list/of no issuer",
		why:  "A forgotten issuer must not show the users of every tenant to one of them.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 0, in("g")))
			if page, err := s.Users(t.Context(), replica.UserQuery{}); !errors.Is(err, replica.ErrInvalid) || page.Users != nil {
				t.Errorf("Users: %d, %v; want ErrInvalid", len(page.Users), err)
			}
			if page, err := s.Groups(t.Context(), replica.GroupQuery{}); !errors.Is(err, replica.ErrInvalid) || page.Groups != nil {
				t.Errorf("Groups: %d, %v; want ErrInvalid", len(page.Groups), err)
			}
		},
	},
	{
		name: "list/groups in pages",
		why:  "A pool can have ten thousand groups.",
		run: func(t *test) {
			s := t.store()
			var names []string
			for i := range 12 {
				names = append(names, fmt.Sprintf("g%02d", i))
			}
			t.apply(s, person(1, 0, in(names...)))
			t.apply(s, person(2, 0, in("other"), func(s *replica.Snapshot) { s.Issuer = otherIssuer }))
			for _, limit := range []int{1, 5, 11, 12, 13, 0} {
				var got []string
				q := replica.GroupQuery{Issuer: issuer, Limit: limit}
				for range 20 {
					page, err := s.Groups(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					for _, g := range page.Groups {
						got = append(got, g.Name)
					}
					if q.After = page.Next; q.After == "" {
						break
					}
				}
				if slices.Sort(got); !slices.Equal(got, names) {
					t.Errorf("with limit %d: %q", limit, got)
				}
			}
		},
	},
	{
		name: "list/members of a group",
		why:  "Members are listed by the name of a group, in one pool, whatever the source of a membership.",
		run: func(t *test) {
			s := t.store()
			for i := range 9 {
				t.apply(s, person(i, 0, in([]string{"red", "blue", "redder"}[i%3])))
			}
			t.apply(s, person(20, 0, in("red"), func(s *replica.Snapshot) { s.Issuer = otherIssuer }))
			t.grant(s, t.bySubject(s, person(8, 0)).ID, "red")
			want := []string{person(0, 0).Subject, person(3, 0).Subject, person(6, 0).Subject, person(8, 0).Subject}
			for _, limit := range []int{1, 3, 50} {
				users := t.all(s, replica.UserQuery{Issuer: issuer, Group: "red", Limit: limit})
				if !slices.Equal(subjects(users), want) {
					t.Errorf("members = %q, want %q", subjects(users), want)
				}
			}
			if u := t.all(s, replica.UserQuery{Issuer: issuer, Group: "red"})[3]; groups(u) != "red(l) redder(p)" {
				t.Errorf("a member is listed with groups %q", groups(u))
			}
			for _, name := range []string{"green", "RED", "re%", "red ", "\xff"} {
				if users := t.all(s, replica.UserQuery{Issuer: issuer, Group: name}); len(users) != 0 {
					t.Errorf("members of %q = %q", name, subjects(users))
				}
			}
		},
	},
	{
		name: "list/search",
		why:  "An operator types the beginning of whatever they know of a person.",
		run: func(t *test) {
			s := t.store()
			set := func(number int, username, email, name, given, family string) {
				t.apply(s, person(number, 0, in(fmt.Sprint("parity-", number%2)), func(s *replica.Snapshot) {
					s.Username, s.Email, s.Name, s.GivenName, s.FamilyName = username, email, name, given, family
				}))
			}
			set(0, "alice", "alice@example.com", "Alice Smith", "Alice", "Smith")
			set(1, "Google_1234", "bob@example.com", "", "Bob", "Ångström")
			set(2, "smithers", "waylon@example.org", "Waylon", "", "")
			set(3, "u-3", "élodie@example.com", "", "", "Alicea")
			t.apply(s, person(4, 0, func(s *replica.Snapshot) { s.Issuer, s.Username, s.Email = otherIssuer, "alice", "alice@example.net" }))
			for _, q := range []struct {
				search, group string
				want          []int
			}{
				{"alice", "", []int{0, 3}},
				{"ALICE", "", []int{0, 3}},
				{"  alice s ", "", []int{0}},
				{"smith", "", []int{0, 2}},
				{"google_", "", []int{1}},
				{"bob å", "", []int{1}},
				{"ÅNG", "", []int{1}},
				{"Élodie@", "", []int{3}},
				{"waylon@example.org", "", []int{2}},
				{"ice", "", nil},
				{"", "", []int{0, 1, 2, 3}},
				{"alice", "parity-1", []int{3}},
				{"alice", "parity-2", nil},
				{"a\xff", "", nil},
			} {
				for _, limit := range []int{1, 50} {
					var want []string
					for _, number := range q.want {
						want = append(want, person(number, 0).Subject)
					}
					users := t.all(s, replica.UserQuery{Issuer: issuer, Search: q.search, Group: q.group, Limit: limit})
					if !slices.Equal(subjects(users), want) {
						t.Errorf("search %q in group %q finds %q, want %q", q.search, q.group, subjects(users), want)
					}
				}
			}
		},
	},
	{
		name: "list/search takes every character as itself (S-119)",
		why:  "A wildcard in what somebody typed lists everybody, and a quote that ends a string begins a statement.",
		run: func(t *test) {
			s := t.store()
			names := []string{"100% sure", "100 percent", "a_b", "axb", `back\slash`, "backs", "o'brien", "[abc]", "a*b", "q?", "-- x", `"quoted"`, "~", "\U0010FFFD"}
			for i, name := range names {
				t.apply(s, person(i, 0, func(s *replica.Snapshot) {
					s.Username, s.Name, s.GivenName, s.FamilyName = name, "", "", ""
				}))
			}
			for search, want := range map[string][]string{
				"%": nil, "_": nil, "100%": {"100% sure"}, "100_": nil, "a_": {"a_b"}, "a%": nil, `back\`: {`back\slash`}, `back\s`: {`back\slash`}, `a\`: nil,
				"o'": {"o'brien"}, "'": nil, "[a": {"[abc]"}, "*": nil, "a*": {"a*b"}, "?": nil, "q?": {"q?"}, "--": {"-- x"}, `"`: {`"quoted"`},
				"~": {"~"}, "\U0010FFFD": {"\U0010FFFD"}, "' OR '1'='1": nil, "x' UNION SELECT 1 --": nil, "$1": nil, ":a": nil,
			} {
				var got []string
				for _, u := range t.all(s, replica.UserQuery{Issuer: issuer, Search: search}) {
					got = append(got, u.Username)
				}
				if !slices.Equal(got, want) {
					t.Errorf("search %q finds %q, want %q", search, got, want)
				}
			}
		},
	},
	{
		name: "list/search follows changes",
		why:  "Somebody who married is looked for under the new name.",
		run: func(t *test) {
			s := t.store()
			t.apply(s, person(1, 0, func(s *replica.Snapshot) { s.Name, s.FamilyName = "Alice Smith", "Smith" }))
			t.apply(s, person(1, 1, func(s *replica.Snapshot) { s.Name, s.FamilyName = "Alice Jones", "Jones" }))
			for search, want := range map[string]int{"smith": 0, "alice s": 0, "jones": 1, "alice j": 1} {
				if users := t.all(s, replica.UserQuery{Issuer: issuer, Search: search}); len(users) != want {
					t.Errorf("search %q finds %d, want %d", search, len(users), want)
				}
			}
		},
	},
}
