package sqlreplica

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/codegrant/codegrant/replica"
)

// contents writes all tables out, so that two moments can be compared.
func contents(t *testing.T, s *Store) string {
	t.Helper()
	return contentsOf(t, s, []string{
		"SELECT id, issuer, subject, username, email, name, custom, enabled, updated_at, as_of, deleted_at, pass FROM codegrant_users ORDER BY id",
		"SELECT id, issuer, name, origin, precedence, updated_at FROM codegrant_groups ORDER BY id",
		"SELECT user_id, group_id, from_pool, from_local FROM codegrant_memberships ORDER BY user_id, group_id",
		"SELECT user_id, as_of, groups_as_of, pass FROM codegrant_confirmations ORDER BY user_id",
	})
}

func contentsOf(t *testing.T, s *Store, queries []string) string {
	t.Helper()
	var b strings.Builder
	for _, query := range queries {
		rows, err := s.db.QueryContext(context.WithoutCancel(t.Context()), query)
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(sql.NullString)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				fmt.Fprint(&b, v.(*sql.NullString).String, "|")
			}
			b.WriteByte('\n')
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// changes are changes of every kind, to a store that knows the person 1 in groups
// "a" and "b", and in "mine" by a grant of its own.
var changes = map[string]func(context.Context, *Store) error{
	"new user": func(ctx context.Context, s *Store) error {
		_, err := s.Apply(ctx, person(2, 0, "a", "n1", "n2"))
		return err
	},
	"changed user": func(ctx context.Context, s *Store) error {
		p := person(1, 1, "b", "c", "mine")
		p.Name, p.SignIn, p.Groups[0].Precedence = "New", true, new(int)
		_, err := s.Apply(ctx, p)
		return err
	},
	"sign-in": func(ctx context.Context, s *Store) error {
		p := person(1, 1, "b", "mine")
		p.Name, p.SignIn = "New", true
		_, err := s.Apply(ctx, p)
		return err
	},
	"said again": func(ctx context.Context, s *Store) error { _, err := s.Apply(ctx, person(1, 1, "a", "b")); return err },
	"batch": func(ctx context.Context, s *Store) error {
		p := person(1, 1, "b", "c", "n1")
		p.Name, p.Groups[0].Precedence = "New", new(int)
		_, err := s.ApplyBatch(ctx, []replica.Snapshot{p, person(2, 0, "a", "n1", "n2"), person(3, 0, "n1"), inPass("pass", person(4, 1))})
		return err
	},
	"sweep": func(ctx context.Context, s *Store) error {
		_, err := s.Sweep(ctx, testIssuer, "pass", replica.SweepOptions{Began: stated.Add(time.Hour), MaxShare: 1})
		return err
	},
	"grant":  func(ctx context.Context, s *Store) error { _, err := s.GrantLocalGroup(ctx, 1, "new"); return err },
	"revoke": func(ctx context.Context, s *Store) error { _, err := s.RevokeLocalGroup(ctx, 1, "mine"); return err },
}

// joins is an application that joins each change, and adds nothing to it.
func joins(context.Context, *sql.Tx, replica.Change) error { return nil }

func inPass(pass string, snapshot replica.Snapshot) replica.Snapshot {
	snapshot.Pass = pass
	return snapshot
}

func prepared(t *testing.T, e testEngine, config Config) (*Store, *spy) {
	t.Helper()
	s, spy := e.store(t, config)
	apply(t, s, person(1, 0, "a", "b"))
	apply(t, s, person(4, 0))
	if _, err := s.GrantLocalGroup(t.Context(), 1, "mine"); err != nil {
		t.Fatal(err)
	}
	return s, spy
}

// TestS162_StoppedAtEachStep stops every kind of change at every step that it
// takes. Where the fault does not pass, the change happened as a whole or not at
// all, and the same call then completes it; where it passes, nobody notices.
func TestS162_StoppedAtEachStep(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		fatal := map[Dialect]error{
			SQLite:     &coded{10}, // SQLITE_IOERR
			PostgreSQL: sqlState("58030"),
			MySQL:      number(1030),
		}[e.dialect]
		passing := map[Dialect]error{
			SQLite:     &coded{5}, // SQLITE_BUSY
			PostgreSQL: sqlState("40P01"),
			MySQL:      number(1213),
		}[e.dialect]
		stopped := func(t *testing.T, name string, config Config, change func(context.Context, *Store) error) {
			steps := 1
			t.Run(name, func(t *testing.T) { // how many steps there are without a fault
				s, spy := prepared(t, e, config)
				spy.reset()
				if err := change(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				steps = len(spy.journal)
			})
			for step := range steps {
				t.Run(fmt.Sprint(name, ", step ", step), func(t *testing.T) {
					s, spy := prepared(t, e, config)
					before := contents(t, s)
					stopAt := func(n int, fault error) {
						spy.stopping(func(string, string) error {
							n--
							if n == -1 {
								return fault
							}
							return nil
						})
					}
					spy.reset()
					stopAt(step, fatal)
					err := change(t.Context(), s)
					spy.stopping(nil)
					if !errors.Is(err, fatal) || !errors.Is(err, replica.ErrUnavailable) {
						t.Fatalf("stopped: %v; want ErrUnavailable and the cause", err)
					}
					if after := contents(t, s); after != before {
						t.Fatalf("stopped at %+v, it left\n%s\nof\n%s", spy.journal[step], after, before)
					}
					stopAt(step, passing)
					spy.reset()
					if err := change(t.Context(), s); err != nil {
						t.Fatalf("with a fault that passes: %v", err)
					}
					spy.stopping(nil)
					if after := contents(t, s); after == before {
						t.Fatal("with a fault that passes it changed nothing")
					}
				})
			}
			if least := map[bool]int{false: 4, true: 2}[config.OnChange == nil]; steps < least {
				t.Errorf("%s takes %d steps: the spy is blind", name, steps)
			}
		}
		for name, change := range changes {
			stopped(t, name, Config{OnChange: joins}, change)
			if e.dialect == PostgreSQL {
				stopped(t, name+", alone", Config{}, change)
			}
		}
	})
}

func sqlState(code string) error { return &pgconn.PgError{Code: code} }

func number(n uint16) error { return &mysql.MySQLError{Number: n} }

// coded is an error as SQLite's driver makes them.
type coded struct{ code int }

func (c *coded) Error() string { return fmt.Sprint("code ", c.code) }
func (c *coded) Code() int     { return c.code }

// TestAnswerIsLost loses the connection when a change is made and before anybody says
// so. It is made once, the outbox has it once, and who asked is told what they have
// changed: sessions end because of it.
func TestAnswerIsLost(t *testing.T) {
	one := func(c replica.Change, err error) ([]replica.Change, error) { return []replica.Change{c}, err }
	calls := []struct {
		name string
		call func(context.Context, *Store) ([]replica.Change, error)
	}{
		{"new", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			return one(s.Apply(ctx, person(2, 0, "a")))
		}},
		{"new, with a new group", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			return one(s.Apply(ctx, person(3, 0, "a", "n")))
		}},
		{"disabled", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			p := person(1, 1, "b")
			p.Enabled = new(bool)
			return one(s.Apply(ctx, p))
		}},
		{"said again", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			return one(s.Apply(ctx, person(1, 2, "b")))
		}},
		{"grant", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			return one(s.GrantLocalGroup(ctx, 1, "a"))
		}},
		{"revoke", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			return one(s.RevokeLocalGroup(ctx, 1, "a"))
		}},
		{"batch", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			p := person(1, 3, "a", "b")
			p.Name = "New"
			return s.ApplyBatch(ctx, []replica.Snapshot{p, person(2, 3, "a"), person(5, 0, "n")})
		}},
		{"sweep", func(ctx context.Context, s *Store) ([]replica.Change, error) {
			result, err := s.Sweep(ctx, testIssuer, "pass", replica.SweepOptions{Began: stated.Add(time.Hour), MaxShare: 1})
			return result.Changes, err
		}},
	}
	said := func(changes []replica.Change) string {
		var b strings.Builder
		for _, c := range changes {
			fmt.Fprintf(&b, "%d %s created %t, %v, groups +%v -%v, enabled %t, known before %t\n", c.User.ID, c.User.Subject,
				c.Created, c.Fields, c.GroupsAdded, c.GroupsRemoved, c.User.Enabled, c.Before != nil)
		}
		return b.String()
	}
	eachEngine(t, func(t *testing.T, e testEngine) {
		at := func() func() time.Time {
			now := stated
			return func() time.Time { now = now.Add(time.Second); return now }
		}
		whole, _ := prepared(t, e, Config{Outbox: &Outbox{}, Now: at()})
		s, spy := prepared(t, e, Config{Outbox: &Outbox{}, Now: at()})
		for _, c := range calls {
			want, err := c.call(t.Context(), whole)
			if err != nil {
				t.Fatal(err)
			}
			lost := false
			spy.mu.Lock()
			spy.lose = func(operation, query string) error {
				if lost || operation != "commit" && !strings.Contains(query, "changed AS (") {
					return nil
				}
				lost = true
				return io.ErrUnexpectedEOF
			}
			spy.mu.Unlock()
			got, err := c.call(t.Context(), s)
			if err != nil || !lost {
				t.Fatalf("%s: %v, lost %t", c.name, err, lost)
			}
			if said(got) != said(want) {
				t.Errorf("%s:\n%swant\n%s", c.name, said(got), said(want))
			}
		}
		spy.mu.Lock()
		spy.lose = nil
		spy.mu.Unlock()
		if got, want := whatIsSaid(t, s), whatIsSaid(t, whole); got != want {
			t.Errorf("it ends with\n%swant\n%s", got, want)
		}
	})
}

func TestFaultsThatDoNotPass(t *testing.T) {
	s, spy := prepared(t, testEngines[0], Config{})
	attempts := 0
	spy.stopping(func(operation, _ string) error {
		if operation == "begin" {
			attempts++
			return &coded{5}
		}
		return nil
	})
	_, err := s.Apply(t.Context(), person(1, 1))
	if !errors.Is(err, replica.ErrUnavailable) || s.engine.classify(err) != faultTransient || attempts != 1+manyRepeats {
		t.Errorf("Apply = %v after %d attempts, want ErrUnavailable after %d", err, attempts, 1+manyRepeats)
	}
}

func TestEndedContextEndsTheAttempts(t *testing.T) {
	s, spy := prepared(t, testEngines[0], Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the server stops")
	attempts := 0
	spy.stopping(func(operation, _ string) error {
		if operation == "begin" {
			if attempts++; attempts == 2 {
				cancel(cause)
			}
			return &coded{5}
		}
		return nil
	})
	_, err := s.Apply(ctx, person(1, 1))
	if !errors.Is(err, replica.ErrUnavailable) || !errors.Is(err, cause) || attempts != 2 {
		t.Errorf("Apply = %v after %d attempts, want the cause after 2", err, attempts)
	}
}

func TestS151_ClosedDatabaseIsUnavailable(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := prepared(t, e, Config{})
		s.db.Close()
		for name, call := range methods {
			if err := call(t.Context(), s); !errors.Is(err, replica.ErrUnavailable) || errors.Is(err, replica.ErrNotFound) {
				t.Errorf("%s = %v, want ErrUnavailable", name, err)
			}
		}
	})
}

func TestClassify(t *testing.T) {
	code := func(n int) error { return &coded{n} }
	for _, test := range []struct {
		name     string
		classify func(error) fault
		err      error
		want     fault
	}{
		{"SQLite: busy", classifySQLite, code(5), faultTransient},
		{"SQLite: busy since its snapshot", classifySQLite, code(517), faultTransient},
		{"SQLite: locked", classifySQLite, code(6), faultTransient},
		{"SQLite: unique", classifySQLite, code(2067), faultRaced},
		{"SQLite: primary key", classifySQLite, code(1555), faultRaced},
		{"SQLite: foreign key", classifySQLite, code(787), faultRaced},
		{"SQLite: not null", classifySQLite, code(1299), faultOther},
		{"SQLite: full", classifySQLite, code(13), faultOther},
		{"SQLite: generic", classifySQLite, code(1), faultUnclear},
		{"SQLite: words", classifySQLite, errors.New("database is locked (5) (SQLITE_BUSY)"), faultLost},
		{"PostgreSQL: serialization", classifyPostgreSQL, sqlState("40001"), faultTransient},
		{"PostgreSQL: deadlock", classifyPostgreSQL, sqlState("40P01"), faultTransient},
		{"PostgreSQL: shutting down", classifyPostgreSQL, sqlState("57P01"), faultLost},
		{"PostgreSQL: read only", classifyPostgreSQL, sqlState("25006"), faultLost},
		{"PostgreSQL: connection", classifyPostgreSQL, sqlState("08006"), faultLost},
		{"PostgreSQL: unique", classifyPostgreSQL, sqlState("23505"), faultRaced},
		{"PostgreSQL: foreign key", classifyPostgreSQL, sqlState("23503"), faultRaced},
		{"PostgreSQL: no table", classifyPostgreSQL, sqlState("42P01"), faultSchema},
		{"PostgreSQL: no function", classifyPostgreSQL, sqlState("42883"), faultSchema},
		{"PostgreSQL: full", classifyPostgreSQL, sqlState("53100"), faultOther},
		{"PostgreSQL: words", classifyPostgreSQL, errors.New("deadlock detected (SQLSTATE 40P01)"), faultLost},
		{"MySQL: deadlock", classifyMySQL, number(1213), faultTransient},
		{"MySQL: lock wait", classifyMySQL, number(1205), faultTransient},
		{"MySQL: read only", classifyMySQL, number(1290), faultLost},
		{"MySQL: duplicate", classifyMySQL, number(1062), faultRaced},
		{"MySQL: foreign key", classifyMySQL, number(1452), faultRaced},
		{"MySQL: no table", classifyMySQL, number(1146), faultSchema},
		{"MySQL: too long", classifyMySQL, number(1406), faultOther},
		{"MySQL: words", classifyMySQL, errors.New("Error 1213 (40001): Deadlock found"), faultLost},
		{"MySQL: nothing", classifyMySQL, nil, faultLost},
		{"MySQL: another's number", classifyMySQL, struct {
			error
			Number string
		}{errors.New("x"), "1213"}, faultLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			wrapped := []error{test.err, fmt.Errorf("run: %w", test.err), errors.Join(errors.New("first"), fmt.Errorf("second: %w", test.err))}
			for _, err := range wrapped {
				if test.err == nil {
					err = nil
				}
				if got := test.classify(err); got != test.want {
					t.Errorf("classify(%v) = %d, want %d", err, got, test.want)
				}
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	for dialect, e := range engines {
		s := &Store{engine: e}
		deadlock := map[Dialect]error{SQLite: &coded{5}, PostgreSQL: sqlState("40P01"), MySQL: number(1213)}[dialect]
		unique := map[Dialect]error{SQLite: &coded{2067}, PostgreSQL: sqlState("23505"), MySQL: number(1062)}[dialect]
		full := map[Dialect]error{SQLite: &coded{13}, PostgreSQL: sqlState("53100"), MySQL: number(1114)}[dialect]
		for _, test := range []struct {
			name string
			err  error
			want int
		}{
			{"a concurrent change", errAgain, manyRepeats},
			{"deadlock", deadlock, manyRepeats},
			{"unique violation", unique, manyRepeats},
			{"disk full", full, 0},
			{"lost connection", driver.ErrBadConn, 1},
			{"content", contentError{errors.New("x")}, 0},
			{"not found", replica.ErrNotFound, 0},
			{"conflict", replica.ErrConflict, 0},
			{"hook", &hookError{"OnChange", errors.New("x")}, 0},
			{"hook: deadlock", &hookError{"OnChange", deadlock}, manyRepeats},
			{"hook: unique violation", &hookError{"OnChange", unique}, 0},
		} {
			if got := s.repeats(fmt.Errorf("wrapped: %w", test.err)); got != test.want {
				t.Errorf("%v: %s may be repeated %d times, want %d", dialect, test.name, got, test.want)
			}
		}
	}
}

// TestFullDiskLeavesNothingHalf fills SQLite up.
func TestFullDiskLeavesNothingHalf(t *testing.T) {
	s, _ := prepared(t, testEngines[0], Config{})
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(t.Context(), "VACUUM"); err != nil { // pages that an earlier test left free are room
		t.Fatal(err)
	}
	var pages int
	full := func() { // the limit is the connection's, and the connection may be another one by now
		t.Helper()
		if err := s.db.QueryRowContext(t.Context(), "PRAGMA max_page_count = 1").Scan(&pages); err != nil { // as low as it goes
			t.Fatal(err)
		}
	}
	before, failed := contents(t, s), false
	for i := 2; i < 200; i++ {
		p := person(i, 0, fmt.Sprint("group-", i))
		p.Name = strings.Repeat("x", 2000)
		full()
		if _, err := s.Apply(t.Context(), p); err != nil {
			if !errors.Is(err, replica.ErrUnavailable) {
				t.Fatalf("Apply on a full disk = %v, want ErrUnavailable", err)
			}
			failed = true
			break
		}
		before = contents(t, s)
	}
	if after := contents(t, s); !failed || after != before {
		t.Errorf("the disk was full: %v; half of a user was left: %v", failed, after != before)
	}
	if err := s.db.QueryRowContext(t.Context(), "PRAGMA max_page_count = 1000000").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	apply(t, s, person(1000, 0, "a"))
}

// TestS152_ConnectionsCutOff ends every connection that a store has, in the middle
// of things, as a restart of the server does.
func TestS152_ConnectionsCutOff(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		if e.dialect == SQLite {
			return // it has no connections that somebody else could end
		}
		cut := false
		var s *Store
		s, _ = prepared(t, e, Config{OnChange: func(ctx context.Context, tx *sql.Tx, _ replica.Change) error {
			if cut {
				cut = false
				killOwn(ctx, t, s, tx)
			}
			return nil
		}})
		cut = true
		c, err := s.Apply(t.Context(), person(1, 1, "z"))
		if err != nil || cut || !slices.Equal(c.GroupsAdded, []string{"z"}) {
			t.Errorf("Apply = %+v, %v; want it to succeed on another connection", c, err)
		}
		if u, err := s.User(t.Context(), 1); err != nil || !u.InGroup("z") {
			t.Errorf("User = %+v, %v", u, err)
		}
	})
}

// killOwn ends the connection that tx runs on.
func killOwn(ctx context.Context, t *testing.T, s *Store, tx *sql.Tx) {
	t.Helper()
	var id int64
	self, kill := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
	if s.engine == engines[MySQL] {
		self, kill = "SELECT CONNECTION_ID()", "KILL %d"
	}
	if err := tx.QueryRowContext(ctx, self).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.ExecContext(ctx, fmt.Sprintf(kill, id)); err != nil {
		t.Fatal(err)
	}
}

func TestBadConnectionIsRepeated(t *testing.T) {
	s, spy := prepared(t, testEngines[0], Config{})
	first := true
	spy.stopping(func(operation, _ string) error {
		if operation == "exec" && first {
			first = false
			return driver.ErrBadConn
		}
		return nil
	})
	if _, err := s.Apply(t.Context(), person(1, 1, "z")); err != nil || first {
		t.Errorf("Apply = %v, want it repeated", err)
	}
}
