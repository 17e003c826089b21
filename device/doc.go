// Package device owns the names of a browser and its system in the list of sessions that
// people see. A browser can claim any name, so the names are only shown.
//
// It is a package of its own so that the library does not compile the parser's tables.
package device
