// Package manual writes what the command line says of itself for other readers: man
// pages, and completions for shells. Both come from the table of commands, so that they
// cannot name a flag that is not there.
//
// It refuses to describe anything that --help does not show.
package manual
