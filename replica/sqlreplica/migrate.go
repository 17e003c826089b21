package sqlreplica

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/internal/sqlmigrate"
	"github.com/codegrant/codegrant/replica"
)

// WrittenByOthers reports whether another program writes to the tables too, as Django
// does to its own: what was read from them is soon out of date.
func (s *Store) WrittenByOthers() bool { return s.tables.view().required != "" }

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables to the version that this code needs, from nothing or
// from any earlier version. Any number of processes may call it at once. Tables of
// a newer version are left alone, and good enough unless they say otherwise, so
// that old and new processes can run side by side during an update; where they do
// say otherwise the error is [ErrNewerSchema].
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return s.fail(ctx, "migrate the replica", err)
	}
	if err := s.Check(ctx); err != nil {
		return err
	}
	if err := s.startHistory(ctx); err != nil {
		return s.fail(ctx, "begin or end the history", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	if table := s.tables.view().required; table != "" {
		there, err := sqldialect.HasTable(ctx, s.db, s.engine.dialect, table)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("the database has no table %s: run manage.py migrate of the Django project first, or check that this is its database", table)
		}
	}
	return s.steps().Up(ctx, s.db, s.engine.dialect)
}

// versionTableName is the replica's own, so that an application that uses goose as
// well keeps its own count.
const versionTableName = "codegrant_replica_migrations"

func (s *Store) steps() sqlmigrate.Steps {
	return sqlmigrate.Steps{
		Files: migrations, Folder: "migrations/" + s.tables.view().migrations, Table: versionTableName,
		LockNumber: 7165065844439769454, LockName: "codegrant.",
	}
}

// Versions says which version the tables are of, 0 where there are none, and which one
// [Store.Migrate] would bring them to. Tables of a newer version are left alone. It changes
// nothing.
func (s *Store) Versions(ctx context.Context) (have, want int64, err error) {
	err = s.again(ctx, func() (err error) {
		if want, err = s.steps().Newest(s.db, s.engine.dialect); err == nil {
			have, err = s.steps().Done(ctx, s.db, s.engine.dialect)
		}
		return err
	})
	if err != nil {
		return 0, 0, s.fail(ctx, "look at the version of the replica", err)
	}
	return have, want, nil
}

// Check reports whether the tables are there and as this code needs them, and
// otherwise [ErrNotMigrated], [ErrNewerSchema] or why it cannot tell. It writes
// nothing.
func (s *Store) Check(ctx context.Context) error {
	known, err := s.steps().Newest(s.db, s.engine.dialect)
	if err != nil {
		return s.fail(ctx, "check the replica's tables", err)
	}

	var readableFrom int64
	var version sql.NullInt64
	err = s.again(ctx, func() error {
		err := s.engine.sql("SELECT readable_from FROM codegrant_replica_schema WHERE id = 1").scan(ctx, s.db, &readableFrom)
		if err != nil {
			return err
		}
		return s.engine.sql("SELECT max(version_id) FROM "+versionTableName).scan(ctx, s.db, &version)
	})
	switch {
	case err != nil:
		return s.fail(ctx, "check the replica's tables", err)
	case readableFrom > known:
		return fmt.Errorf("check the replica's tables: %w: %w (they are at version %d, this code knows %d)",
			replica.ErrUnavailable, ErrNewerSchema, version.Int64, known)
	case version.Int64 < known:
		return fmt.Errorf("check the replica's tables: %w: %w (they are at version %d, this code needs %d)",
			replica.ErrUnavailable, ErrNotMigrated, version.Int64, known)
	}
	return nil
}
