package sqlreplica

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

func TestNotMigrated(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		db, _ := e.open(t)
		s, err := New(db, Config{Dialect: e.dialect})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range methods {
			err := call(t.Context(), s)
			if !errors.Is(err, ErrNotMigrated) || !errors.Is(err, replica.ErrUnavailable) || !strings.Contains(err.Error(), "call Store.Migrate first") {
				t.Errorf("%s = %v, want ErrNotMigrated that says what to do", name, err)
			}
		}
	})
}

// firstVersion puts person(1, 0, "a") into the tables as the code of version 1 did.
var firstVersion = []string{
	"INSERT INTO codegrant_users (id, issuer, subject, username, email, email_verified, name, given_name, family_name, phone_number, " +
		"phone_number_verified, locale, custom, enabled, status, created_at, updated_at, as_of, groups_as_of, " +
		"search_username, search_email, search_name, search_family_name) VALUES (7, '" + testIssuer + "', 'subject-1', 'user-1', 'user-1@example.com', " +
		"TRUE, 'Person 1', '', '', '', FALSE, '', '{}', TRUE, '', '2026-03-01 13:00:00.000000', '2026-03-01 13:00:00.000000', " +
		"'2026-03-01 12:00:00.000000', '2026-03-01 12:00:00.000000', 'user-1', 'user-1@example.com', 'person 1', '')",
	"INSERT INTO codegrant_groups (id, issuer, name, origin, created_at, updated_at) VALUES (5, '" + testIssuer + "', 'a', 'pool', " +
		"'2026-03-01 13:00:00.000000', '2026-03-01 13:00:00.000000')",
	"INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) VALUES (7, 5, TRUE, FALSE)",
}

func firstContents(t *testing.T, s *Store) string {
	t.Helper()
	return contentsOf(t, s, []string{
		"SELECT id, issuer, subject, username, email, name, custom, enabled, updated_at, as_of FROM codegrant_users ORDER BY id",
		"SELECT id, issuer, name, origin, precedence, updated_at FROM codegrant_groups ORDER BY id",
		"SELECT user_id, group_id, from_pool, from_local FROM codegrant_memberships ORDER BY user_id, group_id",
	})
}

// TestMigrateFromEveryVersion goes from nothing and from each version there has
// been, with people in the tables as soon as there are tables, and back again to
// the same.
func TestMigrateFromEveryVersion(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		db, _ := e.open(t)
		s, err := New(db, Config{Dialect: e.dialect})
		if err != nil {
			t.Fatal(err)
		}
		provider, err := s.steps().Provider(s.db, s.engine.dialect)
		if err != nil {
			t.Fatal(err)
		}
		var versions []int64
		for _, source := range provider.ListSources() {
			versions = append(versions, source.Version)
		}
		for i, from := range versions {
			if from != int64(i+1) {
				t.Fatalf("versions %v have a gap", versions)
			}
			t.Run(fmt.Sprint("from version ", from), func(t *testing.T) {
				db, _ := e.open(t)
				s, err := New(db, Config{Dialect: e.dialect})
				if err != nil {
					t.Fatal(err)
				}
				provider, err := s.steps().Provider(s.db, s.engine.dialect)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := provider.UpTo(t.Context(), from); err != nil {
					t.Fatal(err)
				}
				for _, insert := range firstVersion {
					if _, err := db.ExecContext(t.Context(), insert); err != nil {
						t.Fatal(err)
					}
				}
				before := firstContents(t, s)
				for range 2 {
					if err := s.Migrate(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if after := firstContents(t, s); after != before {
					t.Errorf("the migration changed\n%s\nto\n%s", before, after)
				}
				c := apply(t, s, person(1, 0, "a"))
				if u, err := s.User(t.Context(), 7); err != nil || c.Created || !c.Empty() || !u.InGroup("a") {
					t.Errorf("User = %+v, %v, after a change of %q", u, err, c.Fields)
				}
			})
		}
	})
}

// TestS166_ManyProcessesMigrateAtOnce: ten processes of a new version start
// together, and all of them find the tables ready.
func TestS166_ManyProcessesMigrateAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		dsn := e.create(t)
		var wg sync.WaitGroup
		for i := range 10 {
			db := (&spy{}).open(t, e.driver, dsn)
			wg.Go(func() {
				s, err := New(db, Config{Dialect: e.dialect})
				if err == nil {
					err = s.Migrate(t.Context())
				}
				if err == nil {
					_, err = s.Apply(t.Context(), person(i%3, 0, "a"))
				}
				if err != nil {
					t.Errorf("process %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		db := (&spy{}).open(t, e.driver, dsn)
		var steps, versions int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM "+versionTableName).Scan(&steps, &versions); err != nil {
			t.Fatal(err)
		}
		if steps != versions {
			t.Errorf("%d steps of %d versions were made: one of them twice", steps, versions)
		}
	})
}

// TestMigrateWithOneConnection: a pool of one must not wait for itself.
func TestMigrateWithOneConnection(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		db, _ := e.open(t)
		db.SetMaxOpenConns(1)
		s, err := New(db, Config{Dialect: e.dialect})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		apply(t, s, person(1, 0, "a"))
		apply(t, s, person(1, 1, "b"))
	})
}

// TestS162_MigrationCutOff: every step of a migration can be the last one of a
// process. The next process goes on.
func TestS162_MigrationCutOff(t *testing.T) {
	fatal := errors.New("killed")
	eachEngine(t, func(t *testing.T, e testEngine) {
		steps := 1
		for step := 0; step < steps; step++ {
			db, spy := e.open(t)
			s, err := New(db, Config{Dialect: e.dialect})
			if err != nil {
				t.Fatal(err)
			}
			if step == 0 {
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, p := range spy.journal {
					if p.operation == "exec" && !strings.HasPrefix(p.query, "CREATE TABLE IF NOT EXISTS "+versionTableName) {
						steps++
					}
				}
				continue
			}
			n := step
			spy.stopping(func(operation, query string) error {
				// When goose cannot make the table of its own, it pauses for seconds.
				if operation != "exec" || strings.HasPrefix(query, "CREATE TABLE IF NOT EXISTS "+versionTableName) {
					return nil
				}
				if n--; n <= 0 {
					return fatal
				}
				return nil
			})
			if err := s.Migrate(t.Context()); !errors.Is(err, fatal) || !errors.Is(err, replica.ErrUnavailable) {
				t.Fatalf("Migrate cut off at statement %d = %v, want ErrUnavailable", step, err)
			}
			spy.stopping(nil)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatalf("Migrate after one that was cut off at statement %d: %v", step, err)
			}
			apply(t, s, person(1, 0, "a"))
		}
		if steps < 4 {
			t.Errorf("a migration has %d statements: the spy is blind", steps)
		}
	})
}

func TestS166_NewerSchema(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		exec := func(query string) {
			t.Helper()
			if _, err := s.db.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		applied := "true"
		if e.dialect == SQLite {
			applied = "1"
		}
		exec("INSERT INTO " + versionTableName + " (version_id, is_applied) VALUES (1000, " + applied + ")")
		exec("ALTER TABLE codegrant_users ADD COLUMN nickname VARCHAR(100)")
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("tables that a newer version has added to: Migrate = %v, want them good enough", err)
		}
		apply(t, s, person(1, 0, "a"))
		apply(t, s, person(1, 1, "b"))

		exec("UPDATE codegrant_replica_schema SET readable_from = 1000")
		for _, err := range []error{s.Migrate(t.Context()), s.Check(t.Context())} {
			if !errors.Is(err, ErrNewerSchema) || !errors.Is(err, replica.ErrUnavailable) {
				t.Errorf("tables that a newer version has changed: %v, want ErrNewerSchema", err)
			}
		}
	})
}

func TestCheckOlderSchema(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("Check after Migrate = %v", err)
		}
		if _, err := s.db.ExecContext(t.Context(), "DELETE FROM "+versionTableName); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); !errors.Is(err, ErrNotMigrated) {
			t.Errorf("Check of older tables = %v, want ErrNotMigrated", err)
		}
	})
}

// TestMigrationsAgree holds the files of the engines to the same tables
// and columns.
func TestMigrationsAgree(t *testing.T) {
	shapes := make(map[Dialect]string)
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		var shape []string
		for _, table := range []string{"codegrant_users", "codegrant_groups", "codegrant_memberships", "codegrant_confirmations", "codegrant_outbox", "codegrant_history", "codegrant_group_history", "codegrant_history_start", "codegrant_erasures", "codegrant_replica_schema"} {
			rows, err := s.db.QueryContext(t.Context(), "SELECT * FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			columns, err := rows.Columns()
			if err = errors.Join(err, rows.Close()); err != nil {
				t.Fatal(err)
			}
			shape = append(shape, table+": "+strings.Join(columns, " "))
		}
		shapes[e.dialect] = strings.Join(shape, "\n")
	})
	for dialect, shape := range shapes {
		if shape != shapes[SQLite] {
			t.Errorf("%v has\n%s\nSQLite has\n%s", dialect, shape, shapes[SQLite])
		}
	}
}
