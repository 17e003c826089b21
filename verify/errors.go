package verify

import "errors"

var (
	// ErrInvalid is in the chain of every refusal of a token.
	ErrInvalid = errors.New("token refused")
	// ErrUnavailable: the keys are not available. It says nothing about the token.
	ErrUnavailable = errors.New("keys unavailable")
)

// refusal is the sentinel of one check.
type refusal string

func (r refusal) Error() string { return string(r) }

// Is makes every refusal an ErrInvalid.
func (r refusal) Is(target error) bool { return target == ErrInvalid }

// One sentinel for each check, in the order in which the checks are made. No
// message quotes the token.
var (
	ErrTooLarge        error = refusal("token is too large")
	ErrMalformed       error = refusal("token is not a compact JWS of one JSON object")
	ErrHeader          error = refusal("token has a header that its issuer does not make")
	ErrAlgorithm       error = refusal("token is signed with another algorithm")
	ErrSigner          error = refusal("token is signed by another load balancer")
	ErrClaim           error = refusal("token has a claim of the wrong type")
	ErrTokenUse        error = refusal("token is for another use")
	ErrIssuer          error = refusal("token is of another issuer")
	ErrAudience        error = refusal("token is for another audience")
	ErrSubject         error = refusal("token names no subject")
	ErrActor           error = refusal("token is for somebody else to act with in the person's place")
	ErrIssuedAt        error = refusal("token was issued in the future, or at no stated time")
	ErrNotYetValid     error = refusal("token is not valid yet")
	ErrExpired         error = refusal("token has expired, or never does")
	ErrLifetime        error = refusal("token is valid for longer than Cognito allows")
	ErrUnknownKey      error = refusal("token is signed with a key that its issuer does not have")
	ErrSignature       error = refusal("token has a bad signature")
	ErrNonce           error = refusal("token has another nonce")
	ErrAccessTokenHash error = refusal("token was issued beside another access token")
)
