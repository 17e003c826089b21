package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Dialect names the engine behind a [sql.DB]. It is the same type in every package of
// Codegrant that uses a database: a constant of one of them is good for all.
type Dialect = sqldialect.Dialect

// The engines. The zero value is none of them.
const (
	// SQLite through modernc.org/sqlite.
	SQLite = sqldialect.SQLite
	// PostgreSQL, version 13 or later, through github.com/jackc/pgx/v5/stdlib.
	PostgreSQL = sqldialect.PostgreSQL
	// MySQL, version 8.0.17 or later, and MariaDB, version 10.6 or later,
	// through github.com/go-sql-driver/mysql.
	MySQL = sqldialect.MySQL
)

// engine is what is different between the engines. What is not here is the same
// SQL on all of them.
type engine struct {
	dialect Dialect

	encodeTime func(time.Time) any
	readTime   func(column string) string // how to select one, so that parseTime and loc of a DSN do not matter

	// returning: INSERT … ON CONFLICT DO NOTHING RETURNING id is understood.
	returning bool
	// version is what is another one when somebody has written to the rows u and c,
	// as codegrant_hold compares it. Empty: there is no such function.
	version string
	// arrays: a value can be an array.
	arrays bool
	// listOfTuples begins a list of tuples to compare with.
	listOfTuples string
	// lock, a condition and lockEnd take hold of the rows of users until the
	// transaction ends.
	lock, lockEnd string
	// lockEntries, a condition and lockEntriesEnd return the IDs of those entries of
	// the outbox that nobody holds, and take hold of them.
	lockEntries, lockEntriesEnd string
	oneByOne                    bool           // entries are removed so
	readCommitted               *sql.TxOptions // nil: transactions come one after the other
	// change is how a transaction begins that takes hold of a row and then reads it,
	// and must see what was committed until it had it. Nil: the default does.
	change *sql.TxOptions
	// notifies: there is pg_notify.
	notifies bool

	classify func(error) fault
}

// readCommitted keeps who takes from the outbox from locking the gaps between its
// rows, on MySQL, where everybody else adds theirs.
var readCommitted = &sql.TxOptions{Isolation: sql.LevelReadCommitted}

var engines = map[Dialect]*engine{
	SQLite: {
		dialect: SQLite, encodeTime: textTime, readTime: asIs,
		returning: true, listOfTuples: "VALUES ",
		// A write that changes nothing, because reading locks nobody out here.
		lock:        "UPDATE codegrant_users SET id = id WHERE ",
		lockEntries: "UPDATE codegrant_outbox SET id = id WHERE ", lockEntriesEnd: " RETURNING id",
		classify: classifySQLite,
	},
	PostgreSQL: {
		dialect:    PostgreSQL,
		encodeTime: func(t time.Time) any { return t.UTC() }, readTime: asIs,
		returning: true, arrays: true, notifies: true,
		version:     "u.xmin::text || '/' || coalesce(c.xmin::text, '')",
		lock:        "SELECT id FROM codegrant_users WHERE ",
		lockEnd:     " ORDER BY id FOR UPDATE",
		lockEntries: "SELECT id FROM codegrant_outbox WHERE ", lockEntriesEnd: " ORDER BY id FOR UPDATE SKIP LOCKED",
		// Here, REPEATABLE READ takes its view before it waits for a row. On MySQL, the first
		// read without a lock takes it.
		readCommitted: readCommitted, change: readCommitted,
		classify: classifyPostgreSQL,
	},
	MySQL: {
		dialect: MySQL, encodeTime: textTime,
		readTime: func(column string) string { return "CAST(" + column + " AS CHAR)" },
		lock:     "SELECT id FROM codegrant_users WHERE ",
		lockEnd:  " ORDER BY id FOR UPDATE",
		// A statement locks all rows that it reads on its way, and waits for them. To remove a
		// list of IDs from a small table, it would read the whole table.
		lockEntries: "SELECT id FROM codegrant_outbox FORCE INDEX (PRIMARY) WHERE ", lockEntriesEnd: " ORDER BY id FOR UPDATE SKIP LOCKED",
		oneByOne: true, readCommitted: readCommitted,
		classify: classifyMySQL,
	},
}

func asIs(column string) string { return column }

const timeLayout = "2006-01-02 15:04:05.000000"

func textTime(t time.Time) any { return t.UTC().Format(timeLayout) }

// querier is a database, or a transaction in it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// statement is SQL that is put together from text of this package and bound
// values. Nothing else gets into the text.
type statement struct {
	engine *engine
	text   strings.Builder
	args   []any
}

// sql begins a statement.
func (e *engine) sql(text string) *statement {
	return (&statement{engine: e}).sql(text)
}

// sql adds text.
func (s *statement) sql(text string) *statement {
	s.text.WriteString(text)
	return s
}

// bind adds placeholders, separated by commas, and their values. Times are
// encoded; a time that is zero is NULL.
func (s *statement) bind(values ...any) *statement {
	for i, value := range values {
		if i > 0 {
			s.text.WriteString(", ")
		}
		if t, ok := value.(time.Time); ok {
			value = nil
			if !t.IsZero() {
				value = s.engine.encodeTime(t)
			}
		}
		s.args = append(s.args, value)
		s.text.WriteString(sqldialect.Mark(s.engine.dialect, len(s.args)))
	}
	return s
}

// assign adds "column = value" for each column.
func (s *statement) assign(columns []string, values []any) *statement {
	for i, column := range columns {
		if i > 0 {
			s.sql(", ")
		}
		s.sql(column + " = ").bind(values[i])
	}
	return s
}

func (s *statement) query(ctx context.Context, q querier) (*sql.Rows, error) {
	return q.QueryContext(ctx, s.text.String(), s.args...)
}

func (s *statement) exec(ctx context.Context, q querier) error {
	_, err := q.ExecContext(ctx, s.text.String(), s.args...)
	return err
}

// hold takes hold of the rows that a statement of engine.lock names. It reads what a SELECT
// returns: go-sql-driver/mysql 1.10.1, told to execute one that finds nothing, waits for more
// of MariaDB's answer for ever.
func (s *statement) hold(ctx context.Context, q querier) error {
	if s.engine.lockEnd == "" {
		return s.exec(ctx, q)
	}
	rows, err := s.sql(s.engine.lockEnd).query(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return errors.Join(rows.Close(), rows.Err())
}

// scan reads the first row into dest, and returns [sql.ErrNoRows] where there is
// none.
func (s *statement) scan(ctx context.Context, q querier, dest ...any) error {
	rows, err := s.query(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	// The rows of a statement are written when its whole answer is read. If the context ended
	// before, the driver has closed the rows and has the error, which Close does not return.
	return errors.Join(rows.Close(), rows.Err())
}
