package sqlstore

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

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

// engine is what differs between the engines.
type engine struct {
	goose      goose.Dialect
	migrations string
	shared     bool // several processes may use one database
	numbered   bool // placeholders are $1, $2 …
	lock       *advisoryLock
	duplicate  func(error) bool // a row of this key exists
	missing    func(error) bool // the table does not exist
}

var engines = map[Dialect]*engine{
	SQLite: {goose: goose.DialectSQLite3, migrations: "sqlite", duplicate: sqliteDuplicate, missing: sqliteMissing},
	PostgreSQL: {
		goose: goose.DialectPostgres, migrations: "postgres", shared: true, numbered: true, lock: postgresLock,
		duplicate: func(err error) bool { return sqlState(err) == "23505" },
		missing:   func(err error) bool { return sqlState(err) == "42P01" },
	},
	MySQL: {
		goose: goose.DialectMySQL, migrations: "mysql", shared: true, lock: mysqlLock,
		duplicate: func(err error) bool { return mysqlNumber(err) == 1062 },
		missing:   func(err error) bool { return mysqlNumber(err) == 1146 },
	},
}

// placeholders returns n of them from the given number on, separated by commas.
func (e *engine) placeholders(from, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = e.placeholder(from + i)
	}
	return strings.Join(marks, ", ")
}

func (e *engine) placeholder(n int) string {
	if e.numbered {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// sqliteDuplicate reads the extended result codes of sqlite.org/rescode.html:
// primary key and unique constraint.
func sqliteDuplicate(err error) bool {
	var coded interface{ Code() int }
	return errors.As(err, &coded) && (coded.Code() == 1555 || coded.Code() == 2067)
}

// sqliteMissing: SQLite has no code of its own for a missing table.
func sqliteMissing(err error) bool {
	var coded interface{ Code() int }
	return errors.As(err, &coded) && coded.Code() == 1 && strings.Contains(err.Error(), "no such table")
}

func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// mysqlNumber reads the field Number of *mysql.MySQLError, without compiling the
// driver into every user of this package.
func mysqlNumber(err error) uint64 {
	for ; err != nil; err = errors.Unwrap(err) {
		if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
			if number := v.FieldByName("Number"); number.IsValid() && number.CanUint() {
				return number.Uint()
			}
		}
	}
	return 0
}
