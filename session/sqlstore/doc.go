// Package sqlstore keeps sessions in a SQL database: SQLite, PostgreSQL, MySQL or
// MariaDB, through database/sql.
//
// It owns its tables and the statements on them, each of which is a single one. It
// refuses to open the database and to import a driver: both are the caller's.
//
// # The tables
//
// codegrant_sessions holds a row for each session, and in it times as microseconds
// since 1970, UTC. Names are compared by their bytes, trailing spaces included,
// whatever the collation of the database is. Rows that have expired are missing to
// every method and stay until [Store.DeleteExpired] is called, from time to time,
// by any process. Package codegrant does so beside sign-ins.
//
// codegrant_session_ends holds ends of sessions, for a [session.EnduringStore] that
// keeps the sessions themselves elsewhere. Those that have had their time are removed
// as others are put there.
//
// # Engines
//
// SQLite, through modernc.org/sqlite, serves many readers beside one writer in WAL
// mode, and has writers wait for one another if it has a busy timeout:
//
//	file:app.db?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)
//
// PostgreSQL is reached through github.com/jackc/pgx/v5/stdlib, with or without
// prepared statements. With target_session_attrs=read-write a connection goes to
// the primary, now and after a fail-over.
//
// MySQL and MariaDB are reached through github.com/go-sql-driver/mysql. With
// interpolateParams=true a session is read in one round trip instead of three, and
// with rejectReadOnly=true connections follow a fail-over.
//
// # Faults
//
// A deadlock is repeated here. A lost connection is repeated once, except where
// that could do a thing twice: creating and swapping. Everything else that goes
// wrong is [session.ErrUnavailable], and says nothing about any session.
//
// # Versions
//
// [Store.Migrate] brings the table to the version of the code. A version only adds
// to what the one before it uses, and takes away what that one had stopped using:
// old and new processes run side by side on the newer table.
package sqlstore
