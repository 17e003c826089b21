package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// Machine allows services that call with a token of their own (the grant
// client_credentials) which has all of the scopes: the identity is then an app client,
// and nobody. No other permission lets one in: where a route is for people as well, it is
// within [Any], and beside other permissions, within [All], these have to hold for the
// machine too, which no group does. It panics without a scope, or on an empty one.
//
//	auth.Require(codegrant.Any(codegrant.InGroup("staff"), codegrant.Machine("orders/read")))
//
// The app client has to be Pool.ClientID or among [Config.BearerClientIDs].
func Machine(scopes ...string) Permission {
	if len(scopes) == 0 || slices.Contains(scopes, "") {
		panic("codegrant: Machine needs at least one scope, and no empty one")
	}
	scopes = slices.Clone(scopes)
	return permission{name: "machine with scope " + strings.Join(scopes, " and "), check: func(_ context.Context, id *Identity, _ *http.Request) (bool, error) {
		if id == nil || !id.Machine {
			return false, nil
		}
		for _, scope := range scopes {
			if !id.HasScope(scope) {
				return false, nil
			}
		}
		return true, nil
	}, machines: true}
}

// admitsMachines reports whether a permission lets machines in.
func admitsMachines(p Permission) bool {
	own, _ := p.(permission)
	return own.machines
}

// errMachine is why a machine may not pass where nobody said that any may.
func errMachine(id *Identity) error {
	return fmt.Errorf("%w: it is the app client %s, and machines may not pass here", ErrForbidden, bounded(id.ClientID))
}

// machineOnly is a machine without what is a person's, whoever made it.
func machineOnly(id *Identity) *Identity {
	if id.UserID == 0 && len(id.Groups) == 0 && id.Username == "" && id.Email == "" && id.Name == "" && id.Actor == nil {
		return id
	}
	own := *id
	own.UserID, own.Groups, own.Username, own.Email, own.EmailVerified, own.Name, own.Actor = 0, nil, "", "", false, "", nil
	return &own
}

// BearerOrMachine is [Auth.Bearer] for services that machines call as well: the identity
// may be one. Ask [Auth.Authorize] what it may do: it lets machines through where a
// permission does, such as [Machine].
func (a *Auth) BearerOrMachine(ctx context.Context, token string) (*Identity, error) {
	id, err := a.bearer.identity(ctx, token)
	if err == nil {
		id, err = a.gate.current(ctx, id)
	}
	if err != nil && !isUnavailable(err) {
		a.gate.audit(ctx, slog.LevelWarn, "proof refused", slog.String("reason", err.Error()))
	}
	return id, err
}
