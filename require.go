package codegrant

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/session"
)

// Identify tells the handler who makes the request, and refuses nobody: see [From]. It
// treats an invalid proof as no proof. If a store does not answer, the answer is 503.
func (a *Auth) Identify(next http.Handler) http.Handler {
	next = a.gate.files.withSignedCookies(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, ok := a.gate.identify(w, r)
		if !ok {
			return
		}
		next.ServeHTTP(w, r.WithContext(req))
	})
}

// Require lets a request through if a person is signed in and has all of the permissions.
// The package comment says what other requests get. Without a permission, being signed in
// is enough.
//
// You can nest it: an inner Require uses the identity of the outer one.
func (a *Auth) Require(permissions ...Permission) func(http.Handler) http.Handler {
	need := allOf(permissions)
	return func(next http.Handler) http.Handler {
		next = a.gate.files.withSignedCookies(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := fromContext(r.Context())
			if req == nil || req.gate != a.gate {
				var ok bool
				if req, ok = a.gate.identify(w, r); !ok {
					return
				}
				r = r.WithContext(req)
			}
			id := cmp.Or(req.identity, req.acted)
			switch {
			case id == nil:
				a.gate.unauthorized(w, r, req.failure)
				return
			case id != req.identity && id.Machine && !admitsMachines(need):
				a.gate.audit(r.Context(), slog.LevelWarn, "proof refused", slog.String("reason", errMachine(id).Error()))
				a.gate.unauthorized(w, r, req.failure)
				return
			case id != req.identity:
				r = r.WithContext(req.as(id))
			}
			if err := a.gate.authorize(r.Context(), id, r, need); err != nil {
				a.gate.refuse(w, r, id, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Refuse answers a request that passed [Auth.Require] and must still be refused. The answer
// is the one of Require: 503 if err is ErrUnavailable, 403 otherwise, with a page for
// people and a problem (RFC 9457) for programs. The log has the reason.
func (a *Auth) Refuse(w http.ResponseWriter, r *http.Request, id *Identity, err error) {
	a.gate.refuse(w, r, id, err)
}

func allOf(permissions []Permission) Permission {
	if len(permissions) == 0 {
		return SignedIn()
	}
	return All(permissions...)
}

// Recheck checks a long request again: a WebSocket, a stream of events, a download. It
// returns nil while the request may continue. Otherwise the error is ErrInvalid (the proof
// has ended), ErrForbidden (the person lost a permission, or does not act any more for the
// organization that the request passed Require or Identify for) or ErrUnavailable.
// ErrUnavailable says nothing about the request: ask again later.
//
// Recheck never counts as use of a session, so an open page keeps no session alive. If a
// store has the session, Recheck renews expired tokens there, and the request may continue
// until the session ends. If the browser carries the session, Recheck cannot give it new
// tokens. The request then ends with its own tokens, unless another request of the browser
// to this process has renewed them.
func (a *Auth) Recheck(r *http.Request, permissions ...Permission) error {
	return verdict(a.recheck(r, permissions))
}

func (a *Auth) recheck(r *http.Request, permissions []Permission) error {
	id, _, err := a.asksStill(r)
	if err == nil {
		err = elsewhere(a.letThrough(r.Context()), id)
	}
	if err == nil {
		err = a.gate.authorize(r.Context(), id, r, allOf(permissions))
	}
	return err
}

// letThrough is who a request was let through for; nil: nobody, or not here.
func (a *Auth) letThrough(ctx context.Context) *Identity {
	if req := fromContext(ctx); req != nil && req.gate == a.gate {
		return req.identity
	}
	return nil
}

// asksStill says who it is that a request which lasts was let through for, and until when
// that holds unless something is renewed.
func (a *Auth) asksStill(r *http.Request) (id *Identity, until time.Time, err error) {
	if id = givenBy(r.Context()); id != nil {
		return a.gate.measured(id), id.Expires, nil
	}
	held, err := a.sessions.Recheck(r)
	switch {
	case err != nil:
		return nil, until, err
	case held != nil:
		own := a.gate.identityOf(&held.Person, held.Key.Short(), held)
		if err := a.gate.crossOrigin(r); err != nil {
			return nil, until, err
		}
		id, err := a.gate.placed(r.Context(), &own)
		return id, earlier(own.Expires, held.Record.Expires), err
	}
	id, _, err = a.gate.offered(r)
	switch {
	case err != nil:
		return nil, until, err
	case id == nil:
		return nil, until, ErrSessionEnded
	}
	return id, id.Expires, nil
}

// identify finds out who is asking. It has answered the request itself when it reports
// false.
func (g *gate) identify(w http.ResponseWriter, r *http.Request) (*request, bool) {
	h := w.Header()
	if _, set := h["Cache-Control"]; !set {
		h["Cache-Control"] = noStore // what follows depends on who asks
	}
	if set, ok := h["Vary"]; ok {
		h["Vary"] = []string{strings.Join(append(set[:len(set):len(set)], varies...), ", ")} // one line: some caches read no other
	} else {
		h["Vary"] = varies // also where a handler allows caching
	}
	req := &request{Context: r.Context(), gate: g, w: w, given: givenBy(r.Context())}
	if req.given != nil {
		g.take(req, g.measured(req.given), g.chain[0])
		return req, true
	}

	held, err := g.sessions.Find(w, r)
	switch {
	case isUnavailable(err):
		g.unavailable(w, r, err)
		return nil, false
	case errors.Is(err, session.ErrTooManyCookies):
		g.tooManyCookies(w, r, err)
		return nil, false
	case errors.Is(err, fault.AmbiguousCookie):
		g.audit(r.Context(), slog.LevelWarn, "request refused", slog.String("reason", err.Error()))
		req.failure = err
	case held != nil:
		req.own = g.identityOf(&held.Person, held.Key.Short(), held)
		req.own.ends = held.Record.Expires
		req.identity, req.sessionEnd = &req.own, held.Record.Expires
		if err := g.crossOrigin(r); err != nil {
			g.forbidden(w, r, req.identity, err)
			return nil, false
		}
		if req.identity, err = g.placed(r.Context(), req.identity); err != nil {
			g.unavailable(w, r, err)
			return nil, false
		}
		return req, true
	}

	id, by, err := g.offered(r)
	switch {
	case isUnavailable(err):
		g.unavailable(w, r, err)
		return nil, false
	case errors.Is(err, fault.CrossOrigin):
		g.forbidden(w, r, id, err)
		return nil, false
	case err != nil:
		g.audit(r.Context(), slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
		req.failure = &proofError{by, err}
	default:
		g.take(req, id, by)
	}
	return req, true
}

// take has the request be of whom a proof names, as far as they may pass everywhere.
func (g *gate) take(req *request, id *Identity, by Authenticator) {
	switch {
	case id != nil && id.Machine:
		req.acted, req.failure = id, &proofError{by, ErrMachineToken}
	case id != nil && !g.mayAct(id):
		req.acted = id
	default:
		req.identity = id
	}
}

// offered asks the authenticators in turn. by is the one that was offered something.
func (g *gate) offered(r *http.Request) (id *Identity, by Authenticator, err error) {
	for _, authenticator := range g.chain {
		id, err := authenticator.Authenticate(r)
		if err == nil && id != nil {
			id, err = g.current(r.Context(), id)
		}
		switch {
		case err != nil:
			return nil, authenticator, err
		case id == nil:
			continue
		}
		// No page can make a browser send a token that it does not have. Any other
		// proof may be one that browsers add by themselves.
		if _, explicit := authenticator.(bearerAuthenticator); !explicit {
			err = g.crossOrigin(r)
		}
		return id, authenticator, err
	}
	return nil, nil, nil
}

// current brings an identity that was proven without a session in line with the replica.
func (g *gate) current(ctx context.Context, id *Identity) (*Identity, error) {
	if id.Machine {
		return g.measured(machineOnly(id)), nil // the replica knows people
	}
	row, groups, err := g.accounts(id.Issuer).Current(ctx, id.Issuer, id.Subject, id.UserID, id.Groups)
	if err != nil {
		return nil, err
	}
	return g.placed(ctx, g.measured(id.with(row, groups)))
}
