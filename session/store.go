package session

import (
	"context"
	"errors"
)

// Faults of stores, and what they mean to a person.
var (
	// ErrNotFound: there is no such live session. Signing in helps.
	ErrNotFound = errors.New("session not found")
	// ErrConflict: the record was changed meanwhile. Read it again.
	ErrConflict = errors.New("session changed meanwhile")
	// ErrExists: a record of this ID exists.
	ErrExists = errors.New("session exists already")
	// ErrFull: a bounded store holds as many live sessions as it may.
	ErrFull = errors.New("session store is full")
	// ErrDamaged: there is something in the place of the session that cannot be one:
	// it was damaged, swapped for another, or written by a newer release. It proves
	// nothing, and trying again does not help; signing in does. It comes with
	// ErrUnavailable, for those who do not know it.
	ErrDamaged = errors.New("session record cannot be read")
	// ErrUnavailable: the store did not answer. It says nothing about any session.
	ErrUnavailable = errors.New("session store unavailable")
)

// Store keeps records. Its methods may be called concurrently.
//
// Every error that is none of the above has [ErrUnavailable] in its chain: a
// store never turns a fault into a missing session. Strings are compared byte
// for byte; IDs and subjects have up to 255 bytes and pools up to 512, and what
// a store cannot keep whole it refuses. Times name an instant, whatever their
// zone; a store keeps microseconds, and may cut off what is finer. A store
// copies the Sealed that it is given; one that it hands out is for reading.
//
// A store may answer Get from a copy in this process, for as long as its
// documentation says; what was written through the same Store is seen at once.
type Store interface {
	// Create stores a new record with Version 1, or returns ErrExists.
	Create(ctx context.Context, record Record) error

	// Get returns a live record, or ErrNotFound where it is missing or expired.
	Get(ctx context.Context, id string) (Record, error)

	// CompareAndSwap replaces the live record of the same ID if its Version is
	// that of record, and returns it with the next Version. It returns
	// ErrConflict if the Version differs, and ErrNotFound if there is no live
	// record: a record that was deleted is never brought back. Pool, Subject
	// and Created stay what Create was given, whatever record says.
	CompareAndSwap(ctx context.Context, record Record) (Record, error)

	// Delete removes a record. Removing one that is missing is no error.
	Delete(ctx context.Context, id string) error

	// List returns live records without Sealed, ordered by ID.
	List(ctx context.Context, query Query) ([]Record, error)

	// DeleteBySubject removes every session of a person, and says how many.
	DeleteBySubject(ctx context.Context, pool, subject string) (int, error)

	// MarkStale sets Stale on every live session of a person and raises its
	// Version, so that a refresh that is under way cannot wash the mark away.
	// It says how many.
	MarkStale(ctx context.Context, pool, subject string) (int, error)

	// DeleteExpired removes up to limit expired records, none where it is below
	// 1, and says how many. A store that expires records by itself returns 0.
	DeleteExpired(ctx context.Context, limit int) (int, error)
}

// Query selects records to list.
type Query struct {
	Pool    string // empty: of every pool
	Subject string // empty: of everybody
	After   string // the ID to go on after; empty: from the start
	Limit   int    // at most this many; 0: 100
}

// OncePool is the Pool of records that are no sessions: each notes that something, such as
// a sign-in under way, has happened once for all processes that share the store. Create
// says whether it had. They have no content, and expire by themselves. A List that is not
// for this pool leaves them out.
const OncePool = "codegrant once"

// Selects reports whether the query is for a live record, as far as that does not depend
// on the page.
func (q Query) Selects(r Record) bool {
	if q.Pool == "" && r.Pool == OncePool {
		return false
	}
	return (q.Pool == "" || r.Pool == q.Pool) && (q.Subject == "" || r.Subject == q.Subject)
}

// DefaultLimit is how many records a query without Limit lists.
const DefaultLimit = 100
