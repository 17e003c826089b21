package session

import (
	"context"
	"errors"
)

// Faults of stores, and what they mean to a person.
var (
	// ErrNotFound: there is no such live session. The person can sign in again.
	ErrNotFound = errors.New("session not found")
	// ErrConflict: the record was changed meanwhile. Read it again.
	ErrConflict = errors.New("session changed meanwhile")
	// ErrExists: a record of this ID exists.
	ErrExists = errors.New("session exists already")
	// ErrFull: a bounded store holds as many live sessions as it may.
	ErrFull = errors.New("session store is full")
	// ErrDamaged: the record is not a valid session. It was damaged, replaced by another, or
	// written by a newer release. It proves nothing. Do not try again; the person can sign in
	// again. Its chain also has ErrUnavailable, for callers that do not know it.
	ErrDamaged = errors.New("session record cannot be read")
	// ErrUnavailable: the store did not answer. It says nothing about any session.
	ErrUnavailable = errors.New("session store unavailable")
)

// Store keeps records. Its methods may be called concurrently.
//
// Every other error has ErrUnavailable in its chain: a store never turns a fault into a
// missing session. A store compares strings byte for byte. IDs and subjects have up to 255
// bytes and pools up to 512. A store refuses what it cannot keep whole. Times are instants,
// whatever their zone. A store keeps microseconds, and may cut off finer parts. A store
// copies the Sealed that it gets. Do not write to a Sealed that it returns.
//
// A store may answer Get from a copy in this process, for as long as its documentation
// says. Writes through the same Store are visible at once.
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

	// Delete removes a record. Removing one that is missing is not an error.
	Delete(ctx context.Context, id string) error

	// List returns live records without Sealed, ordered by ID.
	List(ctx context.Context, query Query) ([]Record, error)

	// DeleteBySubject removes every session of a person, and says how many.
	DeleteBySubject(ctx context.Context, pool, subject string) (int, error)

	// MarkStale sets Stale on every live session of a person and raises its Version. So an
	// open refresh cannot remove the mark. It returns how many sessions it marked.
	MarkStale(ctx context.Context, pool, subject string) (int, error)

	// DeleteExpired removes up to limit expired records, none if limit is below 1, and returns
	// how many. A store that expires records by itself returns 0.
	DeleteExpired(ctx context.Context, limit int) (int, error)
}

// Query selects records to list.
type Query struct {
	Pool    string // empty: of every pool
	Subject string // empty: of everybody
	After   string // the ID to go on after; empty: from the start
	Limit   int    // at most this many; 0: 100
}

// OncePool is the Pool of records that are not sessions. Each records that something, such
// as a step of a sign-in, has happened once for all processes that share the store. Create
// says whether it had. These records have no content, and expire by themselves. List leaves
// them out unless it asks for this pool.
const OncePool = "codegrant once"

// Selects reports whether the query matches a live record, apart from the page.
func (q Query) Selects(r Record) bool {
	if q.Pool == "" && r.Pool == OncePool {
		return false
	}
	return (q.Pool == "" || r.Pool == q.Pool) && (q.Subject == "" || r.Subject == q.Subject)
}

// DefaultLimit is how many records a query without Limit lists.
const DefaultLimit = 100
