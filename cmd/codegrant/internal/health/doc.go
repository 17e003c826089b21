// Package health is codegrant health: a look at a process that runs, for containers that
// have no other program to look with.
//
// It refuses to judge: what is ready, the process says itself.
package health
