package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// versioned are tables that have a version.
type versioned struct {
	name  string
	store interface {
		Versions(ctx context.Context) (have, want int64, err error)
	}
}

var errPending = errors.New("the tables need a migration: run codegrant migrate")

// unversioned are tables that have no version: a migration makes those that are missing.
var unversioned = []struct {
	name   string
	tables []string
}{
	{"passes of the sync", []string{"codegrant_passes", "codegrant_pass_members"}},
	{"webhooks", []string{"codegrant_webhooks", "codegrant_webhooks_once"}},
}

// look says which versions there are, and what would be done.
func (c Command) look(ctx context.Context, out *terminal.Streams, db *sql.DB, all []versioned) error {
	pending := false
	for _, v := range all {
		have, want, err := v.store.Versions(ctx)
		if err != nil {
			return err
		}
		switch {
		case have > want:
			fmt.Fprintf(out.Stdout, "%s: version %d, newer than version %d of this program: left unchanged\n", v.name, have, want)
		case have == want:
			fmt.Fprintf(out.Stdout, "%s: version %d, up to date\n", v.name, have)
		default:
			pending = true
			fmt.Fprintf(out.Stdout, "%s: version %d; a migration to version %d is pending\n", v.name, have, want)
		}
	}
	for _, u := range unversioned {
		missing := slices.ContainsFunc(u.tables, func(table string) bool {
			_, err := db.ExecContext(ctx, "SELECT 1 FROM "+table+" WHERE 1 = 0")
			return err != nil
		})
		if missing {
			pending = true
			fmt.Fprintf(out.Stdout, "%s: tables are missing; a migration that makes them is pending\n", u.name)
		} else {
			fmt.Fprintf(out.Stdout, "%s: up to date\n", u.name)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if pending && c.Status {
		return errPending
	}
	return nil
}
