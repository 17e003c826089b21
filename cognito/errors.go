package cognito

import (
	"errors"
	"fmt"
	"time"
)

// These are the kinds of faults. Every error of [Client.Exchange], [Client.Refresh] and
// [Client.Revoke] is exactly one of these, for [errors.Is].
var (
	// ErrInvalid: the pool refused what was sent. Sending it again will not help.
	ErrInvalid = errors.New("refused by the pool")
	// ErrUnavailable: the pool did not answer, or not with anything of use. It
	// says nothing about what was sent. See [UnavailableError].
	ErrUnavailable = errors.New("pool unavailable")
	// ErrMisconfigured: the app client is wrong, not the person. An operator
	// must fix the settings. Sessions stay valid.
	ErrMisconfigured = errors.New("app client misconfigured")
)

// Error codes that a caller may want to tell apart, for [errors.Is]: those of
// OAuth 2.0 (RFC 6749, section 5.2) and of revocation (RFC 7009, section 2.2.1).
var (
	ErrInvalidRequest       = &Error{Code: "invalid_request"}
	ErrInvalidClient        = &Error{Code: "invalid_client"}
	ErrInvalidGrant         = &Error{Code: "invalid_grant"}
	ErrInvalidScope         = &Error{Code: "invalid_scope"}
	ErrUnauthorizedClient   = &Error{Code: "unauthorized_client"}
	ErrUnsupportedGrantType = &Error{Code: "unsupported_grant_type"}
	ErrUnsupportedTokenType = &Error{Code: "unsupported_token_type"}
)

// Error is a refusal in OAuth's own words.
type Error struct {
	Code        string // such as invalid_grant; bounded plain text
	Description string // bounded plain text of the pool's; may be empty
	Status      int    // of the HTTP response
}

func (e *Error) Error() string {
	if e.Description == "" {
		return fmt.Sprintf("pool answered %s (status %d)", e.Code, e.Status)
	}
	return fmt.Sprintf("pool answered %s: %s (status %d)", e.Code, e.Description, e.Status)
}

// Is reports whether target is the kind of the fault, or an Error of the same code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrMisconfigured:
		return e.misconfigured()
	case ErrInvalid:
		return !e.misconfigured()
	}
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// misconfigured: Cognito answers unauthorized_client also for a redirect_uri
// other than the one of the authorization request, with the description
// invalid_redirect (AWS, developer guide, "The token issuer endpoint").
func (e *Error) misconfigured() bool {
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "unsupported_grant_type"
}

// UnavailableError is an [ErrUnavailable] that tells when to try again.
type UnavailableError struct {
	RetryAfter time.Duration // at most an hour; 0: the pool did not say
	text       string        // fit for a log: bounded, and without what was sent
	cause      error
}

func (e *UnavailableError) Error() string { return e.text }

// Unwrap gives [ErrUnavailable] and the cause, such as [context.DeadlineExceeded].
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

func unusable(format string, args ...any) *UnavailableError {
	err := fmt.Errorf(format, args...)
	return &UnavailableError{text: err.Error(), cause: err}
}
