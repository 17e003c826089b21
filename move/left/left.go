package left

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/replica"
)

// Store is a replica that knows which identities a person has.
type Store interface {
	replica.Store
	replica.IdentityLister
}

// Leavers are the people who have left the new pool of a move. It is safe for concurrent use.
// Make it with [New].
type Leavers struct {
	users    Store
	tickets  *move.Tickets
	old, now string
}

// New returns the leavers of a move between the pools of two issuers.
func New(users Store, tickets *move.Tickets, oldIssuer, newIssuer string) *Leavers {
	return &Leavers{users: users, tickets: tickets, old: oldIssuer, now: newIssuer}
}

// Has is what move.Tickets.Left is: it reports whether somebody of the old pool has left the
// new one. is is who they are there now, or "". A person who has signed in as that has not.
func (l *Leavers) Has(ctx context.Context, was, is string) (bool, error) {
	if is != "" {
		switch own, err := l.users.UserBySubject(ctx, l.now, is); {
		case err == nil && own.Deleted.IsZero() && (own.LinkedTo != 0 || !own.FirstSignIn.IsZero()):
			return false, nil
		case err != nil && !errors.Is(err, replica.ErrNotFound):
			return false, err
		}
	}
	person, err := l.users.UserBySubject(ctx, l.old, was)
	switch {
	case errors.Is(err, replica.ErrNotFound):
		return false, nil // and then no identity of the new pool is theirs yet
	case err != nil:
		return false, err
	}
	return l.gone(ctx, person, was)
}

// gone reports whether somebody has left, whom the replica knows from the old pool.
func (l *Leavers) gone(ctx context.Context, person replica.User, was string) (bool, error) {
	identities, err := l.users.Identities(ctx, person.Person())
	if err != nil {
		return false, err
	}
	gone := false
	for _, u := range identities {
		switch {
		case u.Issuer != l.now:
		case u.Deleted.IsZero():
			return false, nil
		default:
			gone = true
		}
	}
	if gone {
		return true, nil
	}
	// A person who was deleted before their first sign-in is linked to nobody. They had the same
	// username, or, in a pool that makes usernames itself, the same address.
	for _, name := range []string{person.Username, person.Email} {
		if name == "" {
			continue
		}
		if gone, err = l.deletedWith(ctx, replica.UserQuery{Search: name}, was); err != nil || gone {
			return gone, err
		}
	}
	return false, nil
}

// deletedWith reports whether a query finds a deleted user with the ticket of somebody.
func (l *Leavers) deletedWith(ctx context.Context, q replica.UserQuery, was string) (found bool, err error) {
	err = l.deleted(ctx, q, func(u replica.User) error {
		found = found || l.whose(u) == was
		return nil
	})
	return found, err
}

// All reads who has left, once, and returns what move.Config.Left is.
func (l *Leavers) All(ctx context.Context) (func(sub string) bool, error) {
	asked := make(map[string]bool)
	ask := func(was string) error {
		if _, known := asked[was]; known {
			return nil
		}
		person, err := l.users.UserBySubject(ctx, l.old, was)
		if errors.Is(err, replica.ErrNotFound) { // and so they have never signed in at the new pool
			asked[was] = true
			return nil
		}
		if err == nil {
			asked[was], err = l.gone(ctx, person, was)
		}
		return err
	}
	err := l.deleted(ctx, replica.UserQuery{}, func(u replica.User) error {
		if was := l.whose(u); was != "" {
			if err := ask(was); err != nil {
				return err
			}
		}
		identities, err := l.users.Identities(ctx, u.Person())
		if err != nil {
			return err
		}
		for _, i := range identities {
			if i.Issuer == l.old {
				if err := ask(i.Subject); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read who has left: %w", err)
	}
	return func(sub string) bool { return asked[sub] }, nil
}

// deleted calls f with the deleted users of the new pool that a query finds.
func (l *Leavers) deleted(ctx context.Context, q replica.UserQuery, f func(replica.User) error) error {
	for q.Issuer, q.Deleted, q.Limit = l.now, true, replica.MaxPage; ; {
		page, err := l.users.Users(ctx, q)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if u.Deleted.IsZero() {
				continue
			}
			if err := f(u); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// whose is the sub of the old pool that a user's ticket names; "": they have none.
func (l *Leavers) whose(u replica.User) string {
	sub, err := l.tickets.Open(u.Custom[move.Attribute])
	if err != nil {
		return ""
	}
	return sub
}
