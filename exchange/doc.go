// Package exchange sends a separate token to each service instead of the person's own
// token (RFC 8693). The token names the service as its audience and has only the scopes
// that the service needs. The service cannot use it anywhere else.
//
// It owns the request for a token (audience, scopes, actor). It stores the token while it
// is valid, and asks once for any number of requests. It checks that the token belongs to
// the same person and keeps the chain of actors. The token comes from the pool ([Pool]).
// If the pool cannot issue it, it comes from an issuer of its own ([Issuer]).
//
// It refuses to pass on the person's own token, even after an error. It refuses to outlive
// the person's token and session. It refuses to decide who may call the service: the
// guard of the request does that.
//
// It stands on package codegrant as an application would. [Tokens] is what a route of
// package gateway takes, and [Tokens.Transport] is for clients of net/http.
//
// [New], [NewPool] and [NewIssuer] make no network call, and return every mistake of the
// configuration at once. [Tokens.Token] returns [codegrant.ErrForbidden] if the exchange was
// refused, and [codegrant.ErrUnavailable] if the pool does not answer or the person's own
// token is about to expire. A refusal is the answer for ten seconds, and an outage for one.
// Tokens of an [Issuer] live 5 minutes by default. The example sends one with a request.
package exchange
