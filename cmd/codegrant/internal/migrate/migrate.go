package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/webhook"
)

type Command struct {
	Config   string `type:"path" placeholder:"FILE" help:"Configuration file that names the database. Defaults to codegrant.yaml, unless there is --database."`
	Database string `placeholder:"URL" help:"${databaseHelp} Instead of that of the configuration."`
	Django   bool   `help:"The replica uses the tables of a Django project."`
	Status   bool   `env:"-" help:"Print the version of the tables and the one that this program needs, and change nothing. Exit status 1 if they need a migration."`
	DryRun   bool   `env:"-" help:"Print what a migration would do, and change nothing."`
	Undo     bool   `env:"-" help:"With --django: remove all that Codegrant has added beside the tables of Django. Prints what it would remove; --yes removes it."`
	Yes      bool   `env:"-" help:"Do what --undo prints."`
}

// Help is shown by codegrant migrate --help.
func (Command) Help() string {
	return `Creates the tables of sessions, of the replica, of its passes, of webhooks and of
organizations, or upgrades them to the version that this program needs. Any number of
processes may run it at once. Programs of the previous version continue to work.

The database is that of the configuration of the gateway. Services without one name it
with --database.

Examples:
  codegrant migrate                             the database of codegrant.yaml
  codegrant migrate --status --config /etc/codegrant/codegrant.yaml
  codegrant migrate --dry-run --database sqlite:app.db
  codegrant migrate --database postgres://app@db.internal/django --django --undo
  codegrant migrate --database postgres://app@db.internal/app
  CODEGRANT_DATABASE=… codegrant migrate        keeps a password off the command line`
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	url, replica, err := c.what()
	if err != nil {
		return err
	}
	open := parts.OpenDatabase
	if c.Status || c.DryRun {
		open = parts.LookAtDatabase
	}
	db, err := open(url)
	if err != nil {
		return err
	}
	defer db.Close()
	switch {
	case (c.Status || c.DryRun) && (c.Undo || c.Yes):
		return errors.New("--status and --dry-run change nothing: leave out --undo and --yes")
	case c.Undo && replica.Django:
		return c.undo(ctx, out, db)
	case c.Undo, c.Yes:
		return errors.New("--undo needs --django, and --yes needs --undo: other tables of the replica are the only copy of their data")
	}
	if replica.History == 0 && c.Database != "" {
		// Which settings the services have is not known here: the history goes on.
		on, err := keepsHistory(ctx, db)
		if err != nil {
			return err
		}
		if on {
			replica.History = time.Hour
		}
	}
	sessions, users, err := db.Stores(replica)
	if err != nil {
		return err
	}
	if c.Status || c.DryRun {
		organizations, err := db.OrganizationStore(nil, nil)
		if err != nil {
			return err
		}
		return c.look(ctx, out, db.DB, []versioned{{"sessions", sessions}, {"replica", users}, {"organizations", organizations}})
	}
	if err := sessions.Migrate(ctx); err != nil {
		return err
	}
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	journal, err := directory.NewSQLJournal(db.DB, db.Dialect)
	if err != nil {
		return err
	}
	if err := journal.Migrate(ctx); err != nil {
		return err
	}
	queue, err := webhook.NewQueue(db.DB, db.Dialect)
	if err != nil {
		return err
	}
	if err := queue.Migrate(ctx); err != nil {
		return err
	}
	organizations, err := db.OrganizationStore(nil, nil)
	if err != nil {
		return err
	}
	if err := organizations.Migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "The tables in %s are up to date.\n", db.Dialect)
	return nil
}

// what is to be migrated: the URL of a database, and what the replica there has.
func (c Command) what() (url string, replica settings.Replica, err error) {
	if c.Database != "" && c.Config == "" {
		return c.Database, settings.Replica{Django: c.Django}, nil
	}
	s, err := parts.Inspection{Config: cmp.Or(c.Config, "codegrant.yaml")}.Load(parts.UsesPeople)
	if err != nil && c.Config == "" {
		return "", replica, fmt.Errorf("%w, or the database with --database", err)
	}
	if err != nil {
		return "", replica, err
	}
	replica = s.Replica
	replica.Django = replica.Django || c.Django
	if url = cmp.Or(c.Database, s.Database.URL.Reveal()); url == "" {
		return "", replica, errors.New("the configuration has no database: there are no tables to migrate")
	}
	return url, replica, nil
}

// keepsHistory reports whether the replica in a database keeps its history.
func keepsHistory(ctx context.Context, db *parts.Database) (bool, error) {
	tables, err := ours(ctx, db)
	if err != nil || !slices.Contains(tables, "codegrant_history_start") {
		return false, err
	}
	rows, err := db.Names(ctx, "SELECT 'on' FROM codegrant_history_start WHERE id = 1")
	return len(rows) > 0, err
}
