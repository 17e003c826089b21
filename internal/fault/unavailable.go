package fault

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

// Away marks a fault of a dependency.
func Away(what string, err error) error { return &away{what: what, cause: err} }

// RetryAfter says when it makes sense to try again.
func RetryAfter(err error, after time.Duration) error { return &away{cause: err, after: after} }

type away struct {
	what  string
	cause error
	after time.Duration
}

func (e *away) Error() string {
	if e.what == "" {
		return e.cause.Error()
	}
	return e.what + ": " + e.cause.Error()
}

func (e *away) Unwrap() []error { return []error{Unavailable, e.cause} }

// NoVerdict makes a fault one that says nothing about the person, whatever it was.
func NoVerdict(what string, err error) error {
	if errors.Is(err, Invalid) || errors.Is(err, Forbidden) || !IsUnavailable(err) {
		err = errors.New(err.Error()) // no longer either
	}
	return Away(what, err)
}

// OfToken sorts a fault of a token that did not verify.
func OfToken(what string, err error) error {
	if IsUnavailable(err) {
		return Away(what, err)
	}
	return fmt.Errorf("%w: %s: %w", TokenRefused, what, err)
}

// OfReplica is a refusal where a person has to decide, and otherwise a fault that says
// nothing about anybody.
func OfReplica(what string, err error) error {
	switch {
	case errors.Is(err, replica.ErrUnavailable):
	case errors.Is(err, replica.ErrConflict):
		return fmt.Errorf("%w: %w", AccountConflict, err)
	case errors.Is(err, replica.ErrInvalid): // as it will be the next time
		return fmt.Errorf("%w: %w", AccountTooLarge, err)
	}
	return Away(what, err)
}

// maxAskedWait bounds how long the pool is left alone because it asked for that:
// people wait for it, too.
const maxAskedWait = time.Minute

// AskedWait is how long the pool asked to be left alone, 0 where it did not.
func AskedWait(err error) time.Duration {
	var u *cognito.UnavailableError
	if errors.As(err, &u) {
		return min(u.RetryAfter, maxAskedWait)
	}
	return 0
}

// Seconds is how long a client should wait, in whole seconds.
func Seconds(err error) int {
	after := AskedWait(err)
	for u := (*away)(nil); errors.As(err, &u); err = u.cause {
		after = max(after, u.after)
	}
	if after <= 0 {
		return 2
	}
	return int((after + time.Second - 1) / time.Second)
}

// IsUnavailable holds the one list of faults that say nothing about the person.
func IsUnavailable(err error) bool {
	for _, target := range []error{
		Unavailable, cognito.ErrUnavailable, cognito.ErrMisconfigured, verify.ErrUnavailable,
		session.ErrUnavailable, replica.ErrUnavailable, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Ours reports whether tokens that the pool has just made did not verify for a reason
// on this side: keys that are out of reach or out of date, or the clock.
func Ours(err error) bool {
	for _, target := range []error{verify.ErrUnknownKey, verify.ErrIssuedAt, verify.ErrNotYetValid, verify.ErrExpired} {
		if errors.Is(err, target) {
			return true
		}
	}
	return IsUnavailable(err)
}
