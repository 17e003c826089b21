// Package token is codegrant token: whether a token is good, and if not, why; and codegrant
// token get, which prints one of a machine.
//
// It refuses tokens and secrets on the command line, which others can see, and never prints
// a signature of a token that it was shown.
package token
