// Package commandtest has what the tests of several commands begin with: a way to run a
// command as somebody who types it, settings that are right, stores with people in them.
//
// It refuses to be part of the program.
package commandtest
