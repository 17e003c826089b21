package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
)

// Authenticator is a way to prove who makes a request. Auth refuses an unsafe request that
// another origin caused, whatever the proof: browsers add cookies and passwords by
// themselves (see [Config.TrustedOrigins]).
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

func (b bearerAuthenticator) Authenticate(r *http.Request) (*Identity, error) {
	token, ok, err := bearerToken(r)
	if !ok || err != nil {
		return nil, err
	}
	return b.identity(r.Context(), token)
}

// bearerToken is that of the Authorization header. It reports false where there is none.
func bearerToken(r *http.Request) (token string, ok bool, err error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", false, fmt.Errorf("%w: several Authorization headers", ErrInvalid)
	}
	return strings.TrimLeft(token, " "), true, nil
}

// Bearer returns the identity of an access token of the pool, by the rules of
// [Auth.Require] for the Authorization header. Use it for protocols other than HTTP, such
// as the metadata of a gRPC call or the first message on a socket. token does not include
// the word Bearer. An empty token is refused like any other invalid one.
//
// Bearer refuses a token of an actor for a person, unless [Config.BearerActors] names the
// actor. It also refuses a machine's token. If machines call your service too, use
// [Auth.BearerOrMachine].
//
// An error that is ErrUnavailable says nothing about the token. Any other is an ErrInvalid.
// The identity is valid until its Expires. If you keep it for longer than one call, as a
// stream does, end then.
func (a *Auth) Bearer(ctx context.Context, token string) (*Identity, error) {
	id, err := a.bearer.identity(ctx, token)
	switch {
	case err != nil:
	case id.Machine:
		id, err = nil, ErrMachineToken
	case !a.gate.mayAct(id):
		id, err = nil, delegated(id)
	}
	if err == nil {
		id, err = a.gate.current(ctx, id)
	}
	if err != nil && !isUnavailable(err) {
		a.gate.audit(ctx, slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
	}
	return id, err
}

func (b bearerAuthenticator) identity(ctx context.Context, raw string) (*Identity, error) {
	if b.old != nil && b.old.has(prove.ClaimedIssuer(raw)) {
		return b.old.bearer.identity(ctx, raw)
	}
	who, isID, err := b.prover.Bearer(ctx, raw)
	if err != nil {
		return nil, err
	}
	proof := &token{Access: cognito.Secret(raw)}
	if isID {
		proof = &token{ID: cognito.Secret(raw)}
	}
	id := b.identityOf(&who, "", proof)
	return &id, nil
}

// Challenge follows RFC 6750, section 3: no error code where no token was sent.
func (b bearerAuthenticator) Challenge(err error) string {
	if err == nil {
		return `Bearer realm="codegrant"`
	}
	if errors.Is(err, fault.Revoked) { // the one thing that was checked of all that revokes a token
		return `Bearer realm="codegrant", error="invalid_token", error_description="the token was revoked; sign in again"`
	}
	return `Bearer realm="codegrant", error="invalid_token", error_description="the token is expired or not for this service"`
}
