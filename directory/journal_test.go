package directory

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/testenv"
)

// journalsToTest are empty journals, of every kind.
var journalsToTest = map[string]func(t *testing.T) Journal{
	"memory": func(*testing.T) Journal { return NewMemoryJournal() },
	"SQLite": func(t *testing.T) Journal { return sqlJournal(t, "sqlite", sqliteDSN(t, "journal.db"), SQLite) },
	"PostgreSQL": func(t *testing.T) Journal {
		server := testenv.Postgres(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		administer(t, "pgx", server, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("search_path", name)
		u.RawQuery = query.Encode()
		return sqlJournal(t, "pgx", u.String(), PostgreSQL)
	},
	"MySQL": func(t *testing.T) Journal {
		server := testenv.MySQL(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		administer(t, "mysql", server, "CREATE DATABASE "+name, "DROP DATABASE "+name)
		config, err := mysql.ParseDSN(server)
		if err != nil {
			t.Fatal(err)
		}
		config.DBName = name
		config.Params = map[string]string{"time_zone": "'-05:00'"}
		return sqlJournal(t, "mysql", config.FormatDSN(), MySQL)
	},
}

func administer(t *testing.T, driver, dsn, before, after string) {
	t.Helper()
	run := func(statement string) {
		t.Helper()
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(before)
	t.Cleanup(func() { run(after) })
}

func sqlJournal(t *testing.T, driver, dsn string, dialect Dialect) *SQLJournal {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	j, err := NewSQLJournal(db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := j.Migrate(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return j
}

func eachJournal(t *testing.T, f func(t *testing.T, j Journal)) {
	for _, name := range slices.Sorted(maps.Keys(journalsToTest)) {
		t.Run(name, func(t *testing.T) { f(t, journalsToTest[name](t)) })
	}
}

func TestJournal_Lease(t *testing.T) {
	eachJournal(t, func(t *testing.T, j Journal) {
		ctx := t.Context()
		term, state, err := j.Acquire(ctx, "a", "one", time.Hour)
		if err != nil || term < 1 || len(state) != 0 {
			t.Fatalf("Acquire = %d, %q, %v", term, state, err)
		}
		if _, _, err := j.Acquire(ctx, "a", "two", time.Hour); !errors.Is(err, ErrHeld) {
			t.Fatalf("Acquire of what is held = %v", err)
		}
		if _, _, err := j.Acquire(ctx, "A", "two", time.Hour); err != nil {
			t.Errorf("another name: %v", err)
		}
		large := strings.Repeat("ä\x00\"'", 50000)
		large = strings.ReplaceAll(large, "\x00", "")
		for _, text := range []string{"state", "state", large} { // the same twice is no loss of the lease
			if err := j.Write(ctx, "a", term, time.Hour, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Renew(ctx, "a", term, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		// It has run out, but nobody else has it: it may still be kept.
		if err := j.Renew(ctx, "a", term, time.Millisecond); err != nil {
			t.Errorf("Renew of what has run out = %v", err)
		}
		var next int64
		until(t, "the lease runs out", func() bool {
			next, state, err = j.Acquire(ctx, "a", "two", time.Hour)
			return err == nil
		})
		if next <= term || string(state) != large {
			t.Errorf("term %d after %d, state of %d bytes", next, term, len(state))
		}
		for what, err := range map[string]error{
			"Renew": j.Renew(ctx, "a", term, time.Hour), "Write": j.Write(ctx, "a", term, time.Hour, []byte("late")),
			"of nobody": j.Renew(ctx, "nobody", 1, time.Hour),
		} {
			if !errors.Is(err, ErrLost) {
				t.Errorf("%s after the term = %v, want ErrLost", what, err)
			}
		}
		if err := j.Release(ctx, "a", term); err != nil {
			t.Errorf("Release after the term = %v", err)
		}
		if _, _, err := j.Acquire(ctx, "a", "three", time.Hour); !errors.Is(err, ErrHeld) {
			t.Errorf("a late Release took the lease away: %v", err)
		}
		if err := j.Release(ctx, "a", next); err != nil {
			t.Fatal(err)
		}
		if _, state, err := j.Acquire(ctx, "a", "three", time.Hour); err != nil || string(state) != large {
			t.Errorf("after Release: %d bytes, %v", len(state), err)
		}
	})
}

// TestS159_OneHolder: however many want a lease at once, one has it.
func TestS159_OneHolder(t *testing.T) {
	eachJournal(t, func(t *testing.T, j Journal) {
		for round := range 10 {
			var won atomic.Int32
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					_, _, err := j.Acquire(t.Context(), fmt.Sprint("lease", round), fmt.Sprint("holder", i), time.Hour)
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, ErrHeld):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d have the lease", won.Load())
			}
		}
	})
}

func TestJournal_Members(t *testing.T) {
	eachJournal(t, func(t *testing.T, j Journal) {
		ctx := t.Context()
		var many []string
		for i := range 1234 {
			many = append(many, fmt.Sprintf("s%04d", i))
		}
		add := func(pass, group string, subjects ...string) {
			t.Helper()
			if err := j.AddMembers(ctx, pass, group, subjects); err != nil {
				t.Fatal(err)
			}
		}
		add("p1", "everybody", many...)
		add("p1", "everybody", many[:700]...)
		add("p1", "Ädmins ", "s0001", "S0001")
		add("p1", "ädmins", "s0001", "s0001 ")
		add("p2", "others", "s0001")
		add("p1", "nobody")
		of, err := j.GroupsOf(ctx, "p1", append(many, "S0001", "s0001 ", "unknown"))
		if err != nil || len(of) != 1236 || fmt.Sprintf("%q %q %q", of["s0001"], of["S0001"], of["s0001 "]) != `["everybody" "Ädmins " "ädmins"] ["Ädmins "] ["ädmins"]` {
			t.Errorf("GroupsOf: %d, %q %q %q, %v", len(of), of["s0001"], of["S0001"], of["s0001 "], err)
		}
		if err := j.Forget(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		if of, err := j.GroupsOf(ctx, "p1", many); err != nil || len(of) != 0 {
			t.Errorf("after Forget: %d, %v", len(of), err)
		}
		if of, err := j.GroupsOf(ctx, "p2", []string{"s0001"}); err != nil || len(of) != 1 {
			t.Errorf("of the other pass: %v, %v", of, err)
		}
	})
}

// TestJournal_ForgetsMany: more than goes into one transaction.
func TestJournal_ForgetsMany(t *testing.T) {
	eachJournal(t, func(t *testing.T, j Journal) {
		var many []string
		for i := range forgetAtOnce + 1000 {
			many = append(many, fmt.Sprintf("s%06d", i))
		}
		for _, group := range []string{"a", "b"} {
			if err := j.AddMembers(t.Context(), "p", group, many); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Forget(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
		if of, err := j.GroupsOf(t.Context(), "p", many); err != nil || len(of) != 0 {
			t.Errorf("after Forget: %d, %v", len(of), err)
		}
	})
}

func TestJournal_EndedContext(t *testing.T) {
	eachJournal(t, func(t *testing.T, j Journal) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := j.Acquire(ctx, "a", "one", time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v", err)
		}
		if err := j.Write(ctx, "a", 1, time.Hour, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Write = %v", err)
		}
		if err := j.AddMembers(ctx, "p", "g", []string{"s"}); !errors.Is(err, context.Canceled) {
			t.Errorf("AddMembers = %v", err)
		}
		if _, err := j.GroupsOf(ctx, "p", []string{"s"}); !errors.Is(err, context.Canceled) {
			t.Errorf("GroupsOf = %v", err)
		}
	})
}

func TestNewSQLJournal_Faults(t *testing.T) {
	if _, err := NewSQLJournal(nil, SQLite); err == nil {
		t.Error("a journal without a database")
	}
	if _, err := NewSQLJournal(&sql.DB{}, 0); err == nil {
		t.Error("a journal without a dialect")
	}
}
