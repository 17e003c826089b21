// Package sign owns what is signed here: the keys, how they follow from the keys of a
// ring, the JWTs that they make and open, and the JWKS that others verify with.
//
// It refuses to know what a token says: claims, audiences and lifetimes are those of
// whoever has it signed. It opens nothing but what a key of its own has signed, under
// exactly the header that it writes itself, so that no token chooses how it is verified.
package sign
