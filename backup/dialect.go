package backup

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Dialect names the engine behind a [sql.DB]. It is the same type in every package of
// Codegrant that uses a database: a constant of one of them is good for all.
type Dialect = sqldialect.Dialect

// The engines. The zero value is none of them.
const (
	SQLite     = sqldialect.SQLite     // through modernc.org/sqlite
	PostgreSQL = sqldialect.PostgreSQL // through github.com/jackc/pgx/v5/stdlib
	MySQL      = sqldialect.MySQL      // and MariaDB, through github.com/go-sql-driver/mysql
)

// querier is a database, a connection, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// engine is what is different between the engines.
type engine struct{ Dialect }

// snapshot calls f with what sees one moment of the database, and locks nobody out.
func (d engine) snapshot(ctx context.Context, db *sql.DB, f func(querier) error) error {
	if d.Dialect != SQLite {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return err
		}
		defer tx.Rollback() // it has changed nothing
		return f(tx)
	}
	// Transactions can be set to begin with the lock of a writer, so this is one by hand.
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return f(conn)
}

// read is how a column is selected, whatever the options of the connection are.
func (d engine) read(c column) string {
	if c.kind == moment && d.Dialect == MySQL {
		return "CAST(" + c.name + " AS CHAR)"
	}
	return c.name
}

const timeLayout = "2006-01-02 15:04:05.000000"

func (d engine) bind(value any) any {
	t, ok := value.(time.Time)
	switch {
	case !ok:
		return value
	case d.Dialect == PostgreSQL:
		return t.UTC()
	}
	return t.UTC().Format(timeLayout)
}

// upsert ends an insertion that writes over a row of the same key.
func (d engine) upsert(s section) string {
	if s.key == 0 {
		return ""
	}
	var keys, sets []string
	for i, c := range s.columns {
		switch {
		case i < s.key:
			keys = append(keys, c.name)
		case d.Dialect == MySQL:
			sets = append(sets, c.name+" = VALUES("+c.name+")")
		default:
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	if d.Dialect == MySQL {
		return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	}
	return " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// given is the last number that a database has given to a row of a table.
func (d engine) given(ctx context.Context, q querier, table string) (int64, error) {
	var last, most sql.NullInt64
	err := q.QueryRowContext(ctx, "SELECT max(id) FROM "+table).Scan(&most)
	if err != nil {
		return 0, err
	}
	find := map[Dialect]string{
		SQLite:     "SELECT max(seq) FROM sqlite_sequence WHERE name = '" + table + "'",
		PostgreSQL: "SELECT pg_sequence_last_value(pg_get_serial_sequence('" + table + "', 'id')::regclass)",
		MySQL:      "SELECT max(auto_increment) - 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" + table + "'",
	}[d.Dialect]
	err = q.QueryRowContext(ctx, find).Scan(&last)
	return max(most.Int64, last.Int64), err
}

// goOn has a database give no number up to last any more. On MySQL that ends a
// transaction, so it is done before: numbers that are left out harm nobody.
func (d engine) goOn(ctx context.Context, q querier, table string, last int64) error {
	given, err := d.given(ctx, q, table)
	if err != nil || given >= last {
		return err
	}
	switch d.Dialect {
	case PostgreSQL:
		_, err = q.ExecContext(ctx, "SELECT setval(pg_get_serial_sequence('"+table+"', 'id'), $1)", last)
	case MySQL:
		_, err = q.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s AUTO_INCREMENT = %d", table, last+1))
	case SQLite:
		if _, err = q.ExecContext(ctx, "DELETE FROM sqlite_sequence WHERE name = ?", table); err == nil {
			_, err = q.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, last)
		}
	}
	return err
}

// cell reads a value of a column.
type cell struct {
	kind  kind
	value any // int64, bool, string, time.Time, json.RawMessage or nil
}

// Scan implements [sql.Scanner].
func (c *cell) Scan(src any) (err error) {
	c.value = nil
	if src == nil {
		return nil
	}
	switch c.kind {
	case number:
		var n sql.NullInt64
		err = n.Scan(src)
		c.value = n.Int64
	case yesNo:
		var b sql.NullBool
		err = b.Scan(src)
		c.value = b.Bool
	case moment:
		if t, ok := src.(time.Time); ok {
			c.value = t.UTC()
			return nil
		}
		var s sql.NullString
		if err = s.Scan(src); err == nil {
			c.value, err = time.Parse("2006-01-02 15:04:05.999999", s.String)
		}
	default:
		var s sql.NullString
		err = s.Scan(src)
		c.value = s.String
	}
	return err
}
