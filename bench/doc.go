// Package bench measures Codegrant beside what it stands on and beside libraries
// that do the same, all in one run on one machine, because only ratios travel. It
// is a module of its own, so that no user of the library meets its rivals.
//
// The command ratios runs the benchmarks and prints the ratios.
package bench
