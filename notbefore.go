package codegrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/cupboard/notbefore"
)

// NotBefore invalidates what the pool gave a person for a sign-in before at, or in the same
// second: access tokens that have not expired, the results of later refreshes, and sessions
// that browsers carry. Call it when the application disables, deletes or signs out a person
// everywhere. End sessions in a store with DeleteBySubject of session.Store. This process
// knows at once, and every process that shares [Config.Cupboard] within a second. An
// [ErrUnavailable] says that the others do not know yet.
//
// NotBefore compares the pool's clock with ours. If they differ, a sign-in right after at
// may be refused, or one right before it accepted.
func (a *Auth) NotBefore(ctx context.Context, subject string, at time.Time) error {
	err := a.gate.mark(ctx, subject, at, "the application")
	if errors.Is(err, notbefore.ErrUnavailable) {
		err = unavailable("refuse a person's tokens", err)
	}
	if err != nil {
		return fmt.Errorf("not before: %w", err)
	}
	return nil
}

// mark leaves a mark. A sub is of one pool: of the old one or of this.
func (g *gate) mark(ctx context.Context, subject string, at time.Time, by string) error {
	err := g.Marks.Leave(ctx, g.endpoints.Issuer, subject, at, by)
	if g.old != nil {
		err = errors.Join(err, g.Marks.Leave(ctx, g.old.bearer.endpoints.Issuer, subject, at, by))
	}
	return err
}

// marks are those of the configuration, or else made on its cupboard.
func (s *settings) marks() *notbefore.Marks {
	if s.Marks == nil {
		s.ownMarks = true
		s.Marks = notbefore.New(notbefore.Config{
			Store: s.Cupboard, Keep: max(31*24*time.Hour, s.AbsoluteTimeout), Now: s.Now, Logger: s.Logger,
		})
	}
	if !s.Marks.Shared() {
		s.Logger.Info("tokens of people who are signed out everywhere, disabled or deleted are refused by this process alone, and until it ends; set Cupboard (database, or redis) so that every process refuses them")
	}
	return s.Marks
}
