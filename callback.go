package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// signInTimeout bounds the work behind one callback, whatever becomes of the
// browser's connection: a code that was sent is spent.
const signInTimeout = 20 * time.Second

// callback finishes a sign-in.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		a.methodNotAllowed(w, r, "GET")
		return
	}
	answer, err := cognito.ParseCallback(r.URL.Query())
	if err != nil {
		a.refuseSignIn(w, r, "", fmt.Errorf("%w: %w", ErrCallbackQuery, err))
		return
	}
	if a.begunElsewhere(r, answer) {
		a.begin(w, r, a.returnTo(answer.State))
		return
	}
	if answer.Code != "" {
		// Before the attempt is taken: who is turned away can try again.
		leave, err := a.enterSignIn(r.Context())
		if err != nil {
			a.refuseSignIn(w, r, "", err)
			return
		}
		defer leave()
	}
	at, err := a.takeAttempt(w, r, answer.State)
	if err != nil {
		if errors.Is(err, ErrStateUnknown) || errors.Is(err, ErrStateUsed) || errors.Is(err, ErrStateExpired) {
			// A reload, the back button or a doubled click of a sign-in that
			// succeeded: the person is where they wanted to be.
			if held, _ := a.sessions.Look(r); held != nil {
				a.audit(r.Context(), slog.LevelInfo, "callback repeated by a signed-in browser", slog.String("reason", err.Error()))
				a.arrive(w, r, at.returnTo)
				return
			}
		}
		a.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	if answer.Issuer != "" && answer.Issuer != a.endpoints.Issuer {
		a.refuseSignIn(w, r, at.returnTo, ErrIssuerMismatch) // RFC 9207, section 2.4
		return
	}
	if answer.Err != nil {
		a.refuseSignIn(w, r, at.returnTo, fmt.Errorf("%w: %w", ErrDenied, answer.Err))
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), signInTimeout)
	defer cancel()
	tokens, err := a.client.Exchange(ctx, cognito.Exchange{
		Code: answer.Code, CodeVerifier: at.codeVerifier(), RedirectURI: a.callbackURL(),
	})
	if err != nil {
		if !isUnavailable(err) {
			err = fmt.Errorf("%w: %w", ErrCodeRefused, err)
		}
		a.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	held, err := a.sessions.Begin(ctx, w, r, keep.Grant{Tokens: tokens, Nonce: at.nonce(), Began: at.created, Ours: true})
	if err != nil {
		a.refuseSignIn(w, r, at.returnTo, err)
		return
	}
	a.audit(ctx, slog.LevelInfo, "signed in", slog.String("sub", held.Subject),
		slog.String("session", held.Key.Short()), slog.Any("groups", held.Groups))
	a.grantSignedCookies(w, r, held.Subject)
	a.countSignIn(w, r)
	a.finishAttempt(w, answer.State, at)
	a.arrive(w, r, at.returnTo)
}

// arrive sends the browser to where a sign-in ends. Browsers keep a strict cookie
// from a whole chain of redirects that began at another site, the pool's, so that
// a page of ours has to begin a new one.
func (a *Auth) arrive(w http.ResponseWriter, r *http.Request, returnTo string) {
	target := a.returnTo(returnTo)
	if !a.SameSiteStrict {
		returnto.Redirect(w, target, http.StatusSeeOther)
		return
	}
	w.Header().Set("Refresh", "0; url="+target)
	pages.Render(w, r, http.StatusOK, pages.SignedIn{Next: target})
}

const (
	// maxSignIns is how many codes may be on their way to the pool. Anybody can
	// invent some, and the client serves twice as many requests: the rest is for
	// those who are signed in.
	maxSignIns     = 32
	signInPatience = 2 * time.Second
)

var errManySignIns = errors.New("as many sign-ins as may be are under way")

// enterSignIn waits a moment for room among the sign-ins under way.
func (a *Auth) enterSignIn(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	select {
	case a.signIns <- struct{}{}:
		return func() { <-a.signIns }, nil
	case <-ctx.Done():
		return nil, unavailable("finish the sign-in", errManySignIns)
	}
}

// refuseSignIn ends a sign-in without a session: a reason for the log, a page
// that helps for the person, joined by a correlation id.
func (a *Auth) refuseSignIn(w http.ResponseWriter, r *http.Request, returnTo string, err error) {
	id := correlation()
	level, event := slog.LevelWarn, "sign-in refused"
	if isUnavailable(err) && !errors.Is(err, ErrTooManySignIns) {
		level, event = slog.LevelError, "sign-in failed"
	}
	a.audit(r.Context(), level, event, slog.String("reason", err.Error()), slog.String("correlation", id))
	a.signInFailed(w, r, returnTo, err, id)
}
