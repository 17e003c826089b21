package replica

import "context"

// Store keeps the replica. Every method is safe for concurrent use by any number
// of goroutines and, where the store is shared, processes.
//
// Every method returns an error that is [ErrUnavailable] when the store cannot
// say, a context that ended included; the cause is wrapped. What is read is of
// one moment: never half of a concurrent change. A string that no store could
// hold (not UTF-8, say) is not found, which is not an error of the store.
//
// Implementations import this package, leave every judgement to [Decide],
// [DecideGrant] and [DecideRevoke], and pass the suite of package replicatest.
type Store interface {
	// Apply brings the user whom s names in line with what it states, and returns
	// what that changed. A user who is not known is created, whatever the order
	// in which statements about them arrive.
	//
	// It happens as a whole or not at all, and repeating it changes nothing more.
	// Any number of concurrent calls for one person, new or not, succeed and
	// leave one user. Of a snapshot that changes nothing the store keeps the time,
	// where it is the newest, and writes nothing else; repeated, it writes nothing.
	//
	// A snapshot that is not valid returns [ErrInvalid]. A store that links people
	// to accounts which existed before returns [ErrConflict] where it cannot tell
	// which. In both cases nothing was written.
	Apply(ctx context.Context, s Snapshot) (Change, error)

	// User returns the user with the given ID, deleted or not, or [ErrNotFound].
	User(ctx context.Context, id int64) (User, error)

	// UserBySubject returns the person whom issuer and subject name, deleted or
	// not, or [ErrNotFound].
	UserBySubject(ctx context.Context, issuer, subject string) (User, error)

	// UserByUsername returns the user of the issuer with that username, or
	// [ErrNotFound]. Nobody who is deleted has one. Of several, all but one of whom
	// the pool must have deleted since, it returns the one that was stated last.
	UserByUsername(ctx context.Context, issuer, username string) (User, error)

	// UsersByEmail returns the users of the issuer with that address, verified or
	// not, by ID and at most [MaxPage]. Nobody is no error. The empty address
	// belongs to nobody, and nobody who is deleted has one.
	UsersByEmail(ctx context.Context, issuer, email string) ([]User, error)

	// Users returns one page of the users of an issuer, by ID: who is added
	// during a walk through the pages is not missed by it and moves nobody.
	// A query without issuer, or with a cursor that no store has made, returns
	// [ErrInvalid].
	Users(ctx context.Context, q UserQuery) (UserPage, error)

	// Groups returns one page of the groups of an issuer, by ID, in the same way.
	Groups(ctx context.Context, q GroupQuery) (GroupPage, error)

	// GrantLocalGroup makes the user a member of the group of that name by this
	// side's word, creating a group of [OriginLocal] where there is none. The
	// pool cannot undo it. It returns [ErrNotFound] for an unknown user and
	// [ErrInvalid] for an impossible name. Granting again changes nothing.
	GrantLocalGroup(ctx context.Context, userID int64, group string) (Change, error)

	// RevokeLocalGroup takes back what GrantLocalGroup gave. A membership that
	// the pool states as well remains. It returns [ErrNotFound] for an unknown
	// user. Revoking what was not granted changes nothing.
	RevokeLocalGroup(ctx context.Context, userID int64, group string) (Change, error)
}
