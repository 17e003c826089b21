// Package mail hands the local pool's messages to a mail server for tests, such as
// Mailpit.
//
// It owns their order and how often they are tried. It refuses to hold up whoever sends
// one, and to keep more than a few hundred that are not taken.
package mail
