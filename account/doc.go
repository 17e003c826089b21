// Package account has pages on which people change their own data at the user pool:
// profile, e-mail address, password, authenticator app, passkeys, and the account itself.
// Cognito has no such pages.
//
// It owns the questions to people, their order, and the words for the pool's answers. It
// does everything with the pool's API for users and the person's own access token. So it
// can do nothing that the person could not do.
//
// It refuses requests without a session here, such as those of machines and of programs
// with a token. It refuses forms of other sites, important changes long after a sign-in,
// and repeated guesses. It stores nothing: no passwords, no codes, and no key of an
// authenticator app, which a page shows once.
//
// It uses package codegrant as an application would, and shows its pages in the same look
// and languages.
package account
