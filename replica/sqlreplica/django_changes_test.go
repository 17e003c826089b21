package sqlreplica

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestDjangoFollowsThePool, in what nobody has changed in Django.
func TestDjangoFollowsThePool(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		state := func(seconds int, edit func(*replica.Snapshot)) int64 {
			t.Helper()
			p := person(1, seconds)
			edit(&p)
			return apply(t, s, p).User.ID
		}
		id := state(0, func(*replica.Snapshot) {})
		expect := func(what string, want account) {
			t.Helper()
			got := s.account(t, id)
			if got.first != want.first || got.email != want.email || got.active != want.active || got.lastLogin != want.lastLogin || got.username != "user-1@example.com" {
				t.Errorf("%s: account = %+v, want %+v", what, got, want)
			}
		}
		expect("new", account{first: "Person 1", email: "user-1@example.com", active: true})
		state(1, func(p *replica.Snapshot) { p.Name, p.Email, p.SignIn = "New Name", "new@example.com", true })
		expect("changed", account{first: "New Name", email: "new@example.com", active: true, lastLogin: "2026-03-01 12:00:01"})
		state(2, func(p *replica.Snapshot) { p.Name, p.Email, p.EmailVerified = "New Name", "claimed@example.com", false })
		expect("address not verified", account{first: "New Name", email: "new@example.com", active: true, lastLogin: "2026-03-01 12:00:01"})
		s.exec(t, s.engine.sql("UPDATE auth_user SET first_name = 'Mine', email = 'mine@example.com' WHERE id = ").bind(id))
		state(3, func(p *replica.Snapshot) { p.Name, p.Email = "Newer Name", "newer@example.com" })
		expect("changed in Django", account{first: "Mine", email: "mine@example.com", active: true, lastLogin: "2026-03-01 12:00:01"})
		if u, err := s.User(t.Context(), id); err != nil || u.Name != "Newer Name" || u.Email != "newer@example.com" {
			t.Errorf("the replica has %q, %q, %v; want what the pool states", u.Name, u.Email, err)
		}
	})
}

// TestDjangoAddressOfAnother: two accounts of one address break a backend that
// looks people up by address.
func TestDjangoAddressOfAnother(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		s.createAccount(t, "other", "taken@example.com")
		id := apply(t, s, person(1, 0)).User.ID
		p := person(1, 1)
		p.Email = "Taken@example.com"
		apply(t, s, p)
		if a := s.account(t, id); a.email != "user-1@example.com" {
			t.Errorf("address = %q, want the old one: the new one is another account's", a.email)
		}
	})
}

func TestDjangoLongName(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		p := person(1, 0)
		p.Name = strings.Repeat("é", 200)
		p.Email = strings.Repeat("x", 200) + "@example.com"
		id := apply(t, s, p).User.ID
		if a := s.account(t, id); a.first != strings.Repeat("é", 150) || a.username != "subject-1" || a.email != p.Email {
			t.Errorf("account = %+v", a)
		}
		p = person(2, 0, strings.Repeat("x", 151))
		if _, err := s.Apply(t.Context(), p); !errors.Is(err, replica.ErrInvalid) {
			t.Errorf("a group whose name Django cannot hold: %v, want ErrInvalid", err)
		}
		p = person(3, 0)
		p.Subject, p.Email = strings.Repeat("x", 151), ""
		if _, err := s.Apply(t.Context(), p); !errors.Is(err, replica.ErrInvalid) {
			t.Errorf("a username that Django cannot hold: %v, want ErrInvalid", err)
		}
	})
}

// TestDjangoActive: two sides can turn an account off, and each only turns on what
// it turned off.
func TestDjangoActive(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		seconds := 0
		pool := func(enabled bool) int64 {
			t.Helper()
			seconds++
			p := person(1, seconds)
			p.Enabled = &enabled
			return apply(t, s, p).User.ID
		}
		id := pool(true)
		django := func(active bool) {
			t.Helper()
			s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(active).sql(" WHERE id = ").bind(id))
		}
		expect := func(what string, active, enabled bool) {
			t.Helper()
			u, err := s.User(t.Context(), id)
			if a := s.account(t, id); err != nil || a.active != active || u.Enabled != enabled {
				t.Errorf("%s: is_active %v, enabled %v, %v; want %v, %v", what, a.active, u.Enabled, err, active, enabled)
			}
		}
		expect("at first", true, true)
		pool(false)
		expect("disabled by the pool", false, false)
		pool(true)
		expect("enabled by the pool", true, true)
		django(false)
		expect("turned off in Django", false, false)
		seconds++
		p := person(1, seconds)
		p.Name = "Changed"
		if c := apply(t, s, p); c.User.Enabled || c.Before.Enabled {
			t.Error("a change reports somebody enabled who is turned off in Django")
		}
		pool(false)
		pool(true)
		expect("turned off in Django, and the pool disables and enables", false, false)
		django(true)
		expect("turned on in Django", true, true)
		pool(false)
		django(true)
		expect("disabled by the pool, turned on in Django", true, false)
	})
}

func TestDjangoTurnedOffIsAdoptedAsSuch(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := s.createAccount(t, "alice", "user-1@example.com")
		s.exec(t, s.engine.sql("UPDATE auth_user SET is_active = ").bind(false).sql(" WHERE id = ").bind(id))
		c := apply(t, s, person(1, 0))
		if u, err := s.User(t.Context(), id); err != nil || !c.Adopted || c.User.Enabled || u.Enabled {
			t.Errorf("adopted %v, enabled %v, %v", c.Adopted, u.Enabled, err)
		}
	})
}

// TestDjangoMemberships: what is done in Django is seen here, and outlives what
// the pool says.
func TestDjangoMemberships(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "pool", "taken away")).User.ID
		groupID := func(name string) (id int64) {
			t.Helper()
			if err := s.engine.sql("SELECT id FROM auth_group WHERE name = ").bind(name).scan(t.Context(), s.db, &id); err != nil {
				t.Fatal(err)
			}
			return id
		}
		expect := func(what, want string) {
			t.Helper()
			u, err := s.User(t.Context(), id)
			if err != nil || membershipsOf(u) != want {
				t.Errorf("%s: groups = %q, %v; want %q", what, membershipsOf(u), err, want)
			}
		}
		expect("at first", "pool(p) taken away(p)")

		s.django(t, "INSERT INTO auth_group (name) VALUES (", "given in django")
		s.django(t, "INSERT INTO auth_user_groups (user_id, group_id) VALUES (", id, groupID("given in django"))
		s.exec(t, s.engine.sql("DELETE FROM auth_user_groups WHERE user_id = ").bind(id).sql(" AND group_id = ").bind(groupID("taken away")))
		expect("after Django's changes", "given in django(l) pool(p)")

		// What the pool has stated is the pool's: it may be an old session that gives it back.
		s.django(t, "INSERT INTO auth_user_groups (user_id, group_id) VALUES (", id, groupID("taken away"))
		expect("given back in Django", "given in django(l) pool(p)")
		apply(t, s, person(1, 1))
		expect("after the pool removed all", "given in django(l)")

		apply(t, s, person(1, 2, "pool", "taken away"))
		expect("after the pool stated them again", "given in django(l) pool(p) taken away(p)")
		s.exec(t, s.engine.sql("DELETE FROM auth_user_groups WHERE user_id = ").bind(id).sql(" AND group_id = ").bind(groupID("pool")))
		apply(t, s, person(1, 3, "pool", "taken away"))
		expect("the pool's word against Django's", "given in django(l) pool(p) taken away(p)")

		page, err := s.Groups(t.Context(), replica.GroupQuery{Issuer: testIssuer})
		if err != nil || len(page.Groups) != 3 || page.Groups[2].Name != "given in django" || page.Groups[2].Origin != replica.OriginLocal || page.Groups[2].Issuer != testIssuer {
			t.Errorf("groups = %+v, %v", page.Groups, err)
		}
		members, err := s.Users(t.Context(), replica.UserQuery{Issuer: testIssuer, Group: "given in django"})
		if err != nil || len(members.Users) != 1 || members.Users[0].ID != id {
			t.Errorf("members = %+v, %v", members, err)
		}
	})
}

// TestDjangoDeletes: a row of Django's that goes takes ours along.
func TestDjangoDeletes(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := apply(t, s, person(1, 0, "a", "b")).User.ID
		group := mustUser(t, s, id).Groups[0].ID
		s.exec(t, s.engine.sql("DELETE FROM auth_user_groups WHERE group_id = ").bind(group))
		s.exec(t, s.engine.sql("DELETE FROM auth_group WHERE id = ").bind(group))
		if got := membershipsOf(mustUser(t, s, id)); got != "b(p)" {
			t.Errorf("groups after one was deleted = %q", got)
		}
		apply(t, s, person(1, 1, "a", "b"))
		if got := membershipsOf(mustUser(t, s, id)); got != "a(p) b(p)" {
			t.Errorf("groups after the pool stated it again = %q", got)
		}
		s.exec(t, s.engine.sql("DELETE FROM auth_user_groups WHERE user_id = ").bind(id))
		s.exec(t, s.engine.sql("DELETE FROM auth_user WHERE id = ").bind(id))
		if _, err := s.UserBySubject(t.Context(), testIssuer, "subject-1"); !errors.Is(err, replica.ErrNotFound) {
			t.Errorf("a user whom Django deleted: %v, want ErrNotFound", err)
		}
		if c := apply(t, s, person(1, 2, "b")); !c.Created || c.User.ID == id && s.engine != engines[MySQL] {
			t.Errorf("the person came back as %d, created %v", c.User.ID, c.Created)
		}
	})
}

func mustUser(t *testing.T, s *Store, id int64) replica.User {
	t.Helper()
	u, err := s.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDjangoGroupsOfTwoPools(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		apply(t, s, person(1, 0, "admins"))
		intruder := person(2, 0, "admins")
		intruder.Issuer += "x"
		if _, err := s.Apply(t.Context(), intruder); !errors.Is(err, replica.ErrConflict) || !strings.Contains(err.Error(), "two pools") {
			t.Errorf("another pool's users in a group of ours: %v, want ErrConflict", err)
		}
		intruder.Groups[0].Name = "theirs"
		apply(t, s, intruder)
		page, err := s.Groups(t.Context(), replica.GroupQuery{Issuer: testIssuer})
		if err != nil || len(page.Groups) != 1 || page.Groups[0].Name != "admins" {
			t.Errorf("groups = %+v, %v", page.Groups, err)
		}
	})
}

func TestDjangoCollation(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		if s.engine != engines[MySQL] {
			return // the others compare bytes
		}
		apply(t, s, person(1, 0, "admins"))
		for _, groups := range [][]string{{"Admins"}, {"adm\u00edns"}, {"admins "}, {"new", "New"}} {
			_, err := s.Apply(t.Context(), person(2, 0, groups...))
			if !errors.Is(err, replica.ErrConflict) || !strings.Contains(err.Error(), "binary collation") {
				t.Errorf("groups %q beside admins: %v, want ErrConflict", groups, err)
			}
		}
		for _, name := range []string{"Admins", "adm\u00edns", "admins "} {
			page, err := s.Users(t.Context(), replica.UserQuery{Issuer: testIssuer, Group: name})
			if err != nil || len(page.Users) != 0 {
				t.Errorf("members of %q: %d, %v; want nobody", name, len(page.Users), err)
			}
		}
	})
}

// TestDjangoConcurrentAdoption: one account, many newcomers who may have it.
func TestDjangoConcurrentAdoption(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := s.createAccount(t, "alice", "user-1@example.com")
		var wg sync.WaitGroup
		var mu sync.Mutex
		results := make(map[string]int)
		for i := range 40 {
			wg.Go(func() {
				p := person(1, 0, "a")
				p.Subject = fmt.Sprint("subject-", i%2)
				c, err := s.Apply(t.Context(), p)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && c.User.ID == id:
					results[p.Subject]++
					if c.Adopted {
						results["adopted"]++
					}
				case errors.Is(err, replica.ErrConflict):
					results["conflict"]++
				default:
					t.Errorf("Apply = user %d, %v", c.User.ID, err)
				}
			})
		}
		wg.Wait()
		if results["adopted"] != 1 || results["conflict"] != 20 || results["subject-0"]+results["subject-1"] != 20 || results["subject-0"]*results["subject-1"] != 0 {
			t.Errorf("results = %v, want one subject to have it and the other none", results)
		}
	})
}

func TestDjangoTablesMissing(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		db, _ := e.open(t)
		s, err := New(db, Config{Dialect: e.dialect, Django: &Django{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); !errors.Is(err, replica.ErrUnavailable) || !strings.Contains(err.Error(), "manage.py migrate") {
			t.Errorf("Migrate = %v, want it to name manage.py", err)
		}
	})
}

// TestS162_DjangoStoppedAtEachStep is TestS162_StoppedAtEachStep over more tables.
func TestS162_DjangoStoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		fatal := map[Dialect]error{SQLite: &coded{10}, PostgreSQL: sqlState("58030"), MySQL: number(1030)}[e.dialect]
		for name, change := range map[string]func(s *Store) error{
			"new user": func(s *Store) error { _, err := s.Apply(t.Context(), person(2, 0, "a", "new")); return err },
			"adopted":  func(s *Store) error { _, err := s.Apply(t.Context(), person(3, 0, "a", "new")); return err },
			"changed": func(s *Store) error {
				p, disabled := person(1, 1, "b", "in django"), false
				p.Name, p.Email, p.Enabled, p.SignIn = "New", "new@example.com", &disabled, true
				_, err := s.Apply(t.Context(), p)
				return err
			},
		} {
			for step, more := 0, true; more; step++ {
				t.Run(fmt.Sprint(name, ", step ", step), func(t *testing.T) {
					more = false
					s, spy := djangoStore(t, e, Config{})
					apply(t, s, person(1, 0, "a", "b"))
					s.createAccount(t, "three", "user-3@example.com", "in django")
					before := djangoContents(t, s)
					spy.reset()
					passed := 0
					spy.stopping(func(string, string) error {
						if passed++; passed == step+1 {
							return fatal
						}
						return nil
					})
					err := change(s)
					spy.stopping(nil)
					if err == nil && passed <= step {
						if step < 8 {
							t.Errorf("it takes %d steps: the spy is blind", step)
						}
						return
					}
					if !errors.Is(err, fatal) || djangoContents(t, s) != before {
						t.Fatalf("stopped: %v, left\n%s\nof\n%s", err, djangoContents(t, s), before)
					}
					if err := change(s); err != nil {
						t.Fatalf("once more: %v", err)
					}
					more = true
				})
			}
		}
	})
}

func djangoContents(t *testing.T, s *Store) string {
	return contentsOf(t, s, []string{
		"SELECT * FROM codegrant_users ORDER BY id", "SELECT * FROM codegrant_groups ORDER BY id",
		"SELECT * FROM codegrant_memberships ORDER BY user_id, group_id", "SELECT * FROM auth_user ORDER BY id",
		"SELECT * FROM auth_group ORDER BY id", "SELECT user_id, group_id FROM auth_user_groups ORDER BY user_id, group_id",
	})
}
