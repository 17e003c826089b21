// Package machine owns tokens of services: it fetches those of an app client's own, by the
// grant client_credentials or GetClientToken, and sends them with calls. It refuses to
// speak for people, which package exchange does: no token of it is anybody's, and none goes
// to a host that is not named.
//
// [New] makes no network call, and returns every mistake of the configuration at once. An error
// of a [Source] is [cognito.ErrUnavailable] if the pool did not answer: try again. Otherwise it is
// [cognito.ErrInvalid] or [cognito.ErrMisconfigured]: the app client must be fixed. One call
// fetches the token for all who wait. The example sends a token with requests to one server.
package machine
