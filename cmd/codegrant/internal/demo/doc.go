// Package demo is codegrant demo: a local pool, a small site and two API backends, to try
// everything on one machine.
//
// It refuses to be set up for anything else.
package demo
