package serve

import (
	"context"
	"errors"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// samePerson finds who somebody was in the pool that they come from; nil: they come from
// nowhere.
func samePerson(m *settings.Moved, users replica.Store) func(context.Context, *verify.Claims) (issuer, subject string, err error) {
	if m == nil || users == nil {
		return nil
	}
	return m.Tickets.SamePerson(m.Issuer, func(ctx context.Context, issuer, username string) (string, error) {
		u, err := users.UserByUsername(ctx, issuer, username)
		if errors.Is(err, replica.ErrNotFound) {
			return "", nil
		}
		return u.Subject, err
	})
}
