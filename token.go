package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/prove"
)

// TokenRules are which tokens are for a protected resource (RFC 9728).
type TokenRules struct {
	// Resource is the URL that a token has to be bound to (aud, RFC 8707). Such tokens
	// are for nothing else, unless Config.BearerResources names it too. Empty: the rules
	// are those of [Auth.Require].
	Resource string
	// InsecureNoAudience accepts tokens that are bound to nothing, too: who holds one for
	// another service of the pool's can then use it here.
	InsecureNoAudience bool
	// AnyClient accepts tokens of every app client of the pool that are bound to Resource:
	// where clients register at the pool, nobody knows their ids beforehand.
	AnyClient bool
	// Issued says whom a token of another issuer than the pool stands for: of an
	// authorization server in front of it, which has verified the token for the resource.
	// Issuer and Subject are the pool's, AuthTime is when the person signed in there. nil
	// and no error: it is no token of that issuer, and is verified as the pool's. Defaults
	// to none.
	Issued func(ctx context.Context, token string) (*Identity, error)
}

// Token says whom the access token in the Authorization header stands for, and whether
// they have the permissions. No other proof counts, such as a cookie that a browser adds
// by itself: it is for guards that refuse in words of their own, and for them to ask again
// about a request that lasts.
//
// An error is [ErrInvalid], also where there is no token, [ErrForbidden], with who it is,
// or [ErrUnavailable].
func (a *Auth) Token(r *http.Request, rules TokenRules, permissions ...Permission) (*Identity, error) {
	id, err := a.tokenOf(r, rules)
	switch {
	case err != nil && !isUnavailable(err) && len(r.Header["Authorization"]) > 0:
		a.gate.audit(r.Context(), slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
		return nil, err
	case err != nil:
		return nil, err
	}
	if err := a.gate.authorize(r.Context(), id, r, allOf(permissions)); err != nil {
		if isUnavailable(err) {
			return nil, err
		}
		return id, err
	}
	return id, nil
}

func (a *Auth) tokenOf(r *http.Request, rules TokenRules) (*Identity, error) {
	raw, ok, err := bearerToken(r)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%w: no bearer token", ErrInvalid)
	}
	if rules.Issued != nil {
		id, err := rules.Issued(r.Context(), raw)
		if err != nil {
			return nil, verdict(err)
		}
		if id != nil {
			own := *id
			own.Method, own.sessionID, own.proof = MethodBearer, "", nil
			return a.current(r.Context(), &own)
		}
	}
	who, err := a.bearer.prover.Token(r.Context(), raw, prove.Resource{URL: rules.Resource, Unbound: rules.InsecureNoAudience, AnyClient: rules.AnyClient})
	if err != nil {
		return nil, err
	}
	if who.Machine {
		return nil, ErrMachineToken
	}
	id := a.gate.identityOf(&who, "", &token{Access: cognito.Secret(raw)})
	return a.gate.current(r.Context(), &id)
}

// Identified returns the request as [Auth.Require] hands it on, for who was found by
// [Auth.Token]: handlers find them by [From], and another Require asks for its permissions
// alone.
func (a *Auth) Identified(w http.ResponseWriter, r *http.Request, id *Identity) *http.Request {
	return r.WithContext(&request{Context: r.Context(), gate: a.gate, w: w, identity: id})
}
