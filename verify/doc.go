// Package verify says what a user pool's tokens are worth.
//
// It owns Cognito's rules for ID and access tokens, the strict reading of them,
// and the pool's public keys. It refuses everything that Cognito does not make:
// other algorithms, other forms of JWS, names twice; and it never returns claims
// of a token that did not pass every check.
//
// [Verifier] is for the tokens of a pool. [ALB] is for what an AWS load balancer
// says about a person whom it has signed in with the pool.
//
// A refusal is [ErrInvalid] and one of the sentinels below it, so that a log can
// name the check. When the keys cannot be had, the answer is [ErrUnavailable]
// instead: it says nothing about the token.
//
// The rules are those of AWS, developer guide, "Verifying JSON web tokens", of
// OpenID Connect Core, section 3.1.3.7, and of RFC 8725. The standard library has
// all that they need; a JOSE library is what the tests hold this package against.
package verify
