// Package faults holds the tests of what happens when something that Codegrant
// depends on fails: a session store, a database, the pool, a disk, the process
// itself. docs/reliability.md tells their results to people, a test to a row.
//
// They start servers of their own, since they kill them, and put a proxy in
// between where a connection is to be slow or dead. The application under test is
// one as its users write it.
package faults
