package sqlreplica

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// BenchmarkApply makes changes of one person after the other. With OnChange, which
// does nothing here, PostgreSQL is asked for a transaction.
func BenchmarkApply(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		benchApplyOne(b, "sqlite", "file:"+filepath.Join(b.TempDir(), "replica.db")+
			"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(normal)", Config{Dialect: SQLite})
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		benchApplyOne(b, "pgx", postgresSchema(b, nil), Config{Dialect: PostgreSQL})
	})
	b.Run("PostgreSQL with OnChange", func(b *testing.B) {
		benchApplyOne(b, "pgx", postgresSchema(b, nil), Config{
			Dialect: PostgreSQL, OnChange: func(context.Context, *sql.Tx, replica.Change) error { return nil },
		})
	})
}

func benchApplyOne(b *testing.B, driver, dsn string, config Config) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	s, err := New(db, config)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("new", func(b *testing.B) {
		number := 0
		for b.Loop() {
			number++
			if _, err := s.Apply(b.Context(), person(number, 0, "admins", "editors", "analysts")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			if c, err := s.Apply(b.Context(), person(1, 0, "admins", "editors", "analysts")); err != nil || !c.Empty() {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign-in", func(b *testing.B) {
		seconds := 0
		for b.Loop() {
			seconds++
			p := person(1, seconds, "admins", "editors", "analysts")
			p.SignIn = true
			if _, err := s.Apply(b.Context(), p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
