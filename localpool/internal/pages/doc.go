// Package pages is the local pool as a person meets it: sign-in, sign-up,
// confirmation, forgotten and forced new passwords, and a page that shows what
// Cognito would have sent by e-mail.
//
// It owns the forms and their words, which work without scripts, by keyboard and
// with a screen reader. It refuses to decide who may sign in: the state does, and
// the OAuth endpoints send the browser on.
package pages
