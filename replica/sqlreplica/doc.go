// Package sqlreplica keeps a replica in a SQL database: SQLite, PostgreSQL, MySQL
// or MariaDB, through database/sql. It owns the tables, their migrations and the
// transactions; it refuses to judge, which package replica does, and to open or
// close the database.
//
// # Tables
//
// An application joins its own tables to these, by the ID of a user:
//
//	codegrant_users        one row per person: id, issuer, subject, username, email …
//	codegrant_groups       one row per group: id, issuer, name, origin, precedence
//	codegrant_memberships  user_id, group_id, and who says so: from_pool, from_local
//
// A user with a time in deleted_at is gone from the pool: a query that gives rights
// has to leave them out. It may read them in any way and refer to their IDs, but must change them through
// the store alone. Text is never NULL: what nobody stated is the empty string.
// Attributes of the pool beyond the usual ones are in the column custom, a JSON
// object of strings. The columns that begin with search_ belong to the look-ups.
//
// Times have microseconds and are in UTC: timestamptz on PostgreSQL, DATETIME(6) on
// MySQL, and on SQLite text such as "2026-03-01 12:00:00.000000", which sorts and
// which its date functions read.
//
// Another table, codegrant_outbox, holds changes for those who hear of them later; see
// [Outbox].
//
// Another, codegrant_history, is how people were before; see [History].
//
// Text that names somebody or something is compared by its bytes, trailing spaces
// included, on every engine and whatever the collation of the database is.
//
// A Django project's tables can take their place: see [Django].
//
// # Engines
//
// The driver is the application's to import. SQLite, through modernc.org/sqlite,
// needs its connections told to wait for one another, by the data source name:
//
//	file:users.db?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)
//
// PostgreSQL is reached through github.com/jackc/pgx/v5/stdlib; tables are made in
// the first schema of search_path. MySQL and MariaDB are reached through
// github.com/go-sql-driver/mysql; no option of its data source names matters here,
// parseTime and loc included.
//
// # Costs
//
// A snapshot that says what is known, as of then or earlier, costs one statement and
// no transaction. One that changes something costs, between begin and commit, a lock
// on the person's row, a second look, and a statement for each kind of row that
// changes; and so does one that says later what is known, which writes a narrow row of
// codegrant_confirmations and nothing else. On PostgreSQL, in tables of its own and
// without OnChange, either costs two statements and no transaction: the first look,
// and one that writes everything, the entry of the outbox included, provided that the
// person is still as they were read. A new member costs a look at the group, and a group
// that is new the transaction, as does a default_transaction_isolation other than READ
// COMMITTED. A batch costs about as many statements for a thousand people, in a
// transaction that holds their rows: keep OnChange short. In Django's tables that is so
// of those who are as they were; others are written one by one. Look-ups and pages are
// one statement each, by index. Deadlocks, serialization faults and lost races
// are repeated here, a lost connection once, and not left to the caller.
//
// # Versions
//
// [Store.Migrate] brings the tables to the version of the code. A version only ever
// adds to what the one before it uses, and takes away what that one had stopped
// using; so old and new processes run side by side on the newer tables. The first
// version that old code could no longer work with says so in the table
// codegrant_replica_schema, and [Store.Check] refuses it.
package sqlreplica
