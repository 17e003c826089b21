// Package token is codegrant token: whether a token is good, and if not, why.
//
// It refuses tokens on the command line, which others can see, and never prints a signature.
package token
