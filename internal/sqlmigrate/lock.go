package sqlmigrate

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// advisoryLock lets one process at a time migrate. The engine frees it when the
// connection ends, however it ends. Waiting ends with the context.
type advisoryLock struct{ lock, unlock string }

// lock returns nil where the engine lets one writer in at a time.
func (s Steps) lock(d sqldialect.Dialect) *advisoryLock {
	switch d {
	case sqldialect.PostgreSQL:
		return &advisoryLock{
			lock:   fmt.Sprintf("SELECT 1 FROM (SELECT pg_advisory_lock(%d)) locked", s.LockNumber),
			unlock: fmt.Sprintf("SELECT CASE WHEN pg_advisory_unlock(%d) THEN 1 ELSE 0 END", s.LockNumber),
		}
	case sqldialect.MySQL: // such a name is the server's, so it holds the name of the database
		name := "LEFT(CONCAT('" + s.LockName + "', DATABASE()), 64)"
		return &advisoryLock{
			lock:   "SELECT GET_LOCK(" + name + ", 3600)",
			unlock: "SELECT RELEASE_LOCK(" + name + ")",
		}
	}
	return nil
}

// SessionLock implements goose's lock.SessionLocker.
func (l *advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	return expectOne(ctx, conn, l.lock, "wait for another process that migrates")
}

// SessionUnlock implements goose's lock.SessionLocker.
func (l *advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	return expectOne(ctx, conn, l.unlock, "free the lock on migrations")
}

func expectOne(ctx context.Context, conn *sql.Conn, query, operation string) error {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, query).Scan(&got); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if got.Int64 != 1 {
		return fmt.Errorf("%s: the database refused", operation)
	}
	return nil
}
