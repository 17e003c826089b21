// Package backup writes the data of a replica's database that no pool can give again to one
// encrypted file. It reads such a file into a database of any engine.
//
// It owns the format of the file, its check, and the order in which rows are read and written.
// It refuses Django's tables, sessions, and other records that expire by themselves. It
// refuses a file that is cut, changed or of a newer release, before it writes a row.
//
// The file is one snapshot of the tables, compressed, and encrypted with age. Reading and
// writing are streams, so memory does not grow with the number of people. A restore is one
// transaction. The package leans on database/sql and on age. It knows the tables of packages
// sqlreplica and organization by a list, and a test compares the list with their migrations.
package backup
