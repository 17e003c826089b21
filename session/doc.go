// Package session keeps what a signed-in browser holds on the server.
//
// It owns the record of a session, the contract of the stores that keep it, and the cookie
// that names it. It also owns the sealing that makes a store's content worthless without
// that cookie. It does not know what is sealed: tokens and identities are bytes of the
// caller.
//
// # Id and key
//
// A browser holds a Handle: a random id and a random key, 256 bits each. The store gets a
// hash of the id, and the content encrypted under the key. So a reader of the store can
// neither take over a session nor read a token.
package session
