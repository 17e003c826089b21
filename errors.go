package codegrant

import (
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// The two answers that must never be mistaken for one another.
var (
	// ErrInvalid: the proof that was offered is no proof. Signing in helps.
	ErrInvalid = fault.Invalid
	// ErrUnavailable: it could not be found out, because something that the
	// answer depends on does not respond. Trying again helps.
	ErrUnavailable = fault.Unavailable
)

// Why a sign-in was refused. Each is an [ErrInvalid], and is what the log names.
var (
	ErrCallbackQuery   = fault.CallbackQuery
	ErrStateMissing    = fault.StateMissing
	ErrStateUnknown    = fault.StateUnknown
	ErrStateExpired    = fault.StateExpired
	ErrStateUsed       = fault.StateUsed
	ErrIssuerMismatch  = fault.IssuerMismatch
	ErrDenied          = fault.Denied
	ErrCodeRefused     = fault.CodeRefused
	ErrTokenRefused    = fault.TokenRefused
	ErrSubjectMismatch = fault.SubjectMismatch
	ErrMachineToken    = fault.MachineToken
	ErrSessionEnded    = fault.SessionEnded
	ErrAmbiguousCookie = fault.AmbiguousCookie
	ErrSignInLoop      = fault.SignInLoop
	ErrUserDisabled    = fault.UserDisabled
	ErrNotAdmitted     = fault.NotAdmitted
)

// ErrTooManySignIns: a person signs in more often than [Config.Admit] lets them. It
// is answered with 429.
var ErrTooManySignIns = fault.TooManySignIns

// TooManySignIns returns what [Config.Admit] refuses a person with who may sign in
// again after that time.
func TooManySignIns(after time.Duration) error {
	return fault.RetryAfter(fault.TooManySignIns, after)
}

// Faults of requests by people who are signed in.
var (
	// ErrForbidden: signed in, without the permission.
	ErrForbidden = fault.Forbidden
	// ErrCrossOrigin: another site made the browser send this request.
	ErrCrossOrigin = fault.CrossOrigin
)

// Names of package fault that read well here.
var (
	isUnavailable = fault.IsUnavailable
	unavailable   = fault.Away
	retryAfter    = fault.Seconds
)

const defaultUserMaxAge = 30 * time.Second // where others write to the replica's tables as well
