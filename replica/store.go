package replica

import (
	"context"
	"slices"
)

// Store keeps the replica. Every method is safe for concurrent use by any number
// of goroutines and, where the store is shared, processes.
//
// If the store cannot answer, or the context ended, the error is [ErrUnavailable], with the
// cause wrapped. A method reads one moment, never half of a concurrent change. A string
// that no store can hold, such as invalid UTF-8, is not found. That is not an error of the
// store.
//
// Implementations import this package, leave every decision to [Decide], [DecideGrant] and
// [DecideRevoke], and pass the suite of package replicatest.
type Store interface {
	// Apply updates the user of s, and returns what changed. It creates an unknown user,
	// whatever the order in which snapshots of them arrive.
	//
	// It happens completely or not at all. To repeat it changes nothing more. Any number of
	// concurrent calls for one person, new or not, succeed and leave one user. If a snapshot
	// changes nothing, the store only keeps its time, if it is the newest. If it is repeated,
	// the store writes nothing.
	//
	// An invalid snapshot returns [ErrInvalid]. If a store links people to existing accounts
	// and cannot tell which account, it returns [ErrConflict]. In both cases nothing is
	// written.
	Apply(ctx context.Context, s Snapshot) (Change, error)

	// User returns the user with the given ID, deleted or not, or [ErrNotFound].
	User(ctx context.Context, id int64) (User, error)

	// UserBySubject returns the person whom issuer and subject name, deleted or
	// not, or [ErrNotFound].
	UserBySubject(ctx context.Context, issuer, subject string) (User, error)

	// UserByUsername returns the user of the issuer with that username, or [ErrNotFound].
	// Deleted users have no username. If several users have it, the pool must have deleted all
	// but one. Then it returns the user with the newest data.
	UserByUsername(ctx context.Context, issuer, username string) (User, error)

	// UsersByEmail returns the users of the issuer with that address, verified or not, by ID
	// and at most [MaxPage]. An empty result is not an error. The empty address belongs to nobody,
	// and deleted users have no address.
	UsersByEmail(ctx context.Context, issuer, email string) ([]User, error)

	// Users returns one page of the users of an issuer, by ID. A user who is added during a
	// walk through the pages is not missed and moves nobody. A query without issuer, or with a
	// cursor that no store has made, returns [ErrInvalid].
	Users(ctx context.Context, q UserQuery) (UserPage, error)

	// Groups returns one page of the groups of an issuer, by ID, in the same way.
	Groups(ctx context.Context, q GroupQuery) (GroupPage, error)

	// GrantLocalGroup makes the user a local member of the named group. If there is no such
	// group, it creates one of [OriginLocal]. The pool cannot undo it. It returns
	// [ErrNotFound] for an unknown user and [ErrInvalid] for an impossible name. To grant
	// again changes nothing.
	GrantLocalGroup(ctx context.Context, userID int64, group string) (Change, error)

	// RevokeLocalGroup revokes what GrantLocalGroup gave. If the pool also gives the
	// membership, it remains. It returns [ErrNotFound] for an unknown user. To revoke what was
	// not granted changes nothing.
	RevokeLocalGroup(ctx context.Context, userID int64, group string) (Change, error)
}

// IdentityLister is a [Store] that lists the identities of a person. Without it, sessions of
// other identities cannot be listed or ended with those of one.
type IdentityLister interface {
	// Identities returns every identity of a person (see [User.Person]), the one that they
	// are known by first, deleted or not.
	Identities(ctx context.Context, person int64) ([]User, error)
}

// Linker is a [Store] in which people can have several identities.
type Linker interface {
	Store
	IdentityLister

	// Link makes an identity one of another person, and by is who said so. The identity must
	// be enabled, and a person of its own: if the person has other identities that are not
	// deleted, they must be of the issuers along, which sign nobody in any more, and come with
	// it. Everything else is [ErrConflict], and for an operator to decide. To link it again to
	// the same person changes nothing.
	Link(ctx context.Context, identity, person int64, by string, along ...string) (Change, error)

	// Separate is Unlink for the person themselves. It is [ErrConflict] if they could not sign
	// in at this pool any more: see [StaysWithout].
	Separate(ctx context.Context, identity int64) (Change, error)

	// Unlink makes an identity a person of its own again.
	Unlink(ctx context.Context, identity int64) (Change, error)
}

// StaysWithout reports whether a person with all these identities can sign in at the pool of
// one of them without it: they have another one of its issuer, enabled and not deleted.
func StaysWithout(all []User, identity User) bool {
	return slices.ContainsFunc(all, func(u User) bool {
		return u.ID != identity.ID && u.Issuer == identity.Issuer && u.Enabled && u.Deleted.IsZero()
	})
}
