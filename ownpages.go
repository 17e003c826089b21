package codegrant

import (
	"context"
	"fmt"
	"net/http"

	"github.com/codegrant/codegrant/internal/fault"
)

// CheckOrigin refuses an unsafe request that a page of another origin made the browser
// send, as [Auth.Require] does for people with cookies, and also where
// [Config].InsecureNoCrossOriginProtection leaves that to handlers: it is for those. The
// error is an [ErrForbidden].
func (a *Auth) CheckOrigin(r *http.Request) error {
	if err := a.gate.checkOrigin(r); err != nil {
		return fmt.Errorf("%w: %w: %w", ErrForbidden, fault.CrossOrigin, err)
	}
	return nil
}

// Renew has the sessions of a person renewed, with what the pool says then, as each is used
// next: after their attributes or groups were changed there. Sessions that browsers carry
// are renewed when their tokens end, as always.
func (a *Auth) Renew(ctx context.Context, subject string) error {
	if err := a.sessions.Stale(ctx, subject); err != nil {
		return unavailable("renew the person's sessions", err)
	}
	return nil
}
