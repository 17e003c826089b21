// Package exchange hands on a token of its own for each service, in place of the token
// that a person came with (RFC 8693): one that names the service as its audience, with the
// scopes that the service needs, so that who gets it can use it nowhere else.
//
// It owns the question (audience, scopes, who acts), the answer for as long as it is good,
// once for however many requests ask, and the check that it is of the same person and
// keeps the chain of those who have acted for them. The token comes from the pool
// ([Pool]), or from an issuer of its own ([Issuer]) where the pool cannot.
//
// It refuses to hand on what the person came with, whatever fails: there is a token for
// the service, or there is none. It refuses to outlive the person's token and session, and
// to decide who may call the service: whoever guards the request does.
//
// It stands on package codegrant as an application would. [Tokens] is what a route of
// package gateway takes, and [Tokens.Transport] is for clients of net/http.
package exchange
