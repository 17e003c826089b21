package keep

import (
	"context"
	"errors"
	"log/slog"

	"github.com/codegrant/codegrant/internal/people"
)

// Identities returns every identity of the person of that subject, at this pool or the one
// before, and whether these are all.
func (s *Sessions) Identities(ctx context.Context, subject string) (all []people.Identity, whole bool) {
	issuers := []string{s.issuer}
	if s.before != nil {
		issuers = append(issuers, s.before.issuer)
	}
	return s.identities(ctx, subject, issuers...)
}

func (s *Sessions) identities(ctx context.Context, subject string, issuers ...string) (all []people.Identity, whole bool) {
	all, err := s.people.Identities(ctx, subject, issuers...)
	if err != nil && !errors.Is(err, people.ErrNoIdentities) {
		s.log.LogAttrs(ctx, slog.LevelWarn, "identities of the person not known", slog.String("sub", subject), slog.String("reason", err.Error()))
	}
	return all, err == nil
}

// part is what one identity of a person has: the sign-ins of a subject.
type part struct {
	*Sessions
	subject string
	rows    lister
}

// parts are those of identities whose sign-ins are here. It reports false where browsers
// carry them.
func (s *Sessions) parts(identities []people.Identity) (all []part, ok bool) {
	for _, of := range [...]*Sessions{s, s.before} {
		if of == nil {
			continue
		}
		rows, ok := of.keeper.(lister)
		if !ok {
			return nil, false
		}
		for _, i := range identities {
			if i.Issuer == of.issuer && i.Subject != "" {
				all = append(all, part{of, i.Subject, rows})
			}
		}
	}
	return all, true
}
