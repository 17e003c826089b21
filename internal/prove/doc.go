// Package prove owns the way from tokens to a person: a token set as a whole, a token
// of a header, a renewal that must be of the same person and sign-in, what a load
// balancer signed. It refuses to keep anything, and to ask whether the person may.
package prove
