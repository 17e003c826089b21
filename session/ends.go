package session

import (
	"context"
	"time"
)

// End says that sessions have ended: one, or all of a person's that were created
// before a moment.
type End struct {
	// Number is the record's own, given to it as it is made. Later ones are higher,
	// but for those that are made at the same time.
	Number int64
	// ID is that of the one session that has ended. Empty: all of a person's have.
	ID string
	// Pool and Subject say whose sessions have ended where ID is empty, and Before
	// which: those that were created earlier.
	Pool, Subject string
	Before        time.Time
	// Void takes back an earlier end of the same ID: a session is created under it
	// anew. IDs that [Handle] makes never come again.
	Void bool
	// Until is how long a copy of the session could be taken for a live one. Then
	// the record may be forgotten.
	Until time.Time
}

// Ends keeps ends of sessions so that nothing but the loss of a disk loses them: in a
// SQL database, beside a store that may forget what it was told last. Its methods may
// be called concurrently. Their errors have [ErrUnavailable] in their chain.
//
// Whole strings are kept and compared byte for byte, as a [Store] does, and times by
// the microsecond.
type Ends interface {
	// PutEnds puts ends on record. When it returns nil, all of them are there for
	// good; else some may be. To put the same on record twice does no harm.
	PutEnds(ctx context.Context, ends ...End) error

	// EndsAfter returns ends with a number above after, ordered by it, at most
	// limit, and may leave out those whose Until has passed. One with a low number
	// may come to be seen after one with a higher, as long as the call that makes
	// it takes.
	EndsAfter(ctx context.Context, after int64, limit int) ([]End, error)
}
