// Package origins owns the list of places that a token may be sent to. It refuses to
// guess: an origin is listed whole, over https unless it is this machine, or nothing goes
// there.
package origins
