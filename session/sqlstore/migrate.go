package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/codegrant/codegrant/session"
)

//go:embed migrations
var migrations embed.FS

// versionTable is the store's own, so that an application that uses goose as well
// keeps its own count.
const versionTable = "codegrant_session_migrations"

// Migrate brings the table to the version that this code needs, from nothing or
// from any earlier version. Any number of processes may call it at once. Tables of
// a newer version are left alone.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate sessions: %w: %w", session.ErrUnavailable, err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) (err error) {
	// Who comes second can fail at what the first is in the middle of: SQLite has
	// no lock to take, and goose looks before it takes that of the others. It looks
	// again, until a round passes or time does.
	for delay := 10 * time.Millisecond; delay < 5*time.Second; delay *= 2 {
		var provider *goose.Provider
		if provider, err = s.provider(); err != nil {
			return err
		}
		if _, err = provider.Up(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	return err
}

func (s *Store) provider() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+s.engine.migrations)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true)}
	if s.engine.lock != nil {
		options = append(options, goose.WithSessionLocker(s.engine.lock))
	}
	return goose.NewProvider(s.engine.goose, s.db, folder, options...)
}

// advisoryLock lets one process at a time migrate. The engine frees it when the
// connection ends, however it ends.
type advisoryLock struct{ lock, unlock string }

var (
	// The number is the name "cgsessio" in ASCII.
	postgresLock = &advisoryLock{
		lock:   "SELECT 1 FROM (SELECT pg_advisory_lock(7163384747846166895)) locked",
		unlock: "SELECT CASE WHEN pg_advisory_unlock(7163384747846166895) THEN 1 ELSE 0 END",
	}
	// The name is the server's, so it holds the name of the database.
	mysqlLock = &advisoryLock{
		lock:   "SELECT GET_LOCK(LEFT(CONCAT('cg.sessions.', DATABASE()), 64), 3600)",
		unlock: "SELECT RELEASE_LOCK(LEFT(CONCAT('cg.sessions.', DATABASE()), 64))",
	}
)

// SessionLock implements goose's lock.SessionLocker.
func (l *advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	return expectOne(ctx, conn, l.lock)
}

// SessionUnlock implements goose's lock.SessionLocker.
func (l *advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	return expectOne(ctx, conn, l.unlock)
}

func expectOne(ctx context.Context, conn *sql.Conn, query string) error {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, query).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("the database refused the lock on migrations")
	}
	return nil
}
