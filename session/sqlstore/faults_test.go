package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/codegrant/codegrant/session"
)

func sqlState(code string) error { return &pgconn.PgError{Code: code} }

func number(n uint16) error { return &mysql.MySQLError{Number: n} }

// coded is an error as SQLite's driver makes them.
type coded int

func (c coded) Error() string { return fmt.Sprint("code ", int(c)) }
func (c coded) Code() int     { return int(c) }

func TestClassify(t *testing.T) {
	words := errors.New("deadlock, duplicate key, no such table (SQLSTATE 40P01) Error 1213")
	for _, tt := range []struct {
		name     string
		classify func(error) fault
		err      error
		want     fault
	}{
		{"SQLite: primary key", classifySQLite, coded(1555), faultDuplicate},
		{"SQLite: unique", classifySQLite, coded(2067), faultDuplicate},
		{"SQLite: generic", classifySQLite, coded(1), faultUnclear},
		{"SQLite: busy", classifySQLite, coded(5), faultOther},
		{"SQLite: full", classifySQLite, coded(13), faultOther},
		{"SQLite: words", classifySQLite, words, faultLost},
		{"PostgreSQL: deadlock", classifyPostgreSQL, sqlState("40P01"), faultDeadlock},
		{"PostgreSQL: serialization", classifyPostgreSQL, sqlState("40001"), faultDeadlock},
		{"PostgreSQL: shutting down", classifyPostgreSQL, sqlState("57P01"), faultLost},
		{"PostgreSQL: read only", classifyPostgreSQL, sqlState("25006"), faultLost},
		{"PostgreSQL: connection", classifyPostgreSQL, sqlState("08006"), faultLost},
		{"PostgreSQL: unique", classifyPostgreSQL, sqlState("23505"), faultDuplicate},
		{"PostgreSQL: no table", classifyPostgreSQL, sqlState("42P01"), faultSchema},
		{"PostgreSQL: no column", classifyPostgreSQL, sqlState("42703"), faultSchema},
		{"PostgreSQL: a zero byte", classifyPostgreSQL, sqlState("22021"), faultValue},
		{"MySQL: not UTF-8", classifyMySQL, number(1366), faultValue},
		{"PostgreSQL: full", classifyPostgreSQL, sqlState("53100"), faultOther},
		{"PostgreSQL: words", classifyPostgreSQL, words, faultLost},
		{"MySQL: deadlock", classifyMySQL, number(1213), faultDeadlock},
		{"MySQL: read only", classifyMySQL, number(1290), faultLost},
		{"MySQL: duplicate", classifyMySQL, number(1062), faultDuplicate},
		{"MySQL: no table", classifyMySQL, number(1146), faultSchema},
		{"MySQL: no column", classifyMySQL, number(1054), faultSchema},
		{"MySQL: too long", classifyMySQL, number(1406), faultOther},
		{"MySQL: words", classifyMySQL, words, faultLost},
		{"MySQL: another's number", classifyMySQL, struct {
			error
			Number string
		}{words, "1213"}, faultLost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{tt.err, fmt.Errorf("run: %w", tt.err), errors.Join(errors.New("first"), fmt.Errorf("second: %w", tt.err))} {
				if got := tt.classify(err); got != tt.want {
					t.Errorf("classify(%v) = %d, want %d", err, got, tt.want)
				}
			}
		})
	}
}

func TestS152_WhatIsRepeated(t *testing.T) {
	deadlock, lost, other := sqlState("40P01"), sqlState("57P01"), sqlState("53100")
	for _, tt := range []struct {
		name     string
		harmless bool
		errs     []error // of one run after another, and success from then on
		runs     int
		want     error
	}{
		{"nothing wrong", true, nil, 1, nil},
		{"a deadlock", false, []error{deadlock, deadlock}, 3, nil},
		{"a lost connection", true, []error{lost}, 2, nil},
		{"a lost connection twice", true, []error{lost, lost}, 2, lost},
		{"a lost connection, when it could be done twice", false, []error{lost}, 1, lost},
		{"something else", true, []error{other}, 1, other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &Store{engine: engines[PostgreSQL]}
			runs := 0
			err := s.again(t.Context(), tt.harmless, func() error {
				runs++
				if runs <= len(tt.errs) {
					return tt.errs[runs-1]
				}
				return nil
			})
			if !errors.Is(err, tt.want) || runs != tt.runs {
				t.Errorf("again = %v after %d runs, want %v after %d", err, runs, tt.want, tt.runs)
			}
		})
	}
	t.Run("deadlocks without end", func(t *testing.T) {
		s, runs := &Store{engine: engines[PostgreSQL]}, 0
		err := s.again(t.Context(), true, func() error { runs++; return deadlock })
		if !errors.Is(err, deadlock) || runs != 1+maxRepeats {
			t.Errorf("again = %v after %d runs", err, runs)
		}
	})
	t.Run("a context that ends", func(t *testing.T) {
		s, runs := &Store{engine: engines[PostgreSQL]}, 0
		ctx, cancel := context.WithCancel(t.Context())
		err := s.again(ctx, true, func() error { runs++; cancel(); return deadlock })
		if !errors.Is(err, deadlock) || runs != 1 {
			t.Errorf("again = %v after %d runs", err, runs)
		}
	})
}

// TestS152_ConnectionsCutOff ends every connection that a store has, as a restart
// of the server does. Whoever reads does not notice.
func TestS152_ConnectionsCutOff(t *testing.T) {
	for _, e := range testEngines[1:] {
		t.Run(e.name, func(t *testing.T) {
			s, db := e.store(t, Config{})
			db.SetMaxOpenConns(1)
			killer := openDB(t, e.driver, e.create(t))
			r := session.Record{ID: "a", Pool: "p", Subject: "s", Expires: time.Now().Add(time.Hour)}
			if err := s.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			cut := func() {
				t.Helper()
				self, kill := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
				if e.dialect == MySQL {
					self, kill = "SELECT CONNECTION_ID()", "KILL %d"
				}
				var id int64
				if err := db.QueryRowContext(t.Context(), self).Scan(&id); err != nil {
					t.Fatal(err)
				}
				if _, err := killer.ExecContext(t.Context(), fmt.Sprintf(kill, id)); err != nil {
					t.Fatal(err)
				}
			}
			cut()
			if _, err := s.Get(t.Context(), "a"); err != nil {
				t.Errorf("Get = %v", err)
			}
			cut()
			if page, err := s.List(t.Context(), session.Query{}); err != nil || len(page) != 1 {
				t.Errorf("List = %v, %v", page, err)
			}
			cut()
			if n, err := s.MarkStale(t.Context(), "p", "s"); err != nil || n != 1 {
				t.Errorf("MarkStale = %d, %v", n, err)
			}
			cut()
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Errorf("Delete = %v", err)
			}
		})
	}
}

// A database that is locked for longer than its busy timeout is a fault, and no
// reason to keep the caller.
func TestS151_ALockedSQLiteIsUnavailable(t *testing.T) {
	e := testEngines[0]
	s, db := e.store(t, Config{})
	db.SetMaxOpenConns(2)
	holder, err := db.BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback()
	if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	err = s.Create(t.Context(), session.Record{ID: "a", Expires: time.Now().Add(time.Hour)})
	if !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Create = %v, want %v", err, session.ErrUnavailable)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Get beside a writer = %v, want %v", err, session.ErrNotFound)
	}
}

// A database that does not answer is not waited for: here, all of its connections are
// taken.
func TestS146_ADatabaseThatHangs(t *testing.T) {
	for _, e := range testEngines {
		t.Run(e.name, func(t *testing.T) {
			s, db := e.store(t, Config{Timeout: 50 * time.Millisecond})
			db.SetMaxOpenConns(1)
			held, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r := session.Record{ID: "a", Pool: "p", Subject: "s", Version: 1, Expires: time.Now().Add(time.Hour)}
			for name, call := range map[string]func() error{
				"Create":          func() error { return s.Create(t.Context(), r) },
				"Get":             func() error { _, err := s.Get(t.Context(), "a"); return err },
				"CompareAndSwap":  func() error { _, err := s.CompareAndSwap(t.Context(), r); return err },
				"Delete":          func() error { return s.Delete(t.Context(), "a") },
				"List":            func() error { _, err := s.List(t.Context(), session.Query{}); return err },
				"DeleteBySubject": func() error { _, err := s.DeleteBySubject(t.Context(), "p", "s"); return err },
				"MarkStale":       func() error { _, err := s.MarkStale(t.Context(), "p", "s"); return err },
				"DeleteExpired":   func() error { _, err := s.DeleteExpired(t.Context(), 1); return err },
			} {
				if err := call(); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "Timeout") {
					t.Errorf("%s = %v, want %v that says what to do", name, err, session.ErrUnavailable)
				}
			}
			held.Close()
			s.timeout = time.Minute
			if err := s.Create(t.Context(), r); err != nil {
				t.Errorf("Create = %v, once there is a connection", err)
			}
		})
	}
	if _, err := New(new(sql.DB), Config{Dialect: SQLite, Timeout: -1}); err == nil || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("New = %v, want a fault that names Timeout", err)
	}
}
