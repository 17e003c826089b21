// Package sqlreplica keeps a replica in a SQL database: SQLite, PostgreSQL, MySQL
// or MariaDB, through database/sql. It owns the tables, their migrations and the
// transactions; it refuses to judge, which package replica does, and to open or
// close the database.
package sqlreplica
