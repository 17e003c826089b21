package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/session"
)

// ErrNotMigrated: the table does not exist. It comes with
// [session.ErrUnavailable].
var ErrNotMigrated = errors.New("the table of sessions is missing: call Store.Migrate first")

// Config configures a [Store]. Dialect is required.
type Config struct {
	// Dialect names the engine behind the database.
	Dialect Dialect
	// Now is the clock that sessions expire by. Defaults to [time.Now].
	Now func() time.Time
}

// Store is a [session.Store] in a SQL database. It is safe for concurrent use, by
// any number of processes.
type Store struct {
	db     *sql.DB
	engine *engine
	now    func() time.Time

	create, get, swap, version, remove, removeSubject, mark, removeExpired string
}

var _ session.Store = (*Store)(nil)

const columns = "id, pool, subject, version, created, last_seen, expires, lease_until, stale"

// New returns a store in db, which stays the caller's to close. It does not touch
// the database: see [Store.Migrate].
func New(db *sql.DB, config Config) (*Store, error) {
	engine, ok := engines[config.Dialect]
	if db == nil || !ok {
		return nil, errors.New("configure sqlstore: it needs a database, and Dialect SQLite, PostgreSQL or MySQL")
	}
	s := &Store{db: db, engine: engine, now: config.Now}
	if s.now == nil {
		s.now = time.Now
	}
	p := engine.placeholder
	s.create = "INSERT INTO codegrant_sessions (" + columns + ", sealed) VALUES (" + engine.placeholders(1, 10) + ")"
	s.get = "SELECT " + columns + ", sealed FROM codegrant_sessions WHERE id = " + p(1) + " AND expires > " + p(2)
	s.swap = "UPDATE codegrant_sessions SET version = version + 1, last_seen = " + p(1) + ", expires = " + p(2) + ", lease_until = " + p(3) +
		", stale = " + p(4) + ", sealed = " + p(5) + " WHERE id = " + p(6) + " AND version = " + p(7) + " AND expires > " + p(8)
	s.version = "SELECT version FROM codegrant_sessions WHERE id = " + p(1) + " AND expires > " + p(2)
	s.remove = "DELETE FROM codegrant_sessions WHERE id = " + p(1)
	s.removeSubject = "DELETE FROM codegrant_sessions WHERE pool = " + p(1) + " AND subject = " + p(2) + " AND expires > " + p(3)
	s.mark = "UPDATE codegrant_sessions SET stale = 1, version = version + 1 WHERE pool = " + p(1) + " AND subject = " + p(2) + " AND expires > " + p(3)
	s.removeExpired = "DELETE FROM codegrant_sessions WHERE id IN (SELECT id FROM codegrant_sessions WHERE expires <= " + p(1) + " ORDER BY expires LIMIT " + p(2) + ")"
	if config.Dialect == MySQL {
		s.removeExpired = "DELETE FROM codegrant_sessions WHERE expires <= ? ORDER BY expires LIMIT ?"
	}
	return s, nil
}

// Shared reports whether several processes may keep their sessions here: in
// SQLite, only those of one machine could, and they are taken for one.
func (s *Store) Shared() bool { return s.engine.shared }

// micros keeps microseconds; zero is no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Create implements [session.Store].
func (s *Store) Create(ctx context.Context, r session.Record) error {
	insert := func() error {
		_, err := s.db.ExecContext(ctx, s.create, r.ID, r.Pool, r.Subject, 1, micros(r.Created), micros(r.LastSeen), micros(r.Expires),
			micros(r.LeaseUntil), flag(r.Stale), notNil(r.Sealed))
		return err
	}
	err := insert()
	if err != nil && s.engine.duplicate(err) {
		// One that has expired is missing, and may only not have been swept yet.
		var version int64
		if err := s.db.QueryRowContext(ctx, s.version, r.ID, micros(s.now())).Scan(&version); !errors.Is(err, sql.ErrNoRows) {
			if err != nil {
				return s.fail("create session", err)
			}
			return fmt.Errorf("create session: %w", session.ErrExists)
		}
		if err := s.Delete(ctx, r.ID); err != nil {
			return err
		}
		if err = insert(); err != nil && s.engine.duplicate(err) {
			return fmt.Errorf("create session: %w", session.ErrExists)
		}
	}
	if err != nil {
		return s.fail("create session", err)
	}
	return nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

type scanner interface{ Scan(...any) error }

func scan(row scanner, more ...any) (session.Record, error) {
	var r session.Record
	var created, seen, expires, lease int64
	var stale int
	dest := append([]any{&r.ID, &r.Pool, &r.Subject, &r.Version, &created, &seen, &expires, &lease, &stale}, more...)
	if err := row.Scan(dest...); err != nil {
		return session.Record{}, err
	}
	r.Created, r.LastSeen, r.Expires, r.LeaseUntil, r.Stale = moment(created), moment(seen), moment(expires), moment(lease), stale != 0
	return r, nil
}

// Get implements [session.Store].
func (s *Store) Get(ctx context.Context, id string) (session.Record, error) {
	var sealed []byte
	r, err := scan(s.db.QueryRowContext(ctx, s.get, id, micros(s.now())), &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return session.Record{}, fmt.Errorf("get session: %w", session.ErrNotFound)
	case err != nil:
		return session.Record{}, s.fail("get session", err)
	case r.ID != id:
		return session.Record{}, s.fail("get session", errors.New("the database answered with another row"))
	}
	r.Sealed = sealed
	return r, nil
}

// CompareAndSwap implements [session.Store].
func (s *Store) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	now := micros(s.now())
	result, err := s.db.ExecContext(ctx, s.swap, micros(r.LastSeen), micros(r.Expires), micros(r.LeaseUntil), flag(r.Stale), notNil(r.Sealed), r.ID, r.Version, now)
	if err != nil {
		return session.Record{}, s.fail("replace session", err)
	}
	// The version always changes, so that a row that matched is a row changed,
	// whichever of the two an engine counts.
	if n, err := result.RowsAffected(); err != nil {
		return session.Record{}, s.fail("replace session", err)
	} else if n == 1 {
		r.Version++
		return r, nil
	}
	var version int64
	switch err := s.db.QueryRowContext(ctx, s.version, r.ID, now).Scan(&version); {
	case errors.Is(err, sql.ErrNoRows):
		return session.Record{}, fmt.Errorf("replace session: %w", session.ErrNotFound)
	case err != nil:
		return session.Record{}, s.fail("replace session", err)
	}
	return session.Record{}, fmt.Errorf("replace session: %w", session.ErrConflict)
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if _, err := s.db.ExecContext(ctx, s.remove, id); err != nil {
		return s.fail("delete session", err)
	}
	return nil
}

// List implements [session.Store].
func (s *Store) List(ctx context.Context, q session.Query) ([]session.Record, error) {
	where, args := []string{"expires > " + s.engine.placeholder(1)}, []any{micros(s.now())}
	add := func(column, operator, value string) {
		args = append(args, value)
		where = append(where, column+operator+s.engine.placeholder(len(args)))
	}
	if q.Pool != "" {
		add("pool", " = ", q.Pool)
	}
	if q.Subject != "" {
		add("subject", " = ", q.Subject)
	}
	if q.After != "" {
		add("id", " > ", q.After)
	}
	if q.Limit <= 0 {
		q.Limit = session.DefaultLimit
	}
	args = append(args, q.Limit)
	rows, err := s.db.QueryContext(ctx, "SELECT "+columns+" FROM codegrant_sessions WHERE "+strings.Join(where, " AND ")+
		" ORDER BY id LIMIT "+s.engine.placeholder(len(args)), args...)
	if err != nil {
		return nil, s.fail("list sessions", err)
	}
	defer rows.Close()
	var found []session.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, s.fail("list sessions", err)
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail("list sessions", err)
	}
	return found, nil
}

// DeleteBySubject implements [session.Store].
func (s *Store) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	return s.count(ctx, "delete sessions", s.removeSubject, pool, subject, micros(s.now()))
}

// MarkStale implements [session.Store].
func (s *Store) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	return s.count(ctx, "mark sessions", s.mark, pool, subject, micros(s.now()))
}

// DeleteExpired implements [session.Store].
func (s *Store) DeleteExpired(ctx context.Context, limit int) (int, error) {
	return s.count(ctx, "delete expired sessions", s.removeExpired, micros(s.now()), limit)
}

func (s *Store) count(ctx context.Context, operation, query string, args ...any) (int, error) {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, s.fail(operation, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, s.fail(operation, err)
	}
	return int(n), nil
}

// fail says that the store is unavailable, and what to do where that is known.
func (s *Store) fail(operation string, err error) error {
	if s.engine.missing(err) {
		return fmt.Errorf("%s: %w: %w: %w", operation, session.ErrUnavailable, ErrNotMigrated, err)
	}
	return fmt.Errorf("%s: %w: %w", operation, session.ErrUnavailable, err)
}
