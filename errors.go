package codegrant

import (
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// What [Auth.Recheck] and [Auth.Bearer] answer where there is nobody, and what an
// [Authenticator] and [Config.Admit] may answer: three that must never be mistaken for
// one another. Why a sign-in or a request was refused is for the log, which names it.
var (
	// ErrInvalid: the proof that was offered is no proof, or no longer one. Signing in
	// helps, unless the application has disabled the person.
	ErrInvalid = fault.Invalid
	// ErrForbidden: signed in, without the permission. [Auth.Recheck] has it also where
	// another site made the browser send the request.
	ErrForbidden = fault.Forbidden
	// ErrUnavailable: it could not be found out, because something that the
	// answer depends on does not respond. Trying again helps.
	ErrUnavailable = fault.Unavailable
)

// Two kinds of [ErrInvalid] that a program may meet otherwise than the rest.
var (
	// ErrSessionEnded: there is no session any more, and nobody offered anything that
	// was refused. [Auth.Recheck] has it, and what [Config.OnWork] returned is told it.
	ErrSessionEnded = fault.SessionEnded
	// ErrMachineToken: a good token, of an app client and not of a person. [Auth.Bearer]
	// and [Auth.Recheck] have it.
	ErrMachineToken = fault.MachineToken
)

// TooManySignIns returns what [Config.Admit] refuses a person with who may sign in
// again after that time. It is answered with 429.
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
