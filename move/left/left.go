package left

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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

	mu      sync.Mutex
	known   *index   // nil: not read yet
	reading *reading // nil: nobody reads it
}

// index are the subs of the old pool of those who have left, by the tickets and links of the
// deleted users of the new pool.
type index struct {
	subs map[string]bool
	at   time.Time
}

// reading is done when the index is read.
type reading struct {
	done chan struct{}
	err  error
}

// latest is how old the index may be. It is asked about those whom the replica does not find
// by itself.
const latest = 5 * time.Minute

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
	case errors.Is(err, replica.ErrNotFound): // the replica may follow the new pool alone
	case err != nil:
		return false, err
	default:
		gone, there, err := l.identities(ctx, person)
		if err != nil || gone || there {
			return gone && !there, err
		}
		// A person who was deleted before their first sign-in is linked to nobody. They had the
		// same username, or, in a pool that makes usernames itself, the same address.
		for _, name := range []string{person.Username, person.Email} {
			if name == "" {
				continue
			}
			if gone, err := l.deletedWith(ctx, replica.UserQuery{Search: name}, was); err != nil || gone {
				return gone, err
			}
		}
	}
	return l.indexed(ctx, was)
}

// identities reports whether a person has deleted identities of the new pool, and whether
// they have one there now.
func (l *Leavers) identities(ctx context.Context, person replica.User) (gone, there bool, err error) {
	identities, err := l.users.Identities(ctx, person.Person())
	for _, u := range identities {
		if u.Issuer == l.now {
			gone, there = gone || !u.Deleted.IsZero(), there || u.Deleted.IsZero()
		}
	}
	return gone, there, err
}

// indexed asks the index. It is read beside, so that nobody who is in a hurry ends it.
func (l *Leavers) indexed(ctx context.Context, was string) (bool, error) {
	l.mu.Lock()
	if l.reading == nil && (l.known == nil || time.Since(l.known.at) > latest) {
		r := &reading{done: make(chan struct{})}
		l.reading = r
		go func() {
			defer close(r.done)
			_, r.err = l.read(context.WithoutCancel(ctx))
			l.mu.Lock()
			defer l.mu.Unlock()
			l.reading = nil
		}()
	}
	known, r := l.known, l.reading
	l.mu.Unlock()
	if known != nil {
		return known.subs[was], nil
	}
	select {
	case <-ctx.Done():
		return false, fmt.Errorf("%w: it is being read who has left: %w", replica.ErrUnavailable, ctx.Err())
	case <-r.done:
	}
	if r.err != nil {
		return false, r.err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known.subs[was], nil
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
	all, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	return func(sub string) bool { return all.subs[sub] }, nil
}

// read reads the index.
func (l *Leavers) read(ctx context.Context) (*index, error) {
	all := &index{make(map[string]bool), time.Now()}
	err := l.deleted(ctx, replica.UserQuery{}, func(u replica.User) error {
		identities, err := l.users.Identities(ctx, u.Person())
		if err != nil {
			return err
		}
		subs := []string{l.whose(u)}
		for _, i := range identities {
			if i.Issuer == l.old {
				subs = append(subs, i.Subject)
			}
		}
		for _, was := range subs {
			if _, known := all.subs[was]; known || was == "" {
				continue
			}
			person, err := l.users.UserBySubject(ctx, l.old, was)
			if errors.Is(err, replica.ErrNotFound) {
				person, err = u, nil // whom the ticket names alone
			}
			if err != nil {
				return err
			}
			_, there, err := l.identities(ctx, person)
			if err != nil {
				return err
			}
			all.subs[was] = !there
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read who has left: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || l.known.at.Before(all.at) {
		l.known = all
	}
	return all, nil
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
