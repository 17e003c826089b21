package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/move/left"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/rule"
	"github.com/codegrant/codegrant/verify"
)

// listing is what is asked of the old pool.
type listing interface {
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
}

// oldPool is the pool that people come from; nil: it is not asked, since every one of them
// has a ticket.
func oldPool(ctx context.Context, m *settings.Moved, log *slog.Logger) (listing, error) {
	if m == nil || len(m.Tickets.Providers) == 0 {
		return nil, nil
	}
	client, err := awsapi.Way{Region: m.Region, Issuer: m.Issuer, Profile: m.Profile, Log: log}.Cognito(ctx)
	if err != nil {
		return nil, fmt.Errorf("moved_from: %w", err)
	}
	return client, nil
}

// samePerson finds who somebody was in the pool that they come from; nil: they come from
// nowhere. People of providers have no ticket. Those whom the replica does not know as a
// provider's are looked up at the old pool: the replica may be late, or know them by tokens
// alone, and anybody can sign up with the username of a provider's person. Whoever is
// disabled there, or deleted, does not come; whoever has come before is not asked about.
// Neither does whoever has left the new pool, which newIssuer names.
func samePerson(m *settings.Moved, newIssuer string, users replica.Store, old listing) func(context.Context, *verify.Claims) (issuer, subject string, err error) {
	if m == nil || users == nil {
		return nil
	}
	tickets := *m.Tickets
	if all, ok := users.(left.Store); ok {
		tickets.Left = left.New(all, m.Tickets, m.Issuer, newIssuer).Has
	}
	return func(ctx context.Context, claims *verify.Claims) (string, string, error) {
		return tickets.SamePerson(m.Issuer, func(ctx context.Context, issuer, username string) (string, error) {
			u, err := users.UserByUsername(ctx, issuer, username)
			off := err == nil && !u.Enabled
			switch {
			case err == nil && u.Status == statusExternal && !off:
				return u.Subject, nil
			case err == nil && u.Status == statusExternal: // refused below
			case err != nil && !errors.Is(err, replica.ErrNotFound):
				return "", err
			case old == nil:
				return "", nil
			}
			if own, err := users.UserBySubject(ctx, claims.Issuer, claims.Subject); err == nil && (own.LinkedTo != 0 || !own.FirstSignIn.IsZero()) {
				return "", nil // it is known who they are
			}
			if off && u.Status == statusExternal {
				return "", move.ErrDisabled
			}
			subject, err := tickets.Find(old)(ctx, username)
			switch {
			case errors.Is(err, move.ErrDisabled) || subject != "":
				return subject, err
			case err != nil:
				return "", fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err)
			}
			return "", notDeleted(ctx, users, issuer, username)
		})(ctx, claims)
	}
}

// notDeleted returns [move.ErrDeleted] if the pool of an issuer has deleted a provider's
// person of that username: let in as somebody new, they would be beside who they were. A row
// that only tokens have told of counts, too: nobody knows that it is another's.
func notDeleted(ctx context.Context, users replica.Store, issuer, username string) error {
	for q := (replica.UserQuery{Issuer: issuer, Search: username, Deleted: true, Limit: replica.MaxPage}); ; {
		page, err := users.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if u.Username == username && !u.Deleted.IsZero() && (u.Status == statusExternal || u.Status == "") {
				return move.ErrDeleted
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// sameOf says who somebody was, as [codegrant.Config].SamePerson does.
type sameOf func(context.Context, *verify.Claims) (issuer, subject string, err error)

// merging finds who has the same verified address; nil: nobody is merged at a sign-in.
func merging(trusted []string, users replica.Store) sameOf {
	if len(trusted) == 0 || users == nil {
		return nil
	}
	return rule.SamePeople(users, trusted...)
}

// inOrder asks the first, and the second about those of whom the first knows nothing.
func inOrder(first, second sameOf) sameOf {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, claims *verify.Claims) (string, string, error) {
		issuer, subject, err := first(ctx, claims)
		if err != nil || subject != "" {
			return issuer, subject, err
		}
		return second(ctx, claims)
	}
}

// statusExternal is what a pool says of a person of a provider.
const statusExternal = "EXTERNAL_PROVIDER"
