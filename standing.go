package codegrant

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/prove"
)

// StillSignedIn reports whether a session (see [Identity.SessionID]) is still signed in.
// Use it if the person let another party act in this session, such as an agent with its own
// tokens, before that party continues. It returns the person with the current row and
// groups, as far as the replica has them.
//
// The error is ErrInvalid if the session has ended or must be renewed first because the
// person has changed, or if the person was signed out everywhere, disabled or deleted. It
// is ErrUnavailable if Codegrant cannot find out. This is always so if browsers carry the
// sessions.
func (a *Auth) StillSignedIn(ctx context.Context, id *Identity, sessionID string) (*Identity, error) {
	if id == nil || sessionID == "" {
		return nil, fmt.Errorf("%w: no session is named", ErrInvalid)
	}
	lives, err := a.gate.sessions.Lives(ctx, id.Subject, sessionID)
	switch {
	case errors.Is(err, keep.ErrNoList):
		return nil, unavailable("look for the session", errors.New("browsers store the sessions here; set Sessions, so that this service can see when they end"))
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
	prover := a.proverOf(id.Issuer)
	if prover == nil || id.Subject == "" {
		return nil, fmt.Errorf("%w: the pool does not have its person", ErrInvalid)
	}
	if err := prover.Counts(ctx, id.Subject, id.AuthTime, prove.Strictly); err != nil {
		return nil, err
	}
	return a.gate.current(ctx, id)
}
