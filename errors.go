package codegrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// The two answers that must never be mistaken for one another.
var (
	// ErrInvalid: the proof that was offered is no proof. Signing in helps.
	ErrInvalid = errors.New("not authenticated")
	// ErrUnavailable: it could not be found out, because something that the
	// answer depends on does not respond. Trying again helps.
	ErrUnavailable = errors.New("temporarily unavailable")
)

// Why a sign-in was refused. Each is an [ErrInvalid], and is what the log names.
var (
	ErrCallbackQuery   = fmt.Errorf("%w: the callback's query is malformed", ErrInvalid)
	ErrStateMissing    = fmt.Errorf("%w: the callback has no state", ErrInvalid)
	ErrStateUnknown    = fmt.Errorf("%w: this browser did not start the sign-in that the callback names", ErrInvalid)
	ErrStateExpired    = fmt.Errorf("%w: the sign-in was started too long ago", ErrInvalid)
	ErrStateUsed       = fmt.Errorf("%w: the callback was used before", ErrInvalid)
	ErrIssuerMismatch  = fmt.Errorf("%w: the callback names another issuer", ErrInvalid)
	ErrDenied          = fmt.Errorf("%w: the pool refused the sign-in", ErrInvalid)
	ErrCodeRefused     = fmt.Errorf("%w: the pool refused the authorization code", ErrInvalid)
	ErrTokenRefused    = fmt.Errorf("%w: a token of the pool did not verify", ErrInvalid)
	ErrSubjectMismatch = fmt.Errorf("%w: the tokens are not of the same person", ErrInvalid)
	ErrMachineToken    = fmt.Errorf("%w: the token is of an app client, not of a person", ErrInvalid)
	ErrSessionEnded    = fmt.Errorf("%w: the session has ended", ErrInvalid)
	ErrAmbiguousCookie = fmt.Errorf("%w: the request carries the sessions of two people", ErrInvalid)
	ErrSignInLoop      = fmt.Errorf("%w: several sign-ins in a row left no session; does the browser keep the cookie, and the store what it is given?", ErrInvalid)
	ErrUserDisabled    = fmt.Errorf("%w: the user is disabled", ErrInvalid)
	ErrNotAdmitted     = fmt.Errorf("%w: the application does not admit the person", ErrInvalid)
)

// ErrTooManySignIns: a person signs in more often than [Config.Admit] lets them. It
// is answered with 429.
var ErrTooManySignIns = errors.New("too many sign-ins of one person")

// TooManySignIns returns what [Config.Admit] refuses a person with who may sign in
// again after that time.
func TooManySignIns(after time.Duration) error {
	return withRetryAfter(ErrTooManySignIns, after)
}

// Faults of requests by people who are signed in.
var (
	// ErrForbidden: signed in, without the permission.
	ErrForbidden = errors.New("not allowed")
	// ErrCrossOrigin: another site made the browser send this request.
	ErrCrossOrigin = errors.New("request made by another site")
)

// unavailable marks a fault of a dependency; after says when to try again.
func unavailable(what string, err error) error {
	return &unavailableError{what: what, cause: err}
}

type unavailableError struct {
	what  string
	cause error
	after time.Duration
}

func (e *unavailableError) Error() string {
	if e.what == "" {
		return e.cause.Error()
	}
	return e.what + ": " + e.cause.Error()
}
func (e *unavailableError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

// withRetryAfter says when it makes sense to try again.
func withRetryAfter(err error, after time.Duration) error {
	return &unavailableError{cause: err, after: after}
}

// maxAskedWait bounds how long the pool is left alone because it asked for that:
// people wait for it, too.
const maxAskedWait = time.Minute

// askedWait is how long the pool asked to be left alone, 0 where it did not.
func askedWait(err error) time.Duration {
	var u *cognito.UnavailableError
	if errors.As(err, &u) {
		return min(u.RetryAfter, maxAskedWait)
	}
	return 0
}

// retryAfter is how long a client should wait, in whole seconds.
func retryAfter(err error) int {
	after := askedWait(err)
	var u *unavailableError
	if errors.As(err, &u) {
		after = max(after, u.after)
	}
	if after <= 0 {
		return 2
	}
	return int((after + time.Second - 1) / time.Second)
}

// isUnavailable holds the one list of faults that say nothing about the person.
func isUnavailable(err error) bool {
	for _, target := range []error{
		ErrUnavailable, cognito.ErrUnavailable, cognito.ErrMisconfigured, verify.ErrUnavailable,
		session.ErrUnavailable, replica.ErrUnavailable, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
