// Package examples holds whole programs that use Codegrant, each in a folder of
// its own, and the tests that build and run them. It is a module of its own, so
// that what an example needs never reaches a user of the library.
package examples
