// Package sqldialect is what the packages with a table of their own know of SQL engines.
//
// It owns the name of an engine, how a statement marks its values, which tables a database
// has, and tables that are made where they are missing. It refuses to open databases, to
// import drivers, and to know anybody's tables: SQL that is different for a reason of one
// package stays in that package.
//
// It leans on the standard library alone. Each public package has its own name for [Dialect],
// an alias: a program names its engine once, through whichever package it has at hand. What
// is not for those programs is a function here, because methods would be part of their API.
package sqldialect
