package inspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/restore"
)

// withHalfMade returns the identities of a person who is to be erased, and with them each user
// of a pool whom a restore that was cut off has made as them, and has not linked.
func (l *links) withHalfMade(ctx context.Context, out *terminal.Streams, identities []replica.User) ([]replica.User, error) {
	all := identities
	for _, lost := range identities {
		if lost.Deleted.IsZero() {
			continue
		}
		pool, id, err := parts.PoolClient(ctx, lost.Issuer, l.regionOf(lost.Issuer), slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		sub, certain, err := restore.HalfMade(ctx, pool, id, lost)
		if err != nil {
			return nil, err
		}
		if sub == "" {
			continue
		}
		row, err := l.Users.UserBySubject(ctx, lost.Issuer, sub)
		switch {
		case err == nil && row.Person() == lost.Person():
			continue // it is one of the identities
		case err != nil && !errors.Is(err, replica.ErrNotFound):
			return nil, err
		case !certain || row.LinkedTo != 0:
			fmt.Fprintf(out.Stdout, "not deleted: a user with the same username (sub %s) who waits for a password in %s; if codegrant restore has created them, delete them there\n", sub, lost.Issuer)
			continue
		case err != nil: // no pass has seen them: the pool alone knows them
			// Their username can be their sub, by which a pool knows everybody.
			if err := parts.DeleteAtPool(ctx, lost.Issuer, l.regionOf(lost.Issuer), sub, sub, slog.New(slog.DiscardHandler)); err != nil {
				return nil, err
			}
			continue
		}
		if _, err := l.Users.Merge(ctx, row.ID, lost.Person(), parts.Operator()); err != nil {
			return nil, err
		}
		if all, err = l.Users.Identities(ctx, lost.Person()); err != nil {
			return nil, err
		}
	}
	return all, nil
}
