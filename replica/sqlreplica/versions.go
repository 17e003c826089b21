package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3/database"
)

// versionTableName is where goose notes what it has done. It is the replica's
// own, so that an application which uses goose as well keeps its own count.
const versionTableName = "codegrant_replica_migrations"

// versionTable is goose's own, except that it can be made by many at once and in
// one statement: goose makes a table and then a first row in it, looks without a
// lock, and never gets over a table that it finds without that row.
type versionTable struct {
	database.Store
	engine *engine
}

func (v *versionTable) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	rows, err := v.engine.sql(v.engine.findTable).bind(versionTableName).query(ctx, db)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	exists := rows.Next()
	return exists, rows.Err()
}

func (v *versionTable) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, v.engine.createVersions)
	return err
}

// Insert leaves out the row of version 0, which every table is taken to have.
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

// advisoryLock lets one process at a time migrate. The engine frees it when the
// connection ends, however it ends.
type advisoryLock struct{ lock, unlock string }

var (
	// The number is the name "codegran" in ASCII. Other programs in the same
	// database are free to use any other.
	postgresLock = &advisoryLock{
		lock:   "SELECT 1 FROM (SELECT pg_advisory_lock(7165065844439769454)) locked",
		unlock: "SELECT CASE WHEN pg_advisory_unlock(7165065844439769454) THEN 1 ELSE 0 END",
	}
	// The name is the server's, so it holds the name of the database. Waiting
	// ends with the context.
	mysqlLock = &advisoryLock{
		lock:   "SELECT GET_LOCK(LEFT(CONCAT('codegrant.', DATABASE()), 64), 3600)",
		unlock: "SELECT RELEASE_LOCK(LEFT(CONCAT('codegrant.', DATABASE()), 64))",
	}
)

func (l *advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	return expectOne(ctx, conn, l.lock, "wait for another process that migrates")
}

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
