// Package sqlreplica keeps a replica in a SQL database: SQLite, PostgreSQL, MySQL
// or MariaDB, through database/sql. It owns the tables, their migrations and the
// transactions. It refuses to judge changes, which package replica does. It does not
// open or close the database.
//
// # Tables
//
// An application joins its own tables to these, by the ID of a user:
//
//	codegrant_users        one row per person: id, issuer, subject, username, email …
//	codegrant_groups       one row per group: id, issuer, name, origin, precedence
//	codegrant_memberships  user_id, group_id, and who says so: from_pool, from_local
//
// A user with a time in deleted_at is gone from the pool. A query that gives rights
// must leave these users out. An application may read the tables in any way and refer to
// their IDs. It must change them only through the store. Text is never NULL: an
// unknown value is the empty string. Attributes of the pool beyond the usual ones are
// in the column custom, a JSON object of strings. The columns that begin with search_
// belong to the look-ups.
//
// Times have microseconds and are in UTC: timestamptz on PostgreSQL, DATETIME(6) on
// MySQL, and on SQLite text such as "2026-03-01 12:00:00.000000", which sorts and
// which its date functions read.
//
// The table codegrant_outbox has changes for programs that read them later: see [Outbox].
// The table codegrant_history has earlier states of people: see [History].
//
// Names and ids are compared by their bytes, trailing spaces included, on every engine
// and with every collation of the database.
//
// A Django project's tables can take their place: see [Django].
//
// # Engines
//
// The application imports the driver. Connections of SQLite, through modernc.org/sqlite,
// must wait for one another. Set this in the data source name:
//
//	file:users.db?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)
//
// For PostgreSQL, use github.com/jackc/pgx/v5/stdlib. The tables are in the first
// schema of search_path. For MySQL and MariaDB, use github.com/go-sql-driver/mysql.
// Options of its data source names, such as parseTime and loc, make no difference here.
//
// # Costs
//
// A snapshot is what a pool or a token says about a person at a time.
//
//   - A snapshot that changes nothing, and is not newer than the row, costs one statement and no
//     transaction.
//   - A snapshot that changes nothing, and is newer, also writes a narrow row of
//     codegrant_confirmations.
//   - A snapshot that changes something costs a transaction: a lock on the person's row, a
//     second look, and one statement for each kind of row that changes.
//   - On PostgreSQL, in tables of its own and without OnChange, both kinds of writes cost two
//     statements and no transaction. The first statement looks. The second one writes
//     everything, the entry of the outbox included, if the person is still as they were read.
//   - A new member costs one more look, at the group. A new group needs the transaction, as does
//     a default_transaction_isolation other than READ COMMITTED.
//   - A batch of a thousand people costs about as many statements as one person. Its
//     transaction locks their rows: keep OnChange short. In Django's tables, this is so for
//     people without a change. The others are written one by one.
//   - A look-up, and a page of a list, costs one statement, by index.
//
// The store repeats a transaction after a deadlock, a serialization fault or a lost race. It
// repeats a statement once after a lost connection.
//
// # Versions
//
// [Store.Migrate] brings the tables to the version of the code. A version adds to the
// tables of the version before it, and removes only parts that this one no longer uses. So
// old and new processes run side by side on the newer tables. If a version of the tables is
// too new for the code, the table codegrant_replica_schema says so, and [Store.Check] returns an
// error.
package sqlreplica
