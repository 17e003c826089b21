package verify

import "errors"

var (
	// ErrInvalid is in the chain of every refusal of a token.
	ErrInvalid = errors.New("token refused")
	// ErrUnavailable: the keys that would decide cannot be had.
	ErrUnavailable = errors.New("keys of the pool unavailable")
)

// refusal is the sentinel of one check.
type refusal string

func (r refusal) Error() string { return string(r) }

// Is makes every refusal an ErrInvalid.
func (r refusal) Is(target error) bool { return target == ErrInvalid }

// One sentinel for each check, in the order in which the checks are made.
var (
	ErrTooLarge        error = refusal("token is too large")
	ErrMalformed       error = refusal("token is not a compact JWS of one JSON object")
	ErrHeader          error = refusal("token has a header that Cognito does not make")
	ErrAlgorithm       error = refusal("token is not signed with RS256")
	ErrTokenUse        error = refusal("token is for another use")
	ErrIssuer          error = refusal("token is of another issuer")
	ErrAudience        error = refusal("token is for another audience")
	ErrSubject         error = refusal("token names no subject")
	ErrClaim           error = refusal("token has a claim of the wrong type")
	ErrExpired         error = refusal("token has expired")
	ErrNotYetValid     error = refusal("token is not valid yet")
	ErrIssuedAt        error = refusal("token was issued in the future, or at no time")
	ErrLifetime        error = refusal("token is valid for longer than Cognito allows")
	ErrUnknownKey      error = refusal("token is signed with a key that the pool does not have")
	ErrSignature       error = refusal("token has a bad signature")
	ErrNonce           error = refusal("token has another nonce")
	ErrAccessTokenHash error = refusal("token was issued beside another access token")
)
