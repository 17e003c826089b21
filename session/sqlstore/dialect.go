package sqlstore

import "github.com/codegrant/codegrant/internal/sqldialect"

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

// engine is what differs between the engines. What is not here is the same SQL on
// all of them.
type engine struct {
	dialect Dialect
	shared  bool // several processes may use one database
	// removeExpired takes a time and a limit.
	removeExpired string
	// removeEnds does, too, of ends of sessions.
	removeEnds string
	classify   func(error) fault
}

var engines = map[Dialect]*engine{
	SQLite: {
		dialect:       SQLite,
		removeExpired: "DELETE FROM codegrant_sessions WHERE id IN (SELECT id FROM codegrant_sessions WHERE expires <= ? ORDER BY expires LIMIT ?)",
		removeEnds:    "DELETE FROM codegrant_session_ends WHERE number IN (SELECT number FROM codegrant_session_ends WHERE until <= ? ORDER BY until LIMIT ?)",
		classify:      classifySQLite,
	},
	PostgreSQL: {
		dialect: PostgreSQL, shared: true,
		// Looks at each row again, which may have changed while it was waited for.
		removeExpired: "DELETE FROM codegrant_sessions WHERE id IN (SELECT id FROM codegrant_sessions WHERE expires <= $1 ORDER BY expires LIMIT $2)" +
			" AND expires <= $1",
		removeEnds: "DELETE FROM codegrant_session_ends WHERE number IN (SELECT number FROM codegrant_session_ends WHERE until <= $1 ORDER BY until LIMIT $2)",
		classify:   classifyPostgreSQL,
	},
	MySQL: {
		dialect: MySQL, shared: true,
		removeExpired: "DELETE FROM codegrant_sessions WHERE expires <= ? ORDER BY expires LIMIT ?",
		removeEnds:    "DELETE FROM codegrant_session_ends WHERE until <= ? ORDER BY until LIMIT ?",
		classify:      classifyMySQL,
	},
}

func (e *engine) placeholder(n int) string { return sqldialect.Mark(e.dialect, n) }
