// Package backup writes what a replica's database has, and no pool can give again, to one
// encrypted file, and reads such a file back into a database of any engine. It owns the
// form of the file, its check, and the order in which rows are read and written; it
// refuses tables beside Django's, sessions and whatever else expires by itself, and a file
// that is cut, changed or of a newer release, before it has written a row.
//
// The file is one snapshot of the tables, compressed, and encrypted with age. Reading and
// writing are streams: memory does not grow with the number of people. A restore is one
// transaction. The package leans on database/sql and on age, and knows the tables of
// packages sqlreplica and organization by a list that a test holds against theirs.
package backup
