package codegrant

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/prove"
)

// StillSignedIn says whether somebody is still signed in by a session (see
// [Identity.SessionID]) in which they let another party act, such as an agent that has been
// given tokens of its own: for whoever gave these, before they go on. It returns the person
// with the row and the groups of now, as far as the replica has these.
//
// An error is [ErrInvalid] where the session has ended, or is to be renewed first because
// something about the person has changed, or where the person was signed out everywhere,
// disabled or deleted. It is [ErrUnavailable] where that cannot be found out, which is
// always so where the browser carries sessions.
func (a *Auth) StillSignedIn(ctx context.Context, id *Identity, sessionID string) (*Identity, error) {
	if id == nil || sessionID == "" {
		return nil, fmt.Errorf("%w: no session is named", ErrInvalid)
	}
	lives, err := a.gate.sessions.Lives(ctx, id.Subject, sessionID)
	switch {
	case errors.Is(err, keep.ErrNoList):
		return nil, unavailable("look for the session", errors.New("browsers carry sessions here: set Sessions, so that their end can be seen"))
	case err != nil:
		return nil, verdict(err)
	}
	now, err := a.current(ctx, id)
	switch {
	case err != nil:
		return nil, verdict(err)
	case !lives:
		return nil, fault.SessionEnded
	}
	return now, nil
}

// current brings somebody who was known by a proof of before, or of another issuer, in line
// with what is known now.
func (a *Auth) current(ctx context.Context, id *Identity) (*Identity, error) {
	if id.Issuer != a.gate.endpoints.Issuer || id.Subject == "" {
		return nil, fmt.Errorf("%w: it is of nobody in the pool", ErrInvalid)
	}
	if err := a.bearer.prover.Counts(ctx, id.Subject, id.AuthTime, prove.Strictly); err != nil {
		return nil, err
	}
	return a.gate.current(ctx, id)
}
