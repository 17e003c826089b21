package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// handler answers an operator.
type handler func(w http.ResponseWriter, r *http.Request, id *codegrant.Identity)

// require lets operators through. Every path of the console but those of its style and
// script is behind it.
func (c *Console) require(next handler) http.Handler {
	return c.Auth.Require(c.operator)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		next(w, r, id)
	}))
}

// bySession allows people with a session alone: a token that a program holds is no reason
// to let it act for an operator.
var bySession = codegrant.PermissionFunc("a session of their own", func(_ context.Context, id *codegrant.Identity, _ *http.Request) (bool, error) {
	return id != nil && id.Method == codegrant.MethodSession && id.Actor == nil, nil
})

// still asks the replica, which hears of what is taken away before a token does. Where it
// does not answer, pages can be read, because they may say why; strictly, nothing is done.
func (c *Console) still(strictly bool) codegrant.Permission {
	return codegrant.PermissionFunc("still an operator, as the replica says", func(ctx context.Context, id *codegrant.Identity, _ *http.Request) (bool, error) {
		if c.Replica == nil {
			return true, nil
		}
		u, err := c.Replica.UserBySubject(ctx, id.Issuer, id.Subject)
		switch {
		case errors.Is(err, replica.ErrNotFound):
			return false, nil
		case err != nil && strictly:
			return false, err
		case err != nil:
			return true, nil
		case !u.Enabled || !u.Deleted.IsZero():
			return false, nil
		}
		for _, g := range c.Groups {
			if u.InGroup(g) {
				return true, nil
			}
		}
		return false, nil
	})
}
