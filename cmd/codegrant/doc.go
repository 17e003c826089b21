// Command codegrant is Codegrant for those who do not write Go, and the way to
// try it.
//
// It owns flags, configuration and the joining of the library with drivers and
// listeners. It refuses to hold a rule of the flow: those live in the packages
// that it joins.
package main
