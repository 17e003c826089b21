package sqlstore

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, 0).Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func TestStore(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		sessiontest.Run(t, func(t *testing.T) sessiontest.Harness {
			c := new(clock)
			s, _ := e.store(t, Config{Now: c.now})
			return sessiontest.Harness{Store: s, Now: c.now, Advance: c.advance}
		})
	})
}

func TestS166_MigratingAtOnceAndAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		dsn := e.create(t)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				s, err := New(openDB(t, e.driver, dsn), Config{Dialect: e.dialect})
				if err == nil {
					err = s.Migrate(t.Context())
				}
				if err == nil {
					err = s.Migrate(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestNotMigrated(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, err := New(openDB(t, e.driver, e.create(t)), Config{Dialect: e.dialect})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(t.Context(), "a")
		if !errors.Is(err, ErrNotMigrated) || !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Get() = %v, want %v", err, ErrNotMigrated)
		}
	})
}

func TestS151_AClosedDatabaseIsUnavailable(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, db := e.store(t, Config{})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get() = %v, want %v", err, session.ErrUnavailable)
		}
		if err := s.Create(t.Context(), session.Record{ID: "a"}); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Create() = %v, want %v", err, session.ErrUnavailable)
		}
	})
}

// No statement may look at every session: SQLite says how it would go about one.
func TestStatementsUseAnIndex(t *testing.T) {
	s, db := testEngines[0].store(t, Config{})
	for name, query := range map[string]string{
		"get": s.get, "swap": s.swap, "version": s.version, "delete": s.remove, "delete by subject": s.removeSubject, "mark": s.mark, "delete expired": s.removeExpired,
		"list of a person": "SELECT " + columns + " FROM codegrant_sessions WHERE expires > ? AND pool = ? AND subject = ? AND id > ? ORDER BY id LIMIT ?",
		"list":             "SELECT " + columns + " FROM codegrant_sessions WHERE expires > ? AND id > ? ORDER BY id LIMIT ?",
	} {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = 1
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(detail, "SCAN codegrant_sessions") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, detail)
			}
		}
	}
}

func TestConfiguration(t *testing.T) {
	if _, err := New(nil, Config{Dialect: SQLite}); err == nil {
		t.Error("New without a database succeeded")
	}
	s, db := testEngines[0].store(t, Config{})
	if _, err := New(db, Config{}); err == nil {
		t.Error("New without a dialect succeeded")
	}
	if s.Shared() {
		t.Error("SQLite is not for several machines")
	}
	other, err := New(db, Config{Dialect: PostgreSQL})
	if err != nil || !other.Shared() {
		t.Errorf("PostgreSQL is shared: %v", err)
	}
}
