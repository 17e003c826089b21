package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/session"
)

// Config configures a [Store]. Dialect is required.
type Config struct {
	// Dialect names the engine behind the database.
	Dialect Dialect
	// Timeout is how long each call may take, with the wait for one of the
	// database's connections. Without it, a database that hangs would have every
	// request hang with it. Defaults to 5 seconds.
	Timeout time.Duration
	// Now is the clock that sessions expire by. Defaults to [time.Now].
	Now func() time.Time
}

// Store is a [session.Store] in a SQL database. It is safe for concurrent use, by
// any number of processes.
type Store struct {
	db      *sql.DB
	engine  *engine
	timeout time.Duration
	now     func() time.Time
	rooms   rooms
	statements
}

var _ session.Store = (*Store)(nil)

// New returns a store in db, which stays the caller's to close. It does not touch
// the database: see [Store.Migrate].
func New(db *sql.DB, config Config) (*Store, error) {
	engine := engines[config.Dialect]
	var faults []error
	if db == nil {
		faults = append(faults, errors.New("it needs a database"))
	}
	if engine == nil {
		faults = append(faults, errors.New("Dialect must be SQLite, PostgreSQL or MySQL"))
	}
	if config.Timeout < 0 {
		faults = append(faults, errors.New("a Timeout cannot be below 0"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure sqlstore: %w", errors.Join(faults...))
	}
	s := &Store{db: db, engine: engine, timeout: cmp.Or(config.Timeout, 5*time.Second), now: config.Now, statements: engine.statements()}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Shared reports whether several processes may keep their sessions here: in
// SQLite, only those of one machine could, and they are taken for one.
func (s *Store) Shared() bool { return s.engine.shared }

var errTimeout = errors.New("the database did not answer in time: see whether it runs, can be reached and has a connection left, or raise Timeout")

// within bounds a call.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errTimeout)
}

// Create implements [session.Store].
func (s *Store) Create(ctx context.Context, r session.Record) error {
	const operation = "create session"
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := fits(r); err != nil {
		return s.fail(ctx, operation, err)
	}
	insert := func() error {
		return s.again(ctx, false, func() error {
			_, err := s.db.ExecContext(ctx, s.create, r.ID, r.Pool, r.Subject, 1, micros(r.Created), micros(r.LastSeen), micros(r.Expires),
				micros(r.LeaseUntil), flag(r.Stale), notNil(r.Sealed))
			return err
		})
	}
	err := insert()
	if err != nil && s.engine.classify(err) == faultDuplicate {
		// One that has expired is missing, and may only not have been swept yet.
		if _, err := s.count(ctx, operation, s.removeIfExpired, r.ID, micros(s.now())); err != nil {
			return err
		}
		if err = insert(); err != nil && s.engine.classify(err) == faultDuplicate {
			return fmt.Errorf("%s: %w", operation, session.ErrExists)
		}
	}
	if err != nil {
		return s.fail(ctx, operation, err)
	}
	return nil
}

// scanError is what database/sql begins with where a column holds what it cannot.
const scanError = "sql: Scan error on column"

// Get implements [session.Store].
func (s *Store) Get(ctx context.Context, id string) (session.Record, error) {
	const operation = "get session"
	ctx, cancel := s.within(ctx)
	defer cancel()
	var r session.Record
	found := true
	err := s.again(ctx, true, func() (err error) {
		var sealed []byte
		r, err = scan(s.db.QueryRowContext(ctx, s.get, id, micros(s.now())), &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			found = false
			return nil
		}
		r.Sealed = sealed
		return err
	})
	switch {
	case err != nil && strings.HasPrefix(err.Error(), scanError):
		return session.Record{}, s.fail(ctx, operation, fmt.Errorf("%w: %w", session.ErrDamaged, err))
	case err != nil:
		return session.Record{}, s.fail(ctx, operation, err)
	case !found:
		return session.Record{}, fmt.Errorf("%s: %w", operation, session.ErrNotFound)
	case r.ID != id:
		return session.Record{}, s.fail(ctx, operation, errors.New("the database answered with another row"))
	}
	return r, nil
}

// CompareAndSwap implements [session.Store].
func (s *Store) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	const operation = "replace session"
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := fits(r); err != nil {
		return session.Record{}, s.fail(ctx, operation, err)
	}
	now := micros(s.now())
	var changed int64
	err := s.again(ctx, false, func() error {
		result, err := s.db.ExecContext(ctx, s.swap, micros(r.LastSeen), micros(r.Expires), micros(r.LeaseUntil), flag(r.Stale), notNil(r.Sealed),
			r.ID, r.Version, now)
		if err != nil {
			return err
		}
		// The version always changes, so that a row that matched is a row changed,
		// whichever of the two an engine counts.
		changed, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return session.Record{}, s.fail(ctx, operation, err)
	}
	if changed == 1 {
		r.Version++
		return r, nil
	}
	reason := session.ErrConflict
	err = s.again(ctx, true, func() error {
		var version int64
		err := s.db.QueryRowContext(ctx, s.version, r.ID, now).Scan(&version)
		if errors.Is(err, sql.ErrNoRows) {
			reason = session.ErrNotFound
			return nil
		}
		return err
	})
	if err != nil {
		return session.Record{}, s.fail(ctx, operation, err)
	}
	return session.Record{}, fmt.Errorf("%s: %w", operation, reason)
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	_, err := s.count(ctx, "delete session", s.remove, id)
	return err
}

// List implements [session.Store].
func (s *Store) List(ctx context.Context, q session.Query) ([]session.Record, error) {
	const operation = "list sessions"
	ctx, cancel := s.within(ctx)
	defer cancel()
	query, args := s.engine.list(q, micros(s.now()))
	var found []session.Record
	err := s.again(ctx, true, func() error {
		found = nil
		rows, err := s.db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scan(rows)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, s.fail(ctx, operation, err)
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
	if limit < 1 {
		return 0, nil
	}
	return s.count(ctx, "delete expired sessions", s.removeExpired, micros(s.now()), limit)
}

// count runs a statement that may run twice, and says how many rows it was about.
func (s *Store) count(ctx context.Context, operation, query string, args ...any) (int, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var n int64
	err := s.again(ctx, true, func() error {
		result, err := s.db.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, s.fail(ctx, operation, err)
	}
	return int(n), nil
}
