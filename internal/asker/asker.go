// Package asker owns the key under which a context says who asks, and what a test puts
// there in place of a request that somebody has sent. The root package reads it; package
// codegranttest writes it, in tests alone. It is internal so that nobody else can.
//
// It refuses to know what an identity is.
package asker

// Key is that of the context.
type Key struct{}

// Given is what a test says of who asks.
type Given struct {
	Identity any    // the root package's *Identity; nil: nobody
	ID       string // the tokens that it was proven with; empty: none
	Access   string
}
