package sqlmigrate

import (
	"context"
	"errors"

	"github.com/pressly/goose/v3/database"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// note is goose's table, made in one statement that many may run at once: goose
// looks without a lock, makes a table, then a first row in it, and never gets over
// a table without that row. Here version 0 is there without a row.
type note struct {
	database.Store
	dialect      sqldialect.Dialect
	name, create string
}

// TableExists implements goose's database.StoreExtender.
func (n *note) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	return sqldialect.HasTable(ctx, db, n.dialect, n.name)
}

// CreateVersionTable implements goose's database.Store, as do those below.
func (n *note) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, n.create)
	return err
}

// Insert leaves out the row of version 0, which every table is taken to have.
func (n *note) Insert(ctx context.Context, db database.DBTxConn, request database.InsertRequest) error {
	if request.Version == 0 {
		return nil
	}
	return n.Store.Insert(ctx, db, request)
}

func (n *note) ListMigrations(ctx context.Context, db database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	results, err := n.Store.ListMigrations(ctx, db)
	if err != nil {
		return nil, err
	}
	return append(results, &database.ListMigrationsResult{Version: 0, IsApplied: true}), nil
}

func (n *note) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	version, err := n.Store.GetLatestVersion(ctx, db)
	if errors.Is(err, database.ErrVersionNotFound) {
		return 0, nil
	}
	return version, err
}
