package sqldialect

import (
	"context"
	"database/sql"
)

// Querier is a database, a connection, or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// listTables lists the tables that a connection finds without naming a schema, as "name".
var listTables = map[Dialect]string{
	SQLite:     "SELECT name FROM sqlite_master WHERE type = 'table' AND name",
	PostgreSQL: "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() AND tablename",
	MySQL:      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name",
}

// HasTable reports whether there is a table of this name.
func HasTable(ctx context.Context, q Querier, d Dialect, name string) (bool, error) {
	names, err := tables(ctx, q, listTables[d]+" = "+Mark(d, 1), name)
	return len(names) > 0, err
}

// Tables returns the names of all tables that begin so, in no order. The beginning is not to
// have a character that LIKE knows.
func Tables(ctx context.Context, q Querier, d Dialect, beginning string) ([]string, error) {
	return tables(ctx, q, listTables[d]+" LIKE "+Mark(d, 1), beginning+"%")
}

func tables(ctx context.Context, q Querier, statement, value string) (names []string, err error) {
	rows, err := q.QueryContext(ctx, statement, value)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Make executes statements that make what is missing, CREATE TABLE IF NOT EXISTS and its like.
// Any number of processes may do so at once: of two that come together, PostgreSQL can have
// both make the same table, and refuses one of them. A second attempt finds it made.
func Make(ctx context.Context, db *sql.DB, statements []string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}
