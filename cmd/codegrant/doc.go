// Command codegrant is Codegrant for those who do not write Go, and the way to
// try it.
//
// It owns the table of commands. Each command is a package of internal, with its
// flags, its files and its tests, and no command imports another; what several need
// has a package of its own there. It refuses to hold a rule of the flow: those live in
// the packages that it joins.
package main
