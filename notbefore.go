package codegrant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/cupboard/notbefore"
	"github.com/codegrant/codegrant/internal/people"
)

// NotBefore invalidates what the pool gave a person for a sign-in before at, or in the same
// second: access tokens that have not expired, the results of later refreshes, and sessions
// that browsers carry. Call it when the application disables, deletes or signs out a person
// everywhere. End sessions in a store with DeleteBySubject of session.Store. This process
// knows at once, and every process that shares [Config.Cupboard] within a second. An
// [ErrUnavailable] says that the others do not know yet. Other identities of the person are
// not affected: [Auth.SignOutEverywhere] covers all.
//
// NotBefore compares the pool's clock with ours. If they differ, a sign-in right after at
// may be refused, or one right before it accepted.
func (a *Auth) NotBefore(ctx context.Context, subject string, at time.Time) error {
	err := a.gate.mark(ctx, a.gate.named(subject), at, "the application")
	if errors.Is(err, notbefore.ErrUnavailable) {
		err = unavailable("refuse a person's tokens", err)
	}
	if err != nil {
		return fmt.Errorf("not before: %w", err)
	}
	return nil
}

// named is whom a subject may name: a sub is of one pool, of the old one or of this.
func (g *gate) named(subject string) []people.Identity {
	all := []people.Identity{{Issuer: g.endpoints.Issuer, Subject: subject}}
	if g.old != nil {
		all = append(all, people.Identity{Issuer: g.old.bearer.endpoints.Issuer, Subject: subject})
	}
	return all
}

// mark leaves a mark for each identity.
func (g *gate) mark(ctx context.Context, identities []people.Identity, at time.Time, by string) (err error) {
	for _, i := range identities {
		err = errors.Join(err, g.Marks.Leave(ctx, i.Issuer, i.Subject, at, by))
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
		s.Logger.Info("only this process refuses tokens of people who are signed out everywhere, disabled or deleted, and only until it stops; configure a database or Redis (in Go: Cupboard) so that every process refuses them")
	}
	return s.Marks
}
