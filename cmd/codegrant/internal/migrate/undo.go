package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Codegrant adds these beside Django's tables: tables, those that refer to others first, and on
// PostgreSQL functions, whose triggers go with them.
var (
	tablesBesideDjango = []string{
		"codegrant_confirmations", "codegrant_memberships", "codegrant_stated", "codegrant_history", "codegrant_groups", "codegrant_users",
		"codegrant_group_history", "codegrant_history_start", "codegrant_erasures",
		"codegrant_organization_sent", "codegrant_organization_schema", "codegrant_organization_invitations", "codegrant_organization_choices", "codegrant_organization_members", "codegrant_organizations",
		"codegrant_outbox", "codegrant_webhooks", "codegrant_webhooks_once", "codegrant_replica_schema", "codegrant_replica_migrations",
		"codegrant_cupboard", "codegrant_sessions", "codegrant_session_ends", "codegrant_session_migrations",
		"codegrant_pass_members", "codegrant_passes",
	}
	functionsBesideDjango = []string{
		"codegrant_has_user", "codegrant_has_group", "codegrant_has_membership",
		"codegrant_user_gone", "codegrant_group_gone", "codegrant_membership_gone",
	}
)

// ours are the tables in a database that are Codegrant's, by their names.
func ours(ctx context.Context, d *parts.Database) ([]string, error) {
	names, err := sqldialect.Tables(ctx, d, d.Dialect, "codegrant")
	if err != nil {
		return nil, fmt.Errorf("list what is in the database: %w", err)
	}
	return names, nil
}

// besideDjango returns which of ours are there, with how many rows.
func besideDjango(ctx context.Context, d *parts.Database) (tables []string, rows map[string]int64, functions []string, err error) {
	there, err := ours(ctx, d)
	if err != nil {
		return nil, nil, nil, err
	}
	rows = make(map[string]int64)
	for _, table := range tablesBesideDjango {
		if !slices.Contains(there, table) {
			continue
		}
		tables = append(tables, table)
		var n int64
		if err := d.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return nil, nil, nil, fmt.Errorf("count the rows of %s: %w", table, err)
		}
		rows[table] = n
	}
	if d.Dialect == sqldialect.PostgreSQL {
		there, err := d.Names(ctx, "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = current_schema() AND p.proname LIKE 'codegrant%'")
		if err != nil {
			return nil, nil, nil, err
		}
		for _, f := range functionsBesideDjango {
			if slices.Contains(there, f) {
				functions = append(functions, f)
			}
		}
	}
	return tables, rows, functions, nil
}

// undo takes ours away, or says what that would be.
func (c Command) undo(ctx context.Context, out *terminal.Streams, db *parts.Database) error {
	tables, rows, functions, err := besideDjango(ctx, db)
	if err != nil {
		return err
	}
	if len(tables)+len(functions) == 0 {
		fmt.Fprintf(out.Stdout, "Codegrant has nothing in this %s database.\n", db.Dialect)
		return nil
	}
	for _, table := range tables {
		fmt.Fprintf(out.Stdout, "table     %-30s %s\n", table, terminal.Plural(int(rows[table]), "row"))
	}
	for _, f := range functions {
		fmt.Fprintf(out.Stdout, "function  %-30s with its triggers\n", f)
	}
	fmt.Fprintln(out.Stdout, "\nDjango's own tables keep their rows: accounts that were made here stay, and so do groups\nand memberships. Stop every service that uses these tables first.")
	if !c.Yes {
		fmt.Fprintln(out.Stdout, "Nothing is done yet: add --yes.")
		return nil
	}
	if err := drop(ctx, db, tables, functions); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "Done. Codegrant has nothing in this %s database any more.\n", db.Dialect)
	return nil
}

func drop(ctx context.Context, d *parts.Database, tables, functions []string) (err error) {
	conn, err := d.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var statements []string
	for _, f := range functions {
		statements = append(statements, "DROP FUNCTION "+f+"() CASCADE")
	}
	if d.Dialect == sqldialect.PostgreSQL && len(tables) > 0 {
		statements = append(statements, "DROP TABLE "+strings.Join(tables, ", "))
	} else {
		for _, table := range tables {
			statements = append(statements, "DROP TABLE "+table)
		}
	}
	// MySQL commits each of them by itself: what was cut off can be called again.
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(statement), err)
		}
	}
	return tx.Commit()
}
