package sqlstore

import (
	"context"
	"embed"
	"fmt"

	"github.com/codegrant/codegrant/internal/sqlmigrate"
	"github.com/codegrant/codegrant/session"
)

//go:embed migrations
var migrations embed.FS

// versionTableName is the store's own, so that an application that uses goose as
// well keeps its own count.
const versionTableName = "codegrant_session_migrations"

var steps = sqlmigrate.Steps{
	Files: migrations, Folder: "migrations", Table: versionTableName,
	LockNumber: 7163384747846166895, LockName: "cg.sessions.",
}

// Migrate brings the table to the version that this code needs, from nothing or
// from any earlier version. Any number of processes may call it at once. A table
// of a newer version is left alone.
func (s *Store) Migrate(ctx context.Context) error {
	if err := steps.Up(ctx, s.db, s.engine.dialect); err != nil {
		return fmt.Errorf("migrate sessions: %w: %w", session.ErrUnavailable, err)
	}
	return nil
}
