// Package verify verifies the tokens of a user pool.
//
// It owns Cognito's rules for ID and access tokens, their strict parsing, and the pool's
// public keys. It refuses everything that Cognito does not make: other algorithms, other
// forms of JWS, repeated names. It never returns claims of a token that did not pass every
// check.
//
// [Verifier] is for the tokens of a pool. [ALB] is for the header of an AWS load balancer
// that signs people in with the pool.
//
// A refusal is [ErrInvalid] and one of the sentinels below it, so that a log can name the
// check. If the keys are not available, the error is [ErrUnavailable]. It says nothing
// about the token.
//
// The rules come from the AWS developer guide, "Verifying JSON web tokens", from OpenID
// Connect Core, section 3.1.3.7, and from RFC 8725. The package needs only the standard
// library. The tests compare it with a JOSE library.
package verify
