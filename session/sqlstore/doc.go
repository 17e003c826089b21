// Package sqlstore keeps sessions in a SQL database: SQLite, PostgreSQL, MySQL or
// MariaDB, through database/sql.
//
// It owns one table and the statements on it, each of which is a single one. It
// refuses to open the database and to import a driver: both are the caller's.
//
// # SQLite
//
// Several goroutines read beside one that writes if the database is in WAL mode,
// and wait for one another if it has a busy timeout. With modernc.org/sqlite:
//
//	file:app.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate
package sqlstore
