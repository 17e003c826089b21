package sqldialect

import (
	"strconv"
	"strings"
)

// Dialect names the engine behind a [database/sql.DB].
type Dialect int

// The engines. The zero value is none of them.
const (
	// SQLite through modernc.org/sqlite.
	SQLite Dialect = iota + 1
	// PostgreSQL through github.com/jackc/pgx/v5/stdlib.
	PostgreSQL
	// MySQL and MariaDB through github.com/go-sql-driver/mysql.
	MySQL
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// Mark is the placeholder of the value of a statement with this number, from 1.
func Mark(d Dialect, n int) string {
	if d == PostgreSQL {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// Marks returns n placeholders from the first on, separated by commas.
func Marks(d Dialect, first, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = Mark(d, first+i)
	}
	return strings.Join(marks, ", ")
}

// Number turns each question mark of a statement into the placeholder of the engine. A text
// within the statement must have none.
func Number(d Dialect, statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for n, part := range strings.Split(statement, "?") {
		if n > 0 {
			b.WriteString(Mark(d, n))
		}
		b.WriteString(part)
	}
	return b.String()
}
