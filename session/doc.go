// Package session keeps what a signed-in browser holds on the server.
//
// It owns the record of a session, the contract of the stores that keep it, the
// cookie that names it and the sealing that makes a store's content worthless
// without that cookie. It refuses to know what is sealed: tokens and identities
// are the caller's bytes.
//
// # Id and key
//
// A browser holds a [Handle]: a random id and a random key, 256 bits each. The
// store is given a hash of the id, and the content encrypted under the key.
// Whoever reads the store can therefore neither take a session over nor read a
// token.
package session
