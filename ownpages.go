package codegrant

import (
	"context"
	"fmt"
	"net/http"

	"github.com/codegrant/codegrant/internal/fault"
)

// CheckOrigin refuses an unsafe request that a page of another origin made the browser
// send, as [Auth.Require] does for people with cookies. It also does so with
// [Config.InsecureNoCrossOriginProtection]: call it from handlers that need the protection.
// The error is an ErrForbidden.
func (a *Auth) CheckOrigin(r *http.Request) error {
	if err := a.gate.checkOrigin(r); err != nil {
		return fmt.Errorf("%w: %w: %w", ErrForbidden, fault.CrossOrigin, err)
	}
	return nil
}

// Renew refreshes each session of a person at its next use, with the pool's current data.
// Call it after a change of their attributes or groups at the pool. Sessions that browsers
// carry are refreshed only when their tokens expire.
func (a *Auth) Renew(ctx context.Context, subject string) error {
	if err := a.sessions.Stale(ctx, subject); err != nil {
		return unavailable("renew the person's sessions", err)
	}
	return nil
}
