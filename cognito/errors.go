package cognito

import (
	"errors"
	"fmt"
	"time"
)

// What a fault means.
var (
	// ErrInvalid: the pool refused what was sent. Sending it again will not help.
	ErrInvalid = errors.New("refused by the pool")
	// ErrUnavailable: the pool did not answer, or not with anything of use. It
	// says nothing about what was sent.
	ErrUnavailable = errors.New("pool unavailable")
	// ErrMisconfigured: the pool refused the app client, not the person. An
	// operator has to mend the settings; nobody's session is worth less for it.
	ErrMisconfigured = errors.New("app client refused by the pool")
)

// Error codes of OAuth 2.0 (RFC 6749, sections 4.1.2.1 and 5.2; RFC 7009) that
// a caller may want to tell apart, for use with [errors.Is].
var (
	ErrInvalidRequest       = &Error{Code: "invalid_request"}
	ErrInvalidClient        = &Error{Code: "invalid_client"}
	ErrInvalidGrant         = &Error{Code: "invalid_grant"}
	ErrUnauthorizedClient   = &Error{Code: "unauthorized_client"}
	ErrUnsupportedGrantType = &Error{Code: "unsupported_grant_type"}
	ErrInvalidScope         = &Error{Code: "invalid_scope"}
)

// Error is a refusal in OAuth's own words.
type Error struct {
	Code        string // such as invalid_grant
	Description string // bounded, without control characters; may be empty
	Status      int    // of the HTTP response
}

func (e *Error) Error() string {
	if e.Description == "" {
		return fmt.Sprintf("pool answered %s (status %d)", e.Code, e.Status)
	}
	return fmt.Sprintf("pool answered %s: %s (status %d)", e.Code, e.Description, e.Status)
}

// Is reports whether the codes are the same, and whether target is the kind of
// the fault.
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
// other than the one of the authorization request.
func (e *Error) misconfigured() bool {
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "unsupported_grant_type"
}

// UnavailableError tells when it makes sense to try again.
type UnavailableError struct {
	RetryAfter time.Duration // 0: the pool did not say
	cause      error
}

func (e *UnavailableError) Error() string   { return e.cause.Error() }
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }
