// Package cognito is one user pool as its OAuth client sees it.
//
// It owns the pool's URLs, the requests to its token and revocation endpoints,
// and the reading of what it sends back to the callback. It refuses to judge
// tokens: they are opaque here, and package verify says what they are worth.
//
// Faults come in two kinds that must not be mistaken for one another: the pool
// said no ([ErrInvalid]), or it did not say anything of use ([ErrUnavailable]).
package cognito
