package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/webhook"
)

type Command struct {
	Database string `required:"" placeholder:"URL" help:"${databaseHelp}"`
	Django   bool   `help:"The replica uses the tables of a Django project."`
	Status   bool   `env:"-" help:"Print the version of the tables and the one that this program needs, and change nothing. Exit status 1 if they need a migration."`
	DryRun   bool   `env:"-" help:"Print what a migration would do, and change nothing."`
	Undo     bool   `env:"-" help:"With --django: remove all that Codegrant has added beside the tables of Django. Prints what it would remove; --yes removes it."`
	Yes      bool   `env:"-" help:"Do what --undo prints."`
}

// Help is shown by codegrant migrate --help.
func (Command) Help() string {
	return `Creates the tables of sessions, of the replica, of its passes, of webhooks and of
organisations, or upgrades them to the version that this program needs. Any number of
processes may run it at once. Programs of the previous version continue to work.

Examples:
  codegrant migrate --database sqlite:app.db
  codegrant migrate --status --database sqlite:app.db
  codegrant migrate --dry-run --database sqlite:app.db
  codegrant migrate --database postgres://app@db.internal/django --django --undo
  codegrant migrate --database postgres://app@db.internal/app
  CODEGRANT_DATABASE=… codegrant migrate        keeps a password off the command line`
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	open := parts.OpenDatabase
	if c.Status || c.DryRun {
		open = parts.LookAtDatabase
	}
	db, err := open(c.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	switch {
	case (c.Status || c.DryRun) && (c.Undo || c.Yes):
		return errors.New("--status and --dry-run change nothing: leave out --undo and --yes")
	case c.Undo && c.Django:
		return c.undo(ctx, out, db)
	case c.Undo, c.Yes:
		return errors.New("--undo needs --django, and --yes needs --undo: other tables of the replica are the only copy of their data")
	}
	sessions, users, err := db.Stores(settings.Replica{Django: c.Django})
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
	journal, err := directory.NewSQLJournal(db.DB, db.Journal)
	if err != nil {
		return err
	}
	if err := journal.Migrate(ctx); err != nil {
		return err
	}
	queue, err := webhook.NewQueue(db.DB, db.Webhooks)
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
	fmt.Fprintf(out.Stdout, "The tables in %s are up to date.\n", db.Engine)
	return nil
}
