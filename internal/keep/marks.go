package keep

import (
	"context"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
)

// counts refuses a sign-in from before its person was marked: signed out everywhere,
// disabled or deleted. Where a store has the rows, those that it knew of are gone, and a
// mark that cannot be read is no reason to refuse. Where browsers carry them, nothing
// else ends them.
func (s *Sessions) counts(ctx context.Context, h *Held) error {
	return s.countsSince(ctx, h, !s.keeper.Carried())
}

// countsSince is counts; kindly where something else than the mark ends what was before.
func (s *Sessions) countsSince(ctx context.Context, h *Held, kindly bool) error {
	err := s.prover.Counts(ctx, h.Subject, h.Began(), prove.Second(kindly))
	if kindly && fault.IsUnavailable(err) {
		return nil
	}
	return err
}

// marked ends a sign-in from before a mark, and has its refresh token revoked.
func (s *Sessions) marked(ctx context.Context, h *Held, why error) {
	ctx = context.WithoutCancel(ctx)
	s.revoke.beside(ctx, h.Subject, h.refreshToken())
	s.engine.end(ctx, h, why.Error())
}
