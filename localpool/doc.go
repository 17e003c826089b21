// Package localpool is a Cognito user pool on this machine: with login pages,
// OAuth endpoints and keys of its own, for development and tests without an AWS
// account.
//
// It owns one state and its faces, which answer as Cognito does, to the status
// code and the name of a claim. It refuses to be used for anything real: it
// listens on this machine alone, says on every page what it is, and shows codes
// that Cognito would send by e-mail. It calls nobody but the triggers and receivers
// of events that its seed names, or a test, and the mail server of its options. It
// imports none of the packages that it is there to test.
//
// The API is not stable.
package localpool
