package sqlreplica

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/replicatest"
)

// djangoSchema are Django's tables as its migrations leave them.
var djangoSchema = map[Dialect][]string{
	SQLite: {
		`CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE)`,
		`CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "first_name" varchar(150) NOT NULL)`,
		`CREATE TABLE "auth_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED)`,
		`CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id")`,
		`CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id")`,
		`CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id")`,
	},
	PostgreSQL: {
		`CREATE TABLE "auth_group" ("id" serial NOT NULL PRIMARY KEY, "name" varchar(150) NOT NULL UNIQUE)`,
		`CREATE INDEX "auth_group_name_a6ea08ec_like" ON "auth_group" ("name" varchar_pattern_ops)`,
		`CREATE TABLE "auth_user" ("id" serial NOT NULL PRIMARY KEY, "password" varchar(128) NOT NULL, "last_login" timestamp with time zone NULL, "is_superuser" boolean NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "first_name" varchar(150) NOT NULL, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" boolean NOT NULL, "is_active" boolean NOT NULL, "date_joined" timestamp with time zone NOT NULL)`,
		`CREATE INDEX "auth_user_username_6821ab7c_like" ON "auth_user" ("username" varchar_pattern_ops)`,
		`CREATE TABLE "auth_user_groups" ("id" serial NOT NULL PRIMARY KEY, "user_id" integer NOT NULL, "group_id" integer NOT NULL)`,
		`ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_user_id_group_id_94350c0c_uniq" UNIQUE ("user_id", "group_id")`,
		`ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_user_id_6a12ed8b_fk_auth_user_id" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED`,
		`ALTER TABLE "auth_user_groups" ADD CONSTRAINT "auth_user_groups_group_id_97559544_fk_auth_group_id" FOREIGN KEY ("group_id") REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED`,
		`CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id")`,
		`CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id")`,
	},
	MySQL: {
		"CREATE TABLE `auth_group` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `name` varchar(150) NOT NULL UNIQUE)",
		"CREATE TABLE `auth_user` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `password` varchar(128) NOT NULL, `last_login` datetime(6) NULL, `is_superuser` bool NOT NULL, `username` varchar(150) NOT NULL UNIQUE, `first_name` varchar(150) NOT NULL, `last_name` varchar(150) NOT NULL, `email` varchar(254) NOT NULL, `is_staff` bool NOT NULL, `is_active` bool NOT NULL, `date_joined` datetime(6) NOT NULL)",
		"CREATE TABLE `auth_user_groups` (`id` integer AUTO_INCREMENT NOT NULL PRIMARY KEY, `user_id` integer NOT NULL, `group_id` integer NOT NULL)",
		"ALTER TABLE `auth_user_groups` ADD CONSTRAINT `auth_user_groups_user_id_group_id_94350c0c_uniq` UNIQUE (`user_id`, `group_id`)",
		"ALTER TABLE `auth_user_groups` ADD CONSTRAINT `auth_user_groups_user_id_6a12ed8b_fk_auth_user_id` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`)",
		"ALTER TABLE `auth_user_groups` ADD CONSTRAINT `auth_user_groups_group_id_97559544_fk_auth_group_id` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`)",
	},
}

// djangoStore returns a store in a Django project's database without users.
func djangoStore(t *testing.T, e testEngine, config Config) (*Store, *spy) {
	t.Helper()
	if config.Django == nil {
		config.Django = &Django{AdoptVerifiedEmail: true}
	}
	return e.shelved(t, config)
}

func TestDjangoConformance(t *testing.T) {
	for _, e := range testEngines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			h := harnessOf(func(t *testing.T, config Config) (*Store, *spy) {
				config.Django = &Django{AdoptVerifiedEmail: true, Unverified: UnverifiedApart}
				return djangoStore(t, e, config)
			})
			h.Except = map[string]string{
				"groups/shared by members, apart by issuer": "Django has one group of a name; a second pool's claim to it is refused, as TestDjangoGroupsOfTwoPools shows",
				"equality/issuers (S-113)":                  "its people of many issuers are all in one group",
				"list/members of a group":                   "its people of two issuers are in one group",
			}
			if e.dialect == MySQL {
				h.Except["equality/groups (S-113)"] = "auth_group has the collation of the database; a name that it folds is refused, as TestDjangoCollation shows"
			}
			replicatest.Run(t, h)
		})
	}
}

// account is what Django would see of a user.
type account struct {
	password, username, first, last, email string
	staff, superuser, active               bool
	lastLogin                              string
	groups                                 []string
}

func (s *Store) account(t *testing.T, id int64) account {
	t.Helper()
	var a account
	var lastLogin time.Time
	err := s.engine.sql("SELECT password, username, first_name, last_name, email, is_staff, is_superuser, is_active, "+s.engine.readTime("last_login")+" FROM auth_user WHERE id = ").
		bind(id).scan(t.Context(), s.db, &a.password, &a.username, &a.first, &a.last, &a.email, &a.staff, &a.superuser, &a.active, timeColumn{&lastLogin})
	if err != nil {
		t.Fatal(err)
	}
	if !lastLogin.IsZero() {
		a.lastLogin = lastLogin.Format(time.DateTime)
	}
	rows, err := s.engine.sql("SELECT g.name FROM auth_user_groups ug JOIN auth_group g ON g.id = ug.group_id WHERE ug.user_id = ").bind(id).query(t.Context(), s.db)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		a.groups = append(a.groups, name)
	}
	slices.Sort(a.groups)
	return a
}

// createAccount adds a user as Django would.
func (s *Store) createAccount(t *testing.T, username, email string, groups ...string) int64 {
	t.Helper()
	s.django(t, "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES (",
		"pbkdf2_sha256$1$x$y", false, username, "", "", email, false, true, stated)
	var id int64
	if err := s.engine.sql("SELECT id FROM auth_user WHERE username = ").bind(username).scan(t.Context(), s.db, &id); err != nil {
		t.Fatal(err)
	}
	for _, name := range groups {
		s.join(t, id, name)
	}
	return id
}

// django inserts a row past the store.
func (s *Store) django(t *testing.T, insert string, values ...any) {
	t.Helper()
	if err := s.engine.sql(insert).bind(values...).sql(")").exec(t.Context(), s.db); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) exec(t *testing.T, statement *statement) {
	t.Helper()
	if err := statement.exec(t.Context(), s.db); err != nil {
		t.Fatal(err)
	}
}

func eachDjango(t *testing.T, f func(t *testing.T, s *Store)) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := djangoStore(t, e, Config{})
		f(t, s)
	})
}

// TestDjangoNewUser: as get_or_create of cognito_code_grant would make them.
func TestDjangoNewUser(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		snapshot := person(1, 0, "editors", "admins")
		snapshot.Email, snapshot.Name, snapshot.SignIn = "Alice.Smith@Example.COM", "Alice Smith", true
		c := apply(t, s, snapshot)
		got := s.account(t, c.User.ID)
		if !c.Created || c.Adopted || !regexp.MustCompile(`^![a-zA-Z0-9]{40}$`).MatchString(got.password) {
			t.Errorf("created %v, adopted %v, password %q", c.Created, c.Adopted, got.password)
		}
		got.password = ""
		want := account{
			username: "alice.smith@example.com", first: "Alice Smith", email: "Alice.Smith@Example.COM", active: true,
			lastLogin: "2026-03-01 12:00:00", groups: []string{"admins", "editors"},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("account = %+v, want %+v", got, want)
		}
		other := apply(t, s, person(2, 0))
		if a, b := s.account(t, other.User.ID), s.account(t, c.User.ID); a.password == b.password {
			t.Error("two users have the same unusable password")
		}
	})
}

// TestS111_DjangoUnverifiedAddress: who claims somebody's address must not be
// found by it, by a backend that looks people up by address, when the owner comes.
func TestS111_DjangoUnverifiedAddress(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := djangoStore(t, e, Config{Django: &Django{AdoptVerifiedEmail: true, Unverified: UnverifiedApart}})
		victim := s.createAccount(t, "victim@example.com", "victim@example.com", "admins")
		for i, edit := range []func(*replica.Snapshot){
			func(p *replica.Snapshot) { p.Email, p.EmailVerified = "victim@example.com", false },
			func(p *replica.Snapshot) { p.Email, p.EmailVerified = "", true },
			func(p *replica.Snapshot) { p.Email = "victim@example.com,other@example.com" },
			func(p *replica.Snapshot) { p.Email = "x@y@example.com" },
			func(p *replica.Snapshot) { p.Email = "<victim@example.com>" },
			func(p *replica.Snapshot) { p.Email = "v\u0131ctim@example.com" },  // dotless i
			func(p *replica.Snapshot) { p.Email = "victim@\u212aexample.com" }, // a sign that folds to k
		} {
			snapshot := person(i, 0)
			edit(&snapshot)
			c, err := s.Apply(t.Context(), snapshot)
			if s.engine == engines[MySQL] && errors.Is(err, replica.ErrConflict) {
				continue // its collation takes the username for the victim's
			}
			if err != nil {
				t.Errorf("%q, verified %v: %v", snapshot.Email, snapshot.EmailVerified, err)
				continue
			}
			a := s.account(t, c.User.ID)
			if c.Adopted || c.User.ID == victim || sameAddress(a.email, "victim@example.com") || len(a.groups) != 0 {
				t.Errorf("%q, verified %v, got user %d: %+v", snapshot.Email, snapshot.EmailVerified, c.User.ID, a)
			}
			if c.User.Email != snapshot.Email {
				t.Errorf("the replica has the address %q, want what the pool states, %q", c.User.Email, snapshot.Email)
			}
		}
	})
}

// TestDjangoFindsEveryAddress: what may be in an address is no reason to make somebody a
// second account.
func TestDjangoFindsEveryAddress(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		for i, email := range []string{"o'brien@example.com", "back`tick@example.com", "a+tag@example.com", "a.b-c_d=e/f?g&h%i@sub.example.com", "{x}|y~z^#$*!@example.com", "ü@example.com", "a@xn--bcher-kva.example"} {
			id := s.createAccount(t, fmt.Sprint("account ", i), strings.ReplaceAll(email, "example", "EXAMPLE"))
			p := person(i, 0)
			p.Email, p.SignIn = email, true
			if c := apply(t, s, p); c.User.ID != id || !c.Adopted {
				t.Errorf("%s: user %d, adopted %v; want %d", email, c.User.ID, c.Adopted, id)
			}
			p = person(100+i, 0)
			p.Email = "new." + email
			if a := s.account(t, apply(t, s, p).User.ID); a.email != p.Email || a.username != strings.ToLower(p.Email) {
				t.Errorf("a new account for %s: %+v", p.Email, a)
			}
		}
	})
}

func TestDjangoAdoption(t *testing.T) {
	eachDjango(t, func(t *testing.T, s *Store) {
		id := s.createAccount(t, "alice", "Alice@Example.com", "from django", "both")
		s.exec(t, s.engine.sql("UPDATE auth_user SET last_name = 'Kept', is_staff = ").bind(true).sql(" WHERE id = ").bind(id))
		snapshot := person(1, 0, "both", "from pool")
		snapshot.Email, snapshot.Name = "alice@example.com", "Alice Smith"
		c := apply(t, s, snapshot)
		if c.Created || !c.Adopted || c.User.ID != id || c.Empty() || c.Before == nil {
			t.Fatalf("change = %+v, want user %d adopted", c, id)
		}
		if !slices.Equal(c.GroupsAdded, []string{"from pool"}) {
			t.Errorf("added %q", c.GroupsAdded)
		}
		u, err := s.UserBySubject(t.Context(), testIssuer, snapshot.Subject)
		if err != nil || u.ID != id || membershipsOf(u) != "both(p) from django(l) from pool(p)" {
			t.Errorf("user %d in %q, %v", u.ID, membershipsOf(u), err)
		}
		a := s.account(t, id)
		if a.username != "alice" || a.password != "pbkdf2_sha256$1$x$y" || a.last != "Kept" || !a.staff || a.first != "Alice Smith" || a.email != "alice@example.com" {
			t.Errorf("account = %+v", a)
		}
		if again := apply(t, s, snapshot); !again.Empty() {
			t.Errorf("adopting again changes %q", again.Fields)
		}
		// The pool can take back what it has stated, and nothing else.
		snapshot.Groups, snapshot.At = nil, snapshot.At.Add(time.Second)
		apply(t, s, snapshot)
		if a := s.account(t, id); !slices.Equal(a.groups, []string{"from django"}) {
			t.Errorf("groups = %q", a.groups)
		}
	})
}

func TestDjangoAdoptionRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		for _, test := range []struct {
			name    string
			adopt   bool
			prepare func(t *testing.T, s *Store)
			says    string
		}{
			{"S-111: off by default", false, func(t *testing.T, s *Store) { s.createAccount(t, "a", "user-1@example.com") }, "set Django.AdoptVerifiedEmail"},
			{"two accounts", true, func(t *testing.T, s *Store) {
				s.createAccount(t, "a", "user-1@example.com")
				s.createAccount(t, "b", "USER-1@example.com")
			}, "leave it to one of them"},
			{"S-111: linked already", true, func(t *testing.T, s *Store) {
				other := person(2, 0)
				other.Email = "user-1@example.com"
				apply(t, s, other)
			}, `is linked to subject "subject-2"`},
			{"username of another", true, func(t *testing.T, s *Store) { s.createAccount(t, "user-1@example.com", "else@example.com") }, "rename that user"},
		} {
			t.Run(test.name, func(t *testing.T) {
				s, _ := djangoStore(t, e, Config{Django: &Django{AdoptVerifiedEmail: test.adopt}})
				test.prepare(t, s)
				count := func() (n int) {
					t.Helper()
					if err := s.engine.sql("SELECT count(*) FROM auth_user").scan(t.Context(), s.db, &n); err != nil {
						t.Fatal(err)
					}
					return n
				}
				before := count()
				_, err := s.Apply(t.Context(), person(1, 0, "g"))
				if !errors.Is(err, replica.ErrConflict) || errors.Is(err, replica.ErrUnavailable) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("Apply = %v, want ErrConflict that says %q", err, test.says)
				}
				if _, err := s.UserBySubject(t.Context(), testIssuer, "subject-1"); !errors.Is(err, replica.ErrNotFound) || count() != before {
					t.Errorf("UserBySubject = %v, %d accounts of %d", err, count(), before)
				}
			})
		}
	})
}

// membershipsOf writes memberships as "admins(p) locals(l)", by who states them.
func membershipsOf(u replica.User) string {
	var parts []string
	for _, m := range u.Groups {
		part := m.Name + "("
		if m.Pool {
			part += "p"
		}
		if m.Local {
			part += "l"
		}
		parts = append(parts, part+")")
	}
	return strings.Join(parts, " ")
}
