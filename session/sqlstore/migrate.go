package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/codegrant/codegrant/session"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the table to the version that this code needs, from nothing or
// from any earlier version. Any number of processes may call it at once. A table
// of a newer version is left alone.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate sessions: %w: %w", session.ErrUnavailable, err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return err
	}
	if s.engine.lock != nil {
		_, err = provider.Up(ctx)
		return err
	}
	// One writer at a time: who comes second finds the work of the first done,
	// fails at doing it once more, and looks again. Each round is somebody's
	// progress, so the rounds are as many as there are versions.
	for range len(provider.ListSources()) + 1 {
		if _, err = provider.Up(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		if pending, pendingErr := provider.HasPending(ctx); pendingErr != nil || !pending {
			return pendingErr
		}
	}
	return err
}

func (s *Store) provider() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+s.engine.migrations)
	if err != nil {
		return nil, err
	}
	inner, err := database.NewStore(s.engine.goose, versionTableName)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithStore(&versionTable{inner, s.engine}), goose.WithDisableGlobalRegistry(true)}
	if s.engine.lock != nil {
		options = append(options, goose.WithSessionLocker(s.engine.lock))
	}
	return goose.NewProvider(goose.DialectCustom, s.db, folder, options...)
}

// versionTableName is the store's own, so that an application that uses goose as
// well keeps its own count.
const versionTableName = "codegrant_session_migrations"

// versionTable is goose's, made in one statement that many may run at once: goose
// looks without a lock, makes a table, then a first row in it, and never gets over
// a table without that row. Here version 0 is there without a row.
type versionTable struct {
	database.Store
	engine *engine
}

// TableExists implements goose's database.StoreExtender.
func (v *versionTable) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	return v.engine.hasTable(ctx, db, versionTableName)
}

// CreateVersionTable implements goose's database.Store, as do those below.
func (v *versionTable) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, v.engine.createVersions)
	return err
}

func (v *versionTable) Insert(ctx context.Context, db database.DBTxConn, request database.InsertRequest) error {
	if request.Version == 0 {
		return nil
	}
	return v.Store.Insert(ctx, db, request)
}

func (v *versionTable) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	results, err := v.Store.ListMigrations(ctx, db)
	if err != nil {
		return nil, err
	}
	return append(results, &database.ListMigrationsResult{Version: 0, IsApplied: true}), nil
}

func (v *versionTable) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	version, err := v.Store.GetLatestVersion(ctx, db)
	if errors.Is(err, database.ErrVersionNotFound) {
		return 0, nil
	}
	return version, err
}

func (e *engine) hasTable(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, name string) (bool, error) {
	var one int
	err := db.QueryRowContext(ctx, e.findTable, name).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
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
	// The name is the server's, so it holds the name of the database. Waiting
	// ends with the context.
	mysqlLock = &advisoryLock{
		lock:   "SELECT GET_LOCK(LEFT(CONCAT('cg.sessions.', DATABASE()), 64), 3600)",
		unlock: "SELECT RELEASE_LOCK(LEFT(CONCAT('cg.sessions.', DATABASE()), 64))",
	}
)

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
