package cutdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"
)

// ErrCut is what a statement gets that is cut off.
var ErrCut = errors.New("cut off by a test")

// Cut says at which step of what follows the database is cut off.
type Cut struct {
	mu   sync.Mutex
	at   int // negative: never
	seen int
}

// At cuts off the step of that number, from 0, and all after it, until it is called again.
// Begins, statements and commits are steps. A negative number cuts nothing off.
func (c *Cut) At(step int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.seen = step, 0
}

// Seen is how many steps there were since At.
func (c *Cut) Seen() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

func (c *Cut) step() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if c.at >= 0 && c.seen > c.at {
		return ErrCut
	}
	return nil
}

// EachStep calls f with the database cut off at each step in turn, from the first one, until
// f gets to its end or says that it is done. left is called after each, with the database as
// before, to look at what f has left. EachStep returns how many steps were cut off.
func (c *Cut) EachStep(f func() error, left func(step int, err error)) (steps int) {
	for ; ; steps++ {
		c.At(steps)
		err := f()
		whole := c.Seen() <= steps
		c.At(-1)
		left(steps, err)
		if whole || err == nil {
			return steps
		}
	}
}

// Open opens a database of a driver that is registered. It is closed when the test ends.
func Open(t testing.TB, driverName, dsn string) (*sql.DB, *Cut) {
	t.Helper()
	plain, err := sql.Open(driverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	c := &Cut{at: -1}
	db := sql.OpenDB(&connector{plain.Driver(), dsn, c})
	t.Cleanup(func() { db.Close() })
	return db, c
}

type connector struct {
	inner driver.Driver
	dsn   string
	cut   *Cut
}

func (c *connector) Driver() driver.Driver { return c.inner }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.inner.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &conn{inner, c.cut}, nil
}

// conn expects of the engine's connection what the engines of Codegrant all offer.
type conn struct {
	driver.Conn
	cut *Cut
}

var errPrepared = errors.New("cutdb: a prepared statement; set InterpolateParams")

func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errPrepared }

func (c *conn) PrepareContext(context.Context, string) (driver.Stmt, error) { return nil, errPrepared }

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.cut.step(); err != nil {
		return nil, err
	}
	inner, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &tx{inner, c.cut}, nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.cut.step(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.cut.step(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *conn) ResetSession(ctx context.Context) error {
	if resetter, ok := c.Conn.(driver.SessionResetter); ok {
		return resetter.ResetSession(ctx)
	}
	return nil
}

func (c *conn) IsValid() bool {
	validator, ok := c.Conn.(driver.Validator)
	return !ok || validator.IsValid()
}

type tx struct {
	driver.Tx
	cut *Cut
}

// Commit is cut off before it reaches the engine, which then rolls back.
func (t *tx) Commit() error {
	if err := t.cut.step(); err != nil {
		return errors.Join(err, t.Tx.Rollback())
	}
	return t.Tx.Commit()
}
