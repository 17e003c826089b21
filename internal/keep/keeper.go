package keep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// Held is one sign-in as it is now: who, until when, and in which version. Requests
// share it: read it, do not write it.
type Held struct {
	prove.Person // who, as the newest tokens say; Expires is past where they say nothing any more

	// Record says how old the sign-in is, when it was seen and when it ends, in which
	// version it is and who renews it. Its other fields are a store's.
	Record session.Record

	Key       Key  // names the sign-in, before and after every renewal
	Refreshes bool // there is a refresh token that the pool has not refused

	handle  session.Handle // opens the row of a store; zero elsewhere
	set     *prove.Set     // the tokens; nil while they are sealed in Record
	claims  *verify.Claims // of the ID token, where it was verified just now
	origin  string         // origin_jti, where nothing better binds the tokens together
	loose   bool           // nothing binds the refresh token to the others
	from    cognito.Secret // the refresh token that a renewal took the place of
	ask     asked          // whom to ask about the person at first sight
	handOut bool           // the browser does not have this version
	why     error          // why the tokens say nothing any more
	tried   time.Time      // an end of the lease of which it is not known whether it was written
}

// Key names a sign-in. It is never a secret, and comes from what was opened or
// verified alone: nobody can end a sign-in, or crowd one out, by inventing names. It
// is empty where a request brings tokens of which nobody knows whose they are.
type Key string

// Short is for logs: part of a name, of no use to take anything over.
func (k Key) Short() string { return string(k[:min(len(k), 12)]) }

// asked is who has not been told of a person yet.
type asked int

const (
	askNobody  asked = iota // who begins a sign-in asks all of them
	askReplica              // each process tells the replica, once for each ID token
	askAll                  // it may have begun elsewhere: the application is asked, too
)

// Tokens opens the tokens, for the few who need one.
func (h *Held) Tokens() (prove.Set, error) {
	if h.set != nil {
		return *h.set, nil
	}
	return openSet(h.handle, h.Record)
}

// refreshToken is that of the sign-in, or empty.
func (h *Held) refreshToken() cognito.Secret {
	set, err := h.Tokens()
	if err != nil {
		return ""
	}
	return set.Refresh
}

// flight names the one renewal that may be under way: where a refresh token may have
// been planted beside the other tokens, one for each of them.
func (h *Held) flight() string {
	if !h.loose {
		return string(h.Key)
	}
	sum := digest(h.set.Refresh)
	return string(h.Key) + string(sum[:])
}

// The errors of keepers. None says anything about the pool, or a store that is away.
var (
	// ErrEnded: a sign-in was claimed, and it is over. The browser is to forget it.
	ErrEnded = fmt.Errorf("%w", fault.SessionEnded)
	// ErrSpent: what was presented is over, and the browser may hold something newer,
	// of another sign-in or another process: its cookies stay.
	ErrSpent = fmt.Errorf("%w: these tokens of it are spent", fault.SessionEnded)
	// ErrChanged: the row is no longer in this version. Read it again.
	ErrChanged = errors.New("the sign-in changed meanwhile")
	// ErrTooLarge: browsers would not keep it.
	ErrTooLarge = errors.New("a token is too large for a cookie")
)

// Keeper is one way to keep sign-ins between requests. Each sign-in has a row with a
// version, a lease and a stale mark: in the store, or in the browser and, for those
// that this process has renewed or ended, here. Errors are those above, an ambiguous
// request, [session.ErrTooManyCookies], or faults that say nothing about anybody.
type Keeper interface {
	// Find returns the sign-in that a request proves, as it is now, renewed or not. It
	// writes nothing and asks for no tokens. nil, nil: none is claimed.
	Find(r *http.Request) (*Held, error)

	// All returns every sign-in that a request carries, to be ended, also one that
	// cannot be read. Junk does not count towards the bound; more than the bound is an
	// error, beside those within it.
	All(r *http.Request) ([]*Held, error)

	// Create makes the row of a new sign-in.
	Create(ctx context.Context, h *Held) (*Held, error)

	// Now reads the row again.
	Now(ctx context.Context, h *Held) (*Held, error)

	// Swap writes the row if its version is still h's, and raises that. ErrEnded: the
	// row is gone, or was ended, and never comes back.
	Swap(ctx context.Context, h *Held) (*Held, error)

	// Refused says that what h holds cannot be renewed, and why. It returns what was
	// renewed elsewhere meanwhile; ErrEnded where the sign-in is over with that, and
	// ErrSpent where these tokens are alone.
	Refused(ctx context.Context, h *Held, why error) (*Held, error)

	// End ends the row so that no Swap succeeds after it, and returns its last state,
	// whose refresh token is the one to revoke: nil where there was none, or it cannot
	// be read. It is ended all the same. Ending twice is not an error.
	End(ctx context.Context, h *Held) (*Held, error)

	// Hand gives the browser what it needs to present h: all of it, or an error.
	Hand(w http.ResponseWriter, h *Held) error

	// Forget takes everything back.
	Forget(w http.ResponseWriter)

	// Owns reports whether cookies of this name are of this way.
	Owns(cookie string) bool

	// First reports whether nobody has called it with this secret before, until the
	// time given.
	First(ctx context.Context, secret [32]byte, until time.Time) bool

	// Carried reports whether the browser holds the state: a renewal is then waited
	// for and handed out with the answer, and never made without one.
	Carried() bool

	// Cannot lists the promises that this way cannot keep.
	Cannot() []Exception
}

// Exception is a promise of docs/security.md that a way to keep sign-ins cannot keep.
type Exception struct{ Promise, Why string }

// Pool is the pool as far as keeping needs it.
type Pool interface {
	Refresh(ctx context.Context, token cognito.Secret) (cognito.TokenSet, error)
	Revoke(ctx context.Context, token cognito.Secret) error
}

// Lifetimes say when a sign-in ends.
type Lifetimes struct{ Idle, Absolute time.Duration }

// end is the sooner of the idle and the absolute end.
func (l Lifetimes) end(created, seen time.Time) time.Time {
	idle, absolute := seen.Add(l.Idle), created.Add(l.Absolute)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// maxPresented bounds the work that one request can cause by repeating a cookie.
const maxPresented = 16
