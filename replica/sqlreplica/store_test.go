package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

const testIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

var stated = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// person returns a snapshot of the person with that number.
func person(number, seconds int, groups ...string) replica.Snapshot {
	s := replica.Snapshot{
		Issuer: testIssuer, Subject: fmt.Sprintf("subject-%d", number), Username: fmt.Sprintf("user-%d", number),
		Email: fmt.Sprintf("user-%d@example.com", number), EmailVerified: true, Name: fmt.Sprintf("Person %d", number),
		GroupsKnown: true, At: stated.Add(time.Duration(seconds) * time.Second),
	}
	for _, name := range groups {
		s.Groups = append(s.Groups, replica.GroupRef{Name: name})
	}
	return s
}

func apply(t *testing.T, s *Store, snapshot replica.Snapshot) replica.Change {
	t.Helper()
	c, err := s.Apply(t.Context(), snapshot)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return c
}

// methods are all ways to ask a store for something, about the person 1.
var methods = map[string]func(context.Context, *Store) error{
	"ApplyIdentity": func(ctx context.Context, s *Store) error {
		_, err := s.ApplyIdentity(ctx, person(2, 1, "b"), 1, "me")
		return err
	},
	"Apply": func(ctx context.Context, s *Store) error { _, err := s.Apply(ctx, person(1, 1, "b")); return err },
	"User":  func(ctx context.Context, s *Store) error { _, err := s.User(ctx, 1); return err },
	"UserBySubject": func(ctx context.Context, s *Store) error {
		_, err := s.UserBySubject(ctx, testIssuer, "subject-1")
		return err
	},
	"UserByUsername": func(ctx context.Context, s *Store) error {
		_, err := s.UserByUsername(ctx, testIssuer, "user-1")
		return err
	},
	"UsersByEmail": func(ctx context.Context, s *Store) error {
		_, err := s.UsersByEmail(ctx, testIssuer, "a@b.c")
		return err
	},
	"Users": func(ctx context.Context, s *Store) error {
		_, err := s.Users(ctx, replica.UserQuery{Issuer: testIssuer})
		return err
	},
	"Groups": func(ctx context.Context, s *Store) error {
		_, err := s.Groups(ctx, replica.GroupQuery{Issuer: testIssuer})
		return err
	},
	"ApplyBatch": func(ctx context.Context, s *Store) error {
		_, err := s.ApplyBatch(ctx, []replica.Snapshot{person(1, 1, "b")})
		return err
	},
	"Sweep": func(ctx context.Context, s *Store) error {
		_, err := s.Sweep(ctx, testIssuer, "pass", replica.SweepOptions{Began: stated, MaxShare: 1})
		return err
	},
	"GrantLocalGroup":  func(ctx context.Context, s *Store) error { _, err := s.GrantLocalGroup(ctx, 1, "x"); return err },
	"RevokeLocalGroup": func(ctx context.Context, s *Store) error { _, err := s.RevokeLocalGroup(ctx, 1, "x"); return err },
	"MembershipsSince": func(ctx context.Context, s *Store) error { _, err := s.MembershipsSince(ctx, 1); return err },
	"Check":            func(ctx context.Context, s *Store) error { return s.Check(ctx) },
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := New(nil, Config{Policy: 7})
	for _, says := range []string{"db: is nil", "Dialect", "Policy: 7"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New = %v, want it to say %q", err, says)
		}
	}
	if _, err := New(&sql.DB{}, Config{Dialect: MySQL}); err != nil {
		t.Errorf("New with the least = %v", err)
	}
}

// taken is how an engine takes hold of rows.
func taken(e testEngine) string {
	if e.dialect == SQLite {
		return "exec"
	}
	return "query"
}

// TestStatements holds what a call costs, in statements, where a change is made in a
// transaction: that the application joins it makes it so on every engine.
func TestStatements(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, Config{OnChange: joins})
		cost := func(f func()) string {
			spy.reset()
			f()
			var operations []string
			for _, p := range spy.journal {
				operations = append(operations, p.operation)
			}
			return strings.Join(operations, " ")
		}
		var id int64
		for _, test := range []struct {
			name string
			f    func()
			most int
			want string // exact, where it is the same on every engine
		}{
			{"new user in new groups", func() { id = apply(t, s, person(1, 0, "a", "b")).User.ID }, 8, ""},
			{"new user in known groups", func() { apply(t, s, person(2, 0, "a", "b")) }, 6, ""},
			{"unchanged", func() { apply(t, s, person(1, 0, "a", "b")) }, 1, "query"},
			{"unchanged, said later", func() { apply(t, s, person(1, 60, "a", "b")) }, 6, "query begin " + taken(e) + " query exec commit"},
			{"unchanged, said earlier", func() { apply(t, s, person(1, 30, "a", "b")) }, 1, "query"},
			{"attribute changed", func() {
				p := person(1, 60, "a", "b")
				p.Name = "New"
				apply(t, s, p)
			}, 6, "query begin " + taken(e) + " query exec commit"},
			{"group changed", func() { apply(t, s, person(1, 60, "b", "c")) }, 10, ""},
			{"look-up", func() { _, _ = s.User(t.Context(), id) }, 1, "query"},
			{"page", func() { _, _ = s.Users(t.Context(), replica.UserQuery{Issuer: testIssuer, Search: "u", Group: "b"}) }, 1, "query"},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := cost(test.f)
				if n := len(strings.Fields(got)); n > test.most || test.want != "" && got != test.want {
					t.Errorf("%d operations, at most %d: %s; want %s", n, test.most, got, test.want)
				}
			})
		}
	})
}

// TestBatchStatements holds what a batch costs, in statements, however many people
// are in it.
func TestBatchStatements(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, Config{})
		people := func(seconds int, groups ...string) []replica.Snapshot {
			var all []replica.Snapshot
			for i := range 300 {
				all = append(all, person(i, seconds, groups...))
			}
			return all
		}
		changed := people(20, "a", "c")
		for i := range changed[:200] {
			changed[i].Name = "New"
		}
		for _, test := range []struct {
			name string
			said []replica.Snapshot
			most int
			want string // exact, where it is the same on every engine
		}{
			{"of nobody", nil, 0, ""},
			{"new in new groups", people(0, "a", "b"), 9, ""},
			{"the same again", people(0, "a", "b"), 2, "query query"},
			{"too late", people(-5, "x"), 2, "query query"},
			{"said later", people(10, "a", "b"), 8, "query begin " + taken(e) + " query query query exec commit"},
			{"some changed", changed, 13, ""},
			{"one changed of many", append(people(30, "a", "c")[1:], person(0, 30, "a")), 14, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				spy.reset()
				if _, err := s.ApplyBatch(t.Context(), test.said); err != nil {
					t.Fatal(err)
				}
				var operations []string
				for _, p := range spy.journal {
					operations = append(operations, p.operation)
				}
				got := strings.Join(operations, " ")
				if len(operations) > test.most || test.want != "" && got != test.want {
					t.Errorf("%d operations, at most %d: %s; want %s", len(operations), test.most, got, test.want)
				}
			})
		}
	})
}

// TestOnChangeJoinsTheTransaction: what the application writes is there with the
// change, and is not without it.
func TestOnChangeJoinsTheTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		refuse := errors.New("refused")
		var s *Store
		config := Config{OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
			err := s.engine.sql("INSERT INTO outbox (user_id, what) VALUES (").bind(c.User.ID, strings.Join(c.GroupsAdded, ",")).sql(")").exec(ctx, tx)
			if err != nil {
				return err
			}
			var rows int
			err = s.engine.sql("SELECT count(*) FROM codegrant_memberships WHERE user_id = ").bind(c.User.ID).scan(ctx, tx, &rows)
			if err != nil || rows != len(c.User.Groups) {
				return fmt.Errorf("the transaction shows %d memberships of %d: %w", rows, len(c.User.Groups), err)
			}
			if c.User.InGroup("refused") {
				return refuse
			}
			return nil
		}}
		s, _ = e.store(t, config)
		if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE outbox (user_id BIGINT NOT NULL REFERENCES codegrant_users (id), what VARCHAR(255) NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		id := apply(t, s, person(1, 0, "a", "b")).User.ID
		if _, err := s.Apply(t.Context(), person(1, 1, "refused")); !errors.Is(err, refuse) {
			t.Errorf("Apply = %v, want the application's error", err)
		}
		if _, err := s.Apply(t.Context(), person(2, 1, "refused")); !errors.Is(err, refuse) {
			t.Errorf("Apply = %v, want the application's error", err)
		}
		rows, err := s.db.QueryContext(t.Context(), "SELECT user_id, what FROM outbox")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var user int64
			var what string
			if err := rows.Scan(&user, &what); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(user, " ", what))
		}
		if want := fmt.Sprint(id, " a,b"); len(got) != 1 || got[0] != want {
			t.Errorf("outbox holds %q, want %q", got, want)
		}
	})
}

// TestOnChangeViolation: what an application's own statements violate, they would
// violate again; it is told, and at once.
func TestOnChangeViolation(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		calls := 0
		s, _ := e.store(t, Config{OnChange: func(ctx context.Context, tx *sql.Tx, c replica.Change) error {
			calls++
			_, err := tx.ExecContext(ctx, "INSERT INTO mine (id) VALUES (1)")
			return err
		}})
		if _, err := s.db.ExecContext(t.Context(), "CREATE TABLE mine (id INTEGER PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		apply(t, s, person(1, 0))
		_, err := s.Apply(t.Context(), person(2, 0))
		if err == nil || errors.Is(err, replica.ErrUnavailable) || calls != 2 || s.engine.classify(err) != faultRaced {
			t.Errorf("Apply = %v after %d calls, want the violation after the second", err, calls)
		}
	})
}

// TestReadableByApplications: the tables are there to be joined and read by
// people and programs that know nothing of this package.
func TestReadableByApplications(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		now := time.Date(2026, 3, 1, 13, 0, 0, 5000, time.UTC)
		s, _ := e.store(t, Config{Now: func() time.Time { return now }})
		snapshot := person(1, 0, "admins")
		snapshot.Custom = map[string]string{"custom:team": "red"}
		apply(t, s, snapshot)
		year := map[Dialect]string{
			SQLite: "strftime('%Y', u.created_at)", PostgreSQL: "to_char(u.created_at AT TIME ZONE 'UTC', 'YYYY')", MySQL: "DATE_FORMAT(u.created_at, '%Y')",
		}[e.dialect]
		team := map[Dialect]string{
			SQLite: `json_extract(u.custom, '$."custom:team"')`, PostgreSQL: "u.custom ->> 'custom:team'", MySQL: `JSON_UNQUOTE(JSON_EXTRACT(u.custom, '$."custom:team"'))`,
		}[e.dialect]
		var gotYear, gotTeam, group string
		err := s.engine.sql("SELECT "+year+", "+team+", g.name FROM codegrant_users u JOIN codegrant_memberships m ON m.user_id = u.id"+
			" JOIN codegrant_groups g ON g.id = m.group_id WHERE u.email = 'user-1@example.com' AND u.email_verified AND m.from_pool").
			scan(t.Context(), s.db, &gotYear, &gotTeam, &group)
		if err != nil || gotYear != "2026" || gotTeam != "red" || group != "admins" {
			t.Errorf("read year %q, team %q, group %q, %v", gotYear, gotTeam, group, err)
		}
	})
}

func TestS165_AnotherUsersRowIsRefused(t *testing.T) {
	db, _ := testEngines[0].open(t)
	s, err := New(db, Config{Dialect: SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, s, person(1, 0))
	_, err = s.change(t.Context(), s.bySubject(testIssuer, "subject-1"), s.decide(person(2, 0)))
	if err == nil || !strings.Contains(err.Error(), "another user's row") {
		t.Errorf("a decision about subject-2 on the row of subject-1: %v", err)
	}
}
