package codegrant

import (
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// [Auth.Recheck] and [Auth.Bearer] return one of these errors if nobody is signed in. An
// [Authenticator] and [Config.Admit] may return them. Never mistake one for another. The
// log names the reason why a sign-in or a request was refused.
var (
	// ErrInvalid: the request's proof is not valid, or no longer valid. The person can sign in
	// again, unless the application has disabled them.
	ErrInvalid = fault.Invalid
	// ErrForbidden: the person is signed in, but lacks the permission. [Auth.Recheck] also
	// returns it if another site made the browser send the request.
	ErrForbidden = fault.Forbidden
	// ErrUnavailable: Codegrant could not find out, because a dependency does not respond. Try
	// again.
	ErrUnavailable = fault.Unavailable
)

// Two kinds of [ErrInvalid] that a program may handle differently.
var (
	// ErrSessionEnded: the session has ended, and the request has no refused proof.
	// [Auth.Recheck] returns it, and the function that [Config.OnWork] returned gets it.
	ErrSessionEnded = fault.SessionEnded
	// ErrMachineToken: the token is valid, but belongs to an app client and not to a person.
	// [Auth.Bearer] and [Auth.Recheck] return it.
	ErrMachineToken = fault.MachineToken
)

// TooManySignIns returns an error for [Config.Admit]: it refuses a person who may sign in
// again after that time. The answer is 429.
func TooManySignIns(after time.Duration) error {
	return fault.RetryAfter(fault.TooManySignIns, after)
}

// Names of package fault that read well here.
var (
	isUnavailable = fault.IsUnavailable
	unavailable   = fault.Away
	retryAfter    = fault.Seconds
)

// verdict makes an error one of the three that callers know.
func verdict(err error) error {
	switch {
	case err == nil:
		return nil
	case isUnavailable(err):
		if errors.Is(err, ErrInvalid) || errors.Is(err, ErrForbidden) || !errors.Is(err, ErrUnavailable) {
			err = fault.NoVerdict("find out who is asking", err)
		}
		return err
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrForbidden):
		return err
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

const defaultUserMaxAge = 30 * time.Second // where others write to the replica's tables as well
