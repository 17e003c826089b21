// Package migrate is codegrant migrate: tables, brought up to date or, beside Django's,
// taken away.
//
// It refuses to know a table's columns: the stores bring their own migrations.
package migrate
