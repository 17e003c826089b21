package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

func newStore(t *testing.T, e testEngine, db *sql.DB) *Store {
	t.Helper()
	s, err := New(db, Config{Dialect: e.dialect})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// works shows that a store is fit for use.
func works(t *testing.T, s *Store, id string) {
	t.Helper()
	if err := s.Create(t.Context(), session.Record{ID: id, Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Errorf("Create = %v", err)
	}
	if _, err := s.Get(t.Context(), id); err != nil {
		t.Errorf("Get = %v", err)
	}
}

func TestS162_MigratingAtOnceAndAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		for range 3 {
			dsn := e.create(t)
			var wg sync.WaitGroup
			for range 10 {
				db := openDB(t, e.driver, dsn)
				db.SetMaxOpenConns(1) // one is enough
				s := newStore(t, e, db)
				wg.Go(func() {
					for range 2 {
						if err := s.Migrate(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			works(t, newStore(t, e, openDB(t, e.driver, dsn)), "a")
		}
	})
}

func TestMigrateFromEveryVersion(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		provider, err := steps.Provider(openDB(t, e.driver, e.create(t)), e.dialect)
		if err != nil {
			t.Fatal(err)
		}
		versions := []int64{0}
		for _, source := range provider.ListSources() {
			versions = append(versions, source.Version)
		}
		for _, version := range versions {
			t.Run(fmt.Sprint(version), func(t *testing.T) {
				s := newStore(t, e, openDB(t, e.driver, e.create(t)))
				provider, err := steps.Provider(s.db, s.engine.dialect)
				if err != nil {
					t.Fatal(err)
				}
				if version > 0 {
					if _, err := provider.UpTo(t.Context(), version); err != nil {
						t.Fatal(err)
					}
					// By this code: it is compatible with the version before its own.
					works(t, s, "before")
				}
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				works(t, s, "after")
				if _, err := s.Get(t.Context(), "before"); version > 0 && err != nil {
					t.Errorf("the session of before: %v", err)
				}
			})
		}
	})
}

// A process that is killed on MySQL between the table and the note of it leaves
// the table.
func TestS162_MigrationKilledHalfway(t *testing.T) {
	e := testEngines[2]
	s, db := e.store(t, Config{})
	works(t, s, "a")
	if _, err := db.ExecContext(t.Context(), "DELETE FROM "+versionTableName); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("the session of before: %v", err)
	}
}

func TestANewerTableIsLeftAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, db := e.store(t, Config{})
		for _, statement := range []string{
			"ALTER TABLE codegrant_sessions ADD COLUMN device VARCHAR(100)",
			fmt.Sprintf("INSERT INTO %s (version_id, is_applied) VALUES (99, %s)", versionTableName, map[Dialect]string{SQLite: "1", PostgreSQL: "true", MySQL: "1"}[e.dialect]),
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate = %v", err)
		}
		works(t, s, "a")
	})
}

// What cannot be migrated is said at once.
func TestMigrateFails(t *testing.T) {
	s := newStore(t, testEngines[0], openDB(t, "sqlite", "file:"+t.TempDir()+"/no/such/folder.db"))
	if err := s.Migrate(t.Context()); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Migrate = %v, want %v", err, session.ErrUnavailable)
	}
}
