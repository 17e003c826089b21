package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/prove"
)

// TokenRules say which tokens a protected resource accepts (RFC 9728).
type TokenRules struct {
	// Resource is the URL to which a token must be bound (aud, RFC 8707). Such tokens are
	// valid for nothing else, unless Config.BearerResources names the URL too. Empty: the
	// rules of [Auth.Require] apply.
	Resource string
	// InsecureNoAudience also accepts tokens that are not bound to a resource. A token for
	// another service of the pool then works here too.
	InsecureNoAudience bool
	// AnyClient accepts tokens of every app client of the pool that are bound to Resource. Use
	// it if clients register at the pool, because you do not know their ids.
	AnyClient bool
	// Issued returns the identity of a token of another issuer: an authorization server in
	// front of the pool, which has verified the token for the resource. Issuer and Subject are
	// the pool's, and AuthTime is when the person signed in there. Nil and no error mean that
	// the token is not from that issuer. It is then verified as a token of the pool. Defaults
	// to none.
	Issued func(ctx context.Context, token string) (*Identity, error)
}

// Token returns the identity of the access token in the Authorization header, and checks
// the permissions. It ignores every other proof, such as a cookie that a browser adds by
// itself. Use it for guards with their own answers, also to check a long request again.
//
// The error is ErrInvalid (also without a token), ErrForbidden (with the identity) or
// ErrUnavailable.
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
	bearer := a.bearer
	if bearer.old.has(prove.ClaimedIssuer(raw)) {
		bearer = bearer.old.bearer
	}
	who, err := bearer.prover.Token(r.Context(), raw, prove.Resource{URL: rules.Resource, Unbound: rules.InsecureNoAudience, AnyClient: rules.AnyClient})
	if err != nil {
		return nil, err
	}
	if who.Machine {
		return nil, ErrMachineToken
	}
	id := bearer.identityOf(&who, "", &token{Access: cognito.Secret(raw)})
	return a.gate.current(r.Context(), &id)
}

// Identified returns a request with an identity that [Auth.Token] found. Handlers get the
// identity from [From], and an inner [Auth.Require] only checks its permissions.
func (a *Auth) Identified(w http.ResponseWriter, r *http.Request, id *Identity) *http.Request {
	return r.WithContext(&request{Context: r.Context(), gate: a.gate, w: w, identity: id})
}
