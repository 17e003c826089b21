package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// Authenticator is a way to prove who is making a request. An unsafe request that
// another origin caused is refused whomever it proves: browsers add cookies and
// passwords by themselves (see Config.TrustedOrigins).
type Authenticator interface {
	// Authenticate answers one of three things:
	//
	//	nil, nil       not attempted: the request offers no proof of this kind, the next one is asked
	//	identity, nil  this is who it is
	//	nil, err       failed: a proof was offered and refused. An error that is
	//	               ErrUnavailable is answered with 503, any other with 401
	Authenticate(r *http.Request) (*Identity, error)

	// Challenge is the WWW-Authenticate value (RFC 9110, section 11.6.1) that
	// asks for this kind of proof, or empty. err is the failure, nil where
	// nothing was attempted.
	Challenge(err error) string
}

// Identify makes who is asking known to the handler, and refuses nobody: see
// [From]. A proof that fails is treated as none, but a store that does not
// answer is a 503.
func (a *Auth) Identify(next http.Handler) http.Handler {
	next = a.withSignedCookies(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, ok := a.identify(w, r)
		if !ok {
			return
		}
		next.ServeHTTP(w, r.WithContext(req))
	})
}

// Require lets a request through when somebody is signed in and has every one of
// the permissions; see the package comment for what others meet. With no
// permission, being signed in is enough.
//
// It may be nested: an inner Require re-uses the outer one's identity.
func (a *Auth) Require(permissions ...Permission) func(http.Handler) http.Handler {
	if len(permissions) == 0 {
		permissions = []Permission{SignedIn()}
	}
	need := All(permissions...)
	return func(next http.Handler) http.Handler {
		next = a.withSignedCookies(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := fromContext(r.Context())
			if req == nil || req.auth != a {
				var ok bool
				if req, ok = a.identify(w, r); !ok {
					return
				}
				r = r.WithContext(req)
			}
			if req.identity == nil {
				a.unauthorized(w, r, req.failure)
				return
			}
			allowed, err := need.Check(r.Context(), req.identity, r)
			switch {
			case err != nil:
				a.unavailable(w, r, unavailable("check the permission", err))
			case !allowed:
				a.forbidden(w, r, req.identity, fmt.Errorf("%w: needs %s", ErrForbidden, need))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// identify asks the authenticators in turn. It has answered the request itself
// when it reports false.
func (a *Auth) identify(w http.ResponseWriter, r *http.Request) (*request, bool) {
	h := w.Header()
	if _, set := h["Cache-Control"]; !set {
		h["Cache-Control"] = noStore // what follows depends on who asks
	}
	if set, ok := h["Vary"]; ok {
		h["Vary"] = []string{strings.Join(append(set[:len(set):len(set)], varies...), ", ")} // one line: some caches read no other
	} else {
		h["Vary"] = varies // also where a handler allows caching
	}
	req := &request{Context: r.Context(), auth: a, w: w}

	held, err := a.sessions.Find(w, r)
	switch {
	case isUnavailable(err):
		a.unavailable(w, r, err)
		return nil, false
	case errors.Is(err, session.ErrTooManyCookies):
		a.tooManyCookies(w, r, err)
		return nil, false
	case errors.Is(err, ErrAmbiguousCookie):
		a.audit(r.Context(), slog.LevelWarn, "request refused", slog.String("reason", err.Error()))
		req.failure = err
	case held != nil:
		req.own = identityOf(&held.Person, held.Key.Short(), held)
		req.identity, req.sessionEnd = &req.own, held.Record.Expires
		if err := a.crossOrigin(r); err != nil {
			a.forbidden(w, r, req.identity, err)
			return nil, false
		}
		return req, true
	}

	for _, authenticator := range a.chain {
		id, err := authenticator.Authenticate(r)
		if err == nil && id != nil {
			id, err = a.current(r.Context(), id)
		}
		if isUnavailable(err) {
			a.unavailable(w, r, err)
			return nil, false
		}
		if err != nil {
			a.audit(r.Context(), slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
			req.failure = &proofError{authenticator, err}
			return req, true
		}
		if id != nil {
			// No page can make a browser send a token that it does not have. Any
			// other proof may be one that browsers add by themselves.
			if _, explicit := authenticator.(bearerAuthenticator); !explicit {
				if err := a.crossOrigin(r); err != nil {
					a.forbidden(w, r, id, err)
					return nil, false
				}
			}
			req.identity = id
			return req, true
		}
	}
	return req, true
}

// current brings an identity that was proven without a session in line with the replica.
func (a *Auth) current(ctx context.Context, id *Identity) (*Identity, error) {
	row, groups, err := a.people.Accounts.Current(ctx, id.Issuer, id.Subject, id.UserID, id.Groups)
	if err != nil {
		return nil, err
	}
	return id.with(row, groups), nil
}

// crossOrigin refuses an unsafe request that another site made the browser send
// with a session cookie or another proof that it adds by itself. A WebSocket
// handshake is a GET, and opens a channel that is not for reading alone.
func (a *Auth) crossOrigin(r *http.Request) error {
	if a.InsecureNoCrossOriginProtection {
		return nil
	}
	if opensWebSocket(r) {
		r = r.WithContext(r.Context())
		r.Method = http.MethodPost
	}
	if err := a.checkOrigin(r); err != nil {
		return fmt.Errorf("%w: %w", ErrCrossOrigin, err)
	}
	return nil
}

// bearerAuthenticator takes a token from the Authorization header (RFC 6750).
type bearerAuthenticator struct{ auth *Auth }

func (b bearerAuthenticator) Authenticate(r *http.Request) (*Identity, error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return nil, nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, nil
	}
	if len(values) > 1 {
		return nil, fmt.Errorf("%w: several Authorization headers", ErrInvalid)
	}
	return b.auth.bearer(r.Context(), strings.TrimLeft(token, " "))
}

// Bearer says whom an access token of the pool stands for, by the rules that
// [Auth.Require] has for the Authorization header: for what is not HTTP, such as
// the metadata of a gRPC call or the first message on a socket. token is without
// the word Bearer; an empty one is refused like any other that is none.
//
// An error that is [ErrUnavailable] says nothing about the token. Any other is an
// [ErrInvalid]. The identity is good until its Expires: who keeps it for longer
// than one call, as a stream does, has to end with it.
func (a *Auth) Bearer(ctx context.Context, token string) (*Identity, error) {
	id, err := a.bearer(ctx, token)
	if err != nil && !isUnavailable(err) {
		a.audit(ctx, slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
	}
	return id, err
}

func (a *Auth) bearer(ctx context.Context, raw string) (*Identity, error) {
	who, isID, err := a.prover.Bearer(ctx, raw)
	if err != nil {
		return nil, err
	}
	proof := &token{Access: cognito.Secret(raw)}
	if isID {
		proof = &token{ID: cognito.Secret(raw)}
	}
	id := identityOf(&who, "", proof)
	return &id, nil
}

// Challenge follows RFC 6750, section 3: no error code where no token was sent.
func (b bearerAuthenticator) Challenge(err error) string {
	if err == nil {
		return `Bearer realm="codegrant"`
	}
	return `Bearer realm="codegrant", error="invalid_token", error_description="the token is expired, revoked or not for this service"`
}
