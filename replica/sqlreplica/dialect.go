package sqlreplica

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// Dialect names the engine behind a [sql.DB].
type Dialect int

// The engines. The zero value is none of them.
const (
	// SQLite through modernc.org/sqlite.
	SQLite Dialect = iota + 1
	// PostgreSQL, version 13 or later, through github.com/jackc/pgx/v5/stdlib.
	PostgreSQL
	// MySQL, version 8.0.17 or later, and MariaDB, version 10.6 or later,
	// through github.com/go-sql-driver/mysql.
	MySQL
)

func (d Dialect) String() string {
	if e := engines[d]; e != nil {
		return e.name
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// engine is what is different between the engines. What is not here is the same
// SQL on all of them.
type engine struct {
	name       string
	goose      goose.Dialect
	migrations string // folder below migrations

	placeholder func(n int) string
	encodeTime  func(time.Time) any
	readTime    func(column string) string // how to select one, so that parseTime and loc of a DSN do not matter

	// returning: INSERT … ON CONFLICT DO NOTHING RETURNING id is understood.
	returning bool
	// lock, an ID and lockEnd take hold of the row of one user until the
	// transaction ends.
	lock, lockEnd string

	migrationLock *advisoryLock // nil: the engine lets one writer in at a time
	classify      func(error) fault
	tableExists   func(ctx context.Context, q querier, table string) (bool, error) // where no code of the engine says so
}

var engines = map[Dialect]*engine{
	SQLite: {
		name: "SQLite", goose: goose.DialectSQLite3, migrations: "sqlite",
		placeholder: questionMark, encodeTime: textTime, readTime: asIs,
		returning: true,
		// A write that changes nothing, because reading locks nobody out here.
		lock:     "UPDATE codegrant_users SET id = id WHERE id = ",
		classify: classifySQLite, tableExists: sqliteTableExists,
	},
	PostgreSQL: {
		name: "PostgreSQL", goose: goose.DialectPostgres, migrations: "postgres",
		placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		encodeTime:  func(t time.Time) any { return t.UTC() }, readTime: asIs,
		returning:     true,
		lock:          "SELECT id FROM codegrant_users WHERE id = ",
		lockEnd:       " FOR UPDATE",
		migrationLock: postgresLock, classify: classifyPostgreSQL,
	},
	MySQL: {
		name: "MySQL", goose: goose.DialectMySQL, migrations: "mysql",
		placeholder: questionMark, encodeTime: textTime,
		readTime:      func(column string) string { return "CAST(" + column + " AS CHAR)" },
		lock:          "SELECT id FROM codegrant_users WHERE id = ",
		lockEnd:       " FOR UPDATE",
		migrationLock: mysqlLock, classify: classifyMySQL,
	},
}

func questionMark(int) string { return "?" }

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
		s.text.WriteString(s.engine.placeholder(len(s.args)))
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
	return rows.Close()
}
