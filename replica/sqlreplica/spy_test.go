package sqlreplica

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"regexp"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// spy is a driver between database/sql and an engine's. It counts what passes, and
// stops what it is told to.
type spy struct {
	mu      sync.Mutex
	reads   int // statements that return rows, and write none
	writes  int // transactions begun, and all other statements
	journal []passed
	altered bool                                // a statement was about the tables themselves
	stop    func(operation, query string) error // nil: nothing is stopped
	lose    func(operation, query string) error // what comes in place of the engine's answer; nil: nothing does
}

// passed is one thing that went to the engine.
type passed struct {
	operation, query string
	args             []driver.NamedValue
}

var writes = regexp.MustCompile(`\b(INSERT INTO|UPDATE codegrant_|DELETE FROM)`)

// alters finds what would be of interest to the next test in the same database, other
// than rows of people.
var alters = regexp.MustCompile(`^\s*(CREATE|ALTER|DROP|(INSERT INTO|UPDATE|DELETE FROM) codegrant_replica_)`)

// open returns a database through the spy.
func (s *spy) open(t testing.TB, driverName, dsn string) *sql.DB {
	t.Helper()
	plain, err := sql.Open(driverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	inner := plain.Driver()
	connect := func(context.Context) (driver.Conn, error) { return inner.Open(dsn) }
	if d, ok := inner.(driver.DriverContext); ok {
		connector, err := d.OpenConnector(dsn)
		if err != nil {
			t.Fatal(err)
		}
		connect = connector.Connect
	}
	// Given values, MySQL's driver wants a statement to be prepared, unless it is told
	// to put them into the text.
	prepares := false
	if driverName == "mysql" {
		config, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		prepares = !config.InterpolateParams
	}
	db := sql.OpenDB(&spyConnector{s, inner, connect, prepares})
	t.Cleanup(func() { db.Close() })
	return db
}

func (s *spy) pass(operation, query string, args []driver.NamedValue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch operation {
	case "query":
		if writes.MatchString(query) {
			s.writes++
		} else {
			s.reads++
		}
	case "exec", "begin":
		s.writes++
	}
	s.journal = append(s.journal, passed{operation, query, args})
	s.altered = s.altered || alters.MatchString(query)
	if s.stop == nil {
		return nil
	}
	return s.stop(operation, query)
}

// answered is called when the engine has done something and is about to say so.
func (s *spy) answered(operation, query string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lose == nil {
		return nil
	}
	return s.lose(operation, query)
}

// reset forgets what has passed.
func (s *spy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads, s.writes, s.journal = 0, 0, nil
}

func (s *spy) stopping(stop func(operation, query string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
}

type spyConnector struct {
	spy      *spy
	inner    driver.Driver
	connect  func(context.Context) (driver.Conn, error)
	prepares bool
}

func (c *spyConnector) Driver() driver.Driver { return c.inner }

func (c *spyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &spyConn{conn, c.spy, c.prepares}, nil
}

// spyConn expects of the engine's connection what the engines here all offer.
type spyConn struct {
	driver.Conn
	spy      *spy
	prepares bool // statements that are given values
}

func (c *spyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.spy.pass("begin", "", nil); err != nil {
		return nil, err
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &spyTx{tx, c.spy}, nil
}

func (c *spyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.prepares && len(args) > 0 {
		return nil, driver.ErrSkip
	}
	if stopped := c.spy.pass("query", query, args); stopped != nil {
		return nil, stopped
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if lost := c.spy.answered("query", query); lost != nil {
		return nil, errors.Join(lost, rows.Close())
	}
	return rows, nil
}

func (c *spyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.prepares && len(args) > 0 {
		return nil, driver.ErrSkip
	}
	if stopped := c.spy.pass("exec", query, args); stopped != nil {
		return nil, stopped
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *spyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &spyStmt{stmt, c.spy, query}, nil
}

func (c *spyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *spyConn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.Conn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

func (c *spyConn) IsValid() bool {
	validator, ok := c.Conn.(driver.Validator)
	return !ok || validator.IsValid()
}

type spyStmt struct {
	driver.Stmt
	spy   *spy
	query string
}

func (s *spyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if stopped := s.spy.pass("query", s.query, args); stopped != nil {
		return nil, stopped
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *spyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if stopped := s.spy.pass("exec", s.query, args); stopped != nil {
		return nil, stopped
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *spyStmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type spyTx struct {
	driver.Tx
	spy *spy
}

// Commit is stopped before it reaches the engine, which then rolls back.
func (tx *spyTx) Commit() error {
	if err := tx.spy.pass("commit", "", nil); err != nil {
		return errors.Join(err, tx.Tx.Rollback())
	}
	if err := tx.Tx.Commit(); err != nil {
		return err
	}
	return tx.spy.answered("commit", "")
}
