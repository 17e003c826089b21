package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// Machine allows services with their own token (the grant client_credentials) that has all
// of the scopes. The identity is then an app client, and not a person. No other permission
// allows a machine. If a route is also for people, use it within [Any]. Within [All], the
// machine needs the other permissions too, and a machine is in no group. It panics without
// a scope, or on an empty one.
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

// BearerOrMachine is [Auth.Bearer] for services that machines call too. The identity may be
// a machine. Call [Auth.Authorize] to find out what it may do. A machine passes only if a
// permission allows it, such as [Machine].
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
