package fault

import (
	"errors"
	"fmt"
)

// The two answers.
var (
	Invalid     = errors.New("not authenticated")
	Unavailable = errors.New("temporarily unavailable")
)

// Why a sign-in or a proof was refused. Each is Invalid, and is what the log names.
var (
	CallbackQuery   = refusal("the callback's query is malformed")
	StateMissing    = refusal("the callback has no state")
	StateUnknown    = refusal("this browser did not start the sign-in that the callback names")
	StateExpired    = refusal("the sign-in was started too long ago")
	StateUsed       = refusal("the callback was used before")
	IssuerMismatch  = refusal("the callback names another issuer")
	Denied          = refusal("the pool refused the sign-in")
	CodeRefused     = refusal("the pool refused the authorization code")
	TokenRefused    = refusal("a token of the pool did not verify")
	SubjectMismatch = refusal("the tokens are not of the same person")
	MachineToken    = refusal("the token is of an app client, not of a person")
	Delegated       = refusal("the token is for somebody else to act with, whom nobody has allowed here")
	SessionEnded    = refusal("the session has ended")
	AmbiguousCookie = refusal("the request carries the sessions of two people")
	SignInLoop      = refusal("several sign-ins in a row left no session; does the browser keep the cookie, and the store what it is given?")
	UserDisabled    = refusal("the user is disabled")
	UserGone        = fmt.Errorf("%w: the application has deleted the user", SessionEnded)
	// AccountConflict: the application's accounts leave open which one is the person's.
	// The cause, for the log, says what an operator can do.
	AccountConflict = refusal("which account is the person's is not clear")
	// AccountTooLarge: the replica can hold some of the person only. The cause, for the log,
	// says what is too much.
	AccountTooLarge = refusal("the replica cannot hold the person whole")
	NotAdmitted     = refusal("the application does not admit the person")
	// TooManySessions: nobody can sign in who has as many sessions as they may.
	TooManySessions = refusal("the person has as many sessions as they may have")
	// Revoked: the pool gave it for a sign-in from before the person was marked.
	Revoked = refusal("the person was signed out everywhere, disabled or deleted after that sign-in")
)

var (
	// TooManySignIns is answered with 429.
	TooManySignIns = errors.New("too many sign-ins of one person")
	// Forbidden: signed in, without the permission.
	Forbidden = errors.New("not allowed")
	// CrossOrigin is Forbidden: another site made the browser send the request.
	CrossOrigin error = &kind{"request made by another site", Forbidden}
	// Untellable: an upstream cannot be told all groups of the person, or their whole name.
	Untellable = errors.New("the account is too large to be passed on")
	// Panic stands for what a panic cut off.
	Panic = errors.New("internal fault")
)

// kind is a fault of a kind that its text does not name.
type kind struct {
	text string
	of   error
}

func (k *kind) Error() string { return k.text }
func (k *kind) Unwrap() error { return k.of }

func refusal(why string) error { return fmt.Errorf("%w: %s", Invalid, why) }
