// Package terminal is where every command of codegrant meets the person who types it: it
// runs the command that the arguments name, ends the process with its status, and prints
// tables, JSON and what others wrote so that a terminal can show it.
//
// It refuses to know any command, or what one shows.
package terminal
