// Package linked owns accounts at identity providers that a user pool links to its users:
// how the pool writes them, and the two calls that change them. It refuses to decide whose
// an account is.
//
// It leans on the API of Cognito by AWS's SDK, and on the limits of a pool in
// internal/quotas.
package linked
