// Package returnto decides where a browser may be sent back to.
//
// It owns the one rule for every redirect target that a user can influence, and
// the one way to write it. It refuses to repair: what is not plainly allowed is
// refused, because browsers and [net/url.Parse] read doubtful strings differently.
package returnto
