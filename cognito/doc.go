// Package cognito is one user pool as its OAuth client sees it.
//
// It owns the pool's URLs, the requests to its token and revocation endpoints,
// and the reading of what it sends back to the callback. It refuses to judge
// tokens: they are opaque here, and package verify says what they are worth.
//
// A fault is one of three kinds that must not be mistaken for one another: the
// pool refused what was sent ([ErrInvalid]), the pool refused the app client
// ([ErrMisconfigured]), or it did not say anything of use ([ErrUnavailable]).
// Only the first says something about the person who is signing in.
package cognito
