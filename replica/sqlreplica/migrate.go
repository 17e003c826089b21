package sqlreplica

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

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
		var one int
		err := s.engine.sql(s.engine.findTable).bind(table).scan(ctx, s.db, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("the database has no table %s: run manage.py migrate of the Django project first, or check that this is its database", table)
		}
		if err != nil {
			return err
		}
	}
	provider, err := s.provider()
	if err != nil {
		return err
	}
	if s.engine.migrationLock != nil {
		_, err = provider.Up(ctx)
		return err
	}
	// One writer at a time: who comes second finds the work of the first done,
	// fails at doing it once more, and looks again. Each round is somebody's
	// progress, so the rounds are as many as there are steps.
	for range len(provider.ListSources()) + 1 {
		if _, err = provider.Up(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		pending, pendingErr := provider.HasPending(ctx)
		if pendingErr != nil {
			return errors.Join(err, pendingErr)
		}
		if !pending {
			return nil
		}
	}
	return err
}

func (s *Store) provider() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+s.tables.view().migrations+"/"+s.engine.migrations)
	if err != nil {
		return nil, err
	}
	inner, err := database.NewStore(s.engine.goose, versionTableName)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithStore(&versionTable{inner, s.engine}), goose.WithDisableGlobalRegistry(true)}
	if s.engine.migrationLock != nil {
		options = append(options, goose.WithSessionLocker(s.engine.migrationLock))
	}
	return goose.NewProvider(goose.DialectCustom, s.db, folder, options...)
}

// Versions says which version the tables are of, 0 where there are none, and which one
// [Store.Migrate] would bring them to. Tables of a newer version are left alone. It changes
// nothing.
func (s *Store) Versions(ctx context.Context) (have, want int64, err error) {
	provider, err := s.provider()
	if err != nil {
		return 0, 0, s.fail(ctx, "look at the version of the replica", err)
	}
	for _, source := range provider.ListSources() {
		want = max(want, source.Version)
	}
	var version sql.NullInt64
	err = s.again(ctx, func() error {
		var one int
		err := s.engine.sql(s.engine.findTable).bind(versionTableName).scan(ctx, s.db, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.engine.sql("SELECT max(version_id) FROM "+versionTableName).scan(ctx, s.db, &version)
	})
	if err != nil {
		return 0, 0, s.fail(ctx, "look at the version of the replica", err)
	}
	return version.Int64, want, nil
}

// Check reports whether the tables are there and as this code needs them, and
// otherwise [ErrNotMigrated], [ErrNewerSchema] or why it cannot tell. It writes
// nothing.
func (s *Store) Check(ctx context.Context) error {
	provider, err := s.provider()
	if err != nil {
		return s.fail(ctx, "check the replica's tables", err)
	}
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version

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
