package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/internal/returnto"
)

// signInTimeout bounds the work behind one callback, whatever becomes of the
// browser's connection: a code that was sent is spent.
const signInTimeout = 20 * time.Second

// callback finishes a sign-in.
func (in *signIn) callback(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		in.methodNotAllowed(w, r, "GET")
		return
	}
	if r.URL.RawQuery == "" {
		// Managed login sends people back here, too, who have added a passkey.
		if held, _ := in.sessions.Look(r); held != nil {
			in.arrive(w, r, "")
			return
		}
	}
	answer, err := cognito.ParseCallback(r.URL.Query())
	if err != nil {
		in.refuseSignIn(w, r, "", fmt.Errorf("%w: %w", fault.CallbackQuery, err))
		return
	}
	if in.begunElsewhere(r, answer) {
		in.begin(w, r, in.returnTo(answer.State))
		return
	}
	if answer.Code != "" {
		// Before the attempt is taken: who is turned away can try again.
		leave, err := in.enterSignIn(r.Context())
		if err != nil {
			in.refuseSignIn(w, r, "", err)
			return
		}
		defer leave()
	}
	at, err := in.takeAttempt(w, r, answer.State)
	if err != nil {
		if errors.Is(err, fault.StateUnknown) || errors.Is(err, fault.StateUsed) || errors.Is(err, fault.StateExpired) {
			// A reload, the back button or a doubled click of a sign-in that
			// succeeded: the person is where they wanted to be.
			if held, _ := in.sessions.Look(r); held != nil {
				in.audit(r.Context(), slog.LevelInfo, "callback repeated by a signed-in browser", slog.String("reason", err.Error()))
				if at.proving != "" || in.met(w, r, at, held) {
					in.arrive(w, r, at.returnTo)
				}
				return
			}
		}
		in.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	if answer.Issuer != "" && answer.Issuer != in.endpoints.Issuer {
		in.refuseSignIn(w, r, at.returnTo, fault.IssuerMismatch) // RFC 9207, section 2.4
		return
	}
	if answer.Err != nil {
		if in.notProven(w, r, at, answer.Err) || in.deniedStepUp(w, r, at, answer.Err) {
			return
		}
		in.refuseSignIn(w, r, at.returnTo, fmt.Errorf("%w: %w", fault.Denied, answer.Err))
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), signInTimeout)
	defer cancel()
	tokens, err := in.client.Exchange(ctx, cognito.Exchange{
		Code: answer.Code, CodeVerifier: at.codeVerifier(), RedirectURI: in.callbackURL(),
	})
	if err != nil {
		if !isUnavailable(err) {
			err = fmt.Errorf("%w: %w", fault.CodeRefused, err)
		}
		in.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	if at.proving != "" {
		in.proven(ctx, w, r, at, answer.State, tokens)
		return
	}
	held, err := in.sessions.Begin(ctx, w, r, keep.Grant{
		Tokens: tokens, Nonce: at.nonce(), Began: at.created, Ours: true, Note: in.noteOf(r), Again: in.again,
		Enough: func(who prove.Person) bool {
			return at.demand.missing(in.standards, who.ACR, who.AuthTime).isNothing()
		},
	})
	if errors.Is(err, fault.Revoked) {
		// The pool's own session is from before the person was signed out everywhere.
		in.audit(ctx, slog.LevelInfo, "sign-in begun again: the pool did not ask who it is", slog.String("reason", err.Error()))
		in.countSignIn(w, r)
		in.beginWith(w, r, at.returnTo, "login")
		return
	}
	if err != nil {
		in.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	in.audit(ctx, slog.LevelInfo, "signed in", slog.String("sub", held.Subject),
		slog.String("session", held.Key.Short()), slog.Any("groups", held.Groups))
	in.files.grantSignedCookies(w, r, held.Subject)
	in.countSignIn(w, r)
	in.finishAttempt(w, answer.State, at)
	if in.met(w, r, at, held) {
		in.arrive(w, r, at.returnTo)
	}
}

// arrive sends the browser to where a sign-in ends. Browsers keep a strict cookie
// from a whole chain of redirects that began at another site, the pool's, so that
// a page of ours has to begin a new one.
func (in *signIn) arrive(w http.ResponseWriter, r *http.Request, returnTo string) {
	target := in.returnTo(returnTo)
	if !in.SameSiteStrict {
		returnto.Redirect(w, target, http.StatusSeeOther)
		return
	}
	w.Header().Set("Refresh", "0; url="+target)
	in.look.Render(w, r, http.StatusOK, pages.SignedIn{Next: target})
}

const (
	// maxSignIns is how many codes may be on their way to the pool. Anybody can
	// invent some, and the client serves twice as many requests: the rest is for
	// those who are signed in.
	maxSignIns     = 32
	signInPatience = 2 * time.Second
)

var errManySignIns = errors.New("too many sign-ins are in progress")

// enterSignIn waits a moment for room among the sign-ins under way.
func (in *signIn) enterSignIn(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	select {
	case in.room <- struct{}{}:
		return func() { <-in.room }, nil
	case <-ctx.Done():
		return nil, unavailable("finish the sign-in", errManySignIns)
	}
}

// refuseSignIn ends a sign-in without a session: a reason for the log, a page
// that helps for the person, joined by a correlation id.
func (in *signIn) refuseSignIn(w http.ResponseWriter, r *http.Request, returnTo string, err error) {
	id := correlation()
	level, event := slog.LevelWarn, "sign-in refused"
	if isUnavailable(err) && !errors.Is(err, fault.TooManySignIns) {
		level, event = slog.LevelError, "sign-in failed"
	}
	in.audit(r.Context(), level, event, slog.String("reason", err.Error()), slog.String("correlation", id))
	in.signInFailed(w, r, returnTo, err, id)
}
