package state

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const testPool = "local_Test1"

func newState(t testing.TB, p *Pool) *State {
	t.Helper()
	p.ID = testPool
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, []*Pool{p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestIndex does what can be done to users, in any order, and holds the index to
// the lists that it is made of.
func TestIndex(t *testing.T) {
	few := fewTouched
	t.Cleanup(func() { fewTouched = few })
	fewTouched = 3
	for _, p := range []*Pool{{}, {CaseSensitive: true}, {EmailAsUsername: true}} {
		s := newState(t, p)
		random := rand.New(rand.NewPCG(1, 2))
		name := func() string {
			n := fmt.Sprintf("%c%d", "uU"[random.IntN(2)], random.IntN(20))
			if p.EmailAsUsername {
				return n + "@example.com"
			}
			return n
		}
		for range 30 {
			_ = s.CreateGroup(testPool, Group{Name: fmt.Sprint("g", random.IntN(5))})
		}
		for i := range 2000 {
			if i%100 == 0 {
				checkFilters(t, s, p)
			}
			group := fmt.Sprint("g", random.IntN(5))
			switch random.IntN(12) {
			case 0, 1:
				n := NewUser{Username: name(), Attributes: map[string]string{"email_verified": fmt.Sprint(random.IntN(2) == 0)}, Enabled: true}
				if random.IntN(2) == 0 {
					n.Attributes["email"] = fmt.Sprint("E", random.IntN(10), "@example.com")
				}
				_, _ = s.CreateUser(testPool, n)
			case 2:
				_ = s.DeleteUser(testPool, name())
			case 3:
				_ = s.SetAttributes(testPool, name(), map[string]string{"email": fmt.Sprint("e", random.IntN(10), "@example.com"), "email_verified": "true"})
			case 4, 5:
				_ = s.AddToGroup(testPool, name(), group)
			case 6:
				_ = s.RemoveFromGroup(testPool, name(), group)
			case 7:
				_ = s.DeleteGroup(testPool, group)
			case 8:
				_ = s.CreateGroup(testPool, Group{Name: group})
			case 9:
				_ = s.SetEnabled(testPool, name(), random.IntN(2) == 0)
			case 10:
				_ = s.SetAttributes(testPool, name(), map[string]string{"name": string("aAbB"[random.IntN(4)])})
			case 11:
				_ = s.SetPassword(testPool, name(), "Passw0rd!", random.IntN(2) == 0)
			}
		}
		if len(p.Users) == 0 || len(p.Groups) == 0 {
			t.Fatalf("%d users and %d groups are left to look at", len(p.Users), len(p.Groups))
		}
		checkIndex(t, p)
		kept := p.index
		if err := p.makeIndex(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kept.sorted, p.index.sorted) || len(kept.names) != len(p.index.names) || len(kept.addresses["email"]) != len(p.index.addresses["email"]) {
			t.Errorf("the index that was kept is not the one that is made anew")
		}
	}
}

func checkIndex(t *testing.T, p *Pool) {
	t.Helper()
	if !slices.IsSortedFunc(p.Users, byOrder) {
		t.Error("users are not in order")
	}
	for _, u := range p.Users {
		if p.index.names[p.key(u.Username)] != u || p.index.subs[u.Sub()] != u || p.user(u.Username) != u || p.user(u.Sub()) != u {
			t.Errorf("user %s is not found", u.Username)
		}
	}
	if len(p.index.names) != len(p.Users) || len(p.index.subs) != len(p.Users) {
		t.Errorf("index of %d names and %d subs for %d users", len(p.index.names), len(p.index.subs), len(p.Users))
	}
	addresses := make(map[string][]*User)
	members := make(map[string][]*User)
	for _, u := range p.Users {
		if key := strings.ToLower(u.Attributes["email"]); key != "" {
			addresses[key] = append(addresses[key], u)
		}
		for _, g := range u.Groups {
			members[g] = append(members[g], u)
		}
	}
	for key, want := range addresses {
		if !slices.Equal(p.index.addresses["email"][key], want) {
			t.Errorf("address %s is another's", key)
		}
	}
	if len(p.index.addresses["email"]) != len(addresses) {
		t.Errorf("index of %d addresses, want %d", len(p.index.addresses["email"]), len(addresses))
	}
	for _, g := range p.Groups {
		if p.group(g.Name) != g || !slices.Equal(p.index.members[g.Name], members[g.Name]) {
			t.Errorf("group %s: index of %d members, want %d", g.Name, len(p.index.members[g.Name]), len(members[g.Name]))
		}
	}
	if len(p.index.sorted) != len(p.Groups) || !slices.IsSorted(p.index.sorted) {
		t.Errorf("index of %d groups, want %d", len(p.index.sorted), len(p.Groups))
	}
}

// TestListUsers_LooksAtFew: few of many are found at once, and of those who stand at the end
// of many others page by page, of which some are empty.
func TestListUsers_LooksAtFew(t *testing.T) {
	const n = 2*maxScan + 10
	s := largeState(t, n)
	pages := func(f Filter) (count, found int) {
		for after := int64(0); ; count++ {
			users, next, err := s.ListUsers(testPool, f, after, 60)
			if err != nil {
				t.Fatal(err)
			}
			found += len(users)
			if after = next; after == 0 {
				return count, found
			}
		}
	}
	if count, found := pages(Filter{Attribute: "name", Value: "the last one"}); count != 0 || found != 1 {
		t.Errorf("%d users, after %d pages with another to follow", found, count)
	}
	for i := 3 * n / 4; i < n; i++ {
		if err := s.SetEnabled(testPool, fmt.Sprint("user", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if count, found := pages(Filter{Attribute: "status", Value: "Disabled"}); found != n-3*n/4 || count != (found+59)/60 {
		t.Errorf("%d users at the end, after %d pages with another to follow", found, count)
	}
}

// checkFilters holds what filters find to what they select, one by one.
func checkFilters(t *testing.T, s *State, p *Pool) {
	t.Helper()
	for _, f := range []Filter{
		{Attribute: "username", Value: "u1"}, {Attribute: "username", Value: "u1", Prefix: true}, {Attribute: "username", Value: "", Prefix: true},
		{Attribute: "email", Value: "E3", Prefix: true}, {Attribute: "email", Value: "e", Prefix: true}, {Attribute: "sub", Value: "a", Prefix: true},
		{Attribute: "name", Value: "A"}, {Attribute: "name", Value: "b", Prefix: true}, {Attribute: "name", Value: "nobody"},
		{Attribute: "status", Value: "Disabled"}, {Attribute: "status", Value: "disabled"}, {Attribute: "status", Value: "E", Prefix: true},
		{Attribute: "cognito:user_status", Value: "confirmed"}, {Attribute: "cognito:user_status", Value: "FORCE", Prefix: true},
	} {
		var want, got []string
		for _, u := range p.Users {
			if f.selects(u) {
				want = append(want, u.Username)
			}
		}
		for after := int64(0); ; {
			users, next, err := s.ListUsers(testPool, f, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range users {
				got = append(got, u.Username)
			}
			if after = next; after == 0 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v finds %v, want %v", f, got, want)
		}
	}
}

func largeState(t testing.TB, n int) *State {
	t.Helper()
	p := &Pool{Groups: []*Group{{Name: "all"}}}
	for i := range n {
		p.Users = append(p.Users, &User{
			Username: fmt.Sprint("user", i), Enabled: true, Status: Confirmed, Groups: []string{"all"},
			Attributes: map[string]string{"sub": newID(), "email": fmt.Sprint("user", i, "@example.com"), "email_verified": "true", "name": "Some One"},
		})
	}
	p.Users[n-1].Attributes["name"] = "the last one"
	return newState(t, p)
}

// BenchmarkLarge is about a pool of 100,000 users.
func BenchmarkLarge(b *testing.B) {
	const n = 100_000
	s := largeState(b, n)
	for name, f := range map[string]func() error{
		"page": func() error {
			_, _, err := s.ListUsers(testPool, Filter{}, n/2, 60)
			return err
		},
		"page by address": func() error {
			_, _, err := s.ListUsers(testPool, Filter{Attribute: "email", Value: "user70000@example.com"}, 0, 60)
			return err
		},
		"page that finds nobody": func() error {
			_, _, err := s.ListUsers(testPool, Filter{Attribute: "name", Value: "nobody"}, 0, 60)
			return err
		},
		"page by the beginning of a name": func() error {
			_, _, err := s.ListUsers(testPool, Filter{Attribute: "username", Value: "user777", Prefix: true}, 0, 60)
			return err
		},
		"page by the beginning of all names": func() error {
			_, _, err := s.ListUsers(testPool, Filter{Attribute: "username", Value: "user", Prefix: true}, n/2, 60)
			return err
		},
		"page of members": func() error {
			_, _, err := s.ListMembers(testPool, "all", n/2, 60)
			return err
		},
		"user by address": func() error {
			_, err := s.User(testPool, "user70000@example.com")
			return err
		},
		"join and leave": func() error {
			if err := s.RemoveFromGroup(testPool, "user50000", "all"); err != nil {
				return err
			}
			return s.AddToGroup(testPool, "user50000", "all")
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
