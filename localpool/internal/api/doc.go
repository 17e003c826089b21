// Package api is the face of the local pool for programs: the JSON API that AWS
// SDKs speak, as far as a user pool with users of its own needs it.
//
// It owns operations, their members and the words in which Cognito refuses them.
// It refuses to check signatures, as there is no account that would have keys, and
// to answer web pages of other places, which could call it without one.
package api
