// Package account is the pages on which people change what is theirs at the user pool:
// profile, e-mail address, password, authenticator app, passkeys, and the account itself.
// Cognito has none.
//
// It owns what is asked of people, in which order, and the words for what the pool
// answers. Everything is done by the pool's API for users, with the person's own access
// token: it can do nothing that they could not do themselves.
//
// It refuses whoever has no session of their own here, such as machines and programs with a
// token; forms of other sites; to change what matters long after a sign-in; and to try on
// where somebody guesses. It keeps nothing: neither passwords, nor codes, nor the key of an
// authenticator app, which a page shows once.
//
// It stands on package codegrant as an application would, and shows its pages in the same
// look and languages.
package account
