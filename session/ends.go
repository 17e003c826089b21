package session

import (
	"context"
	"time"
)

// End records that sessions have ended: one, or all sessions of a person that were created
// before a moment.
type End struct {
	// Number identifies the record. Later records have higher numbers, except those made at
	// the same time.
	Number int64
	// ID is that of the one session that has ended. Empty: all of a person's have.
	ID string
	// If ID is empty, Pool and Subject name the person. The sessions that were created before
	// Before have ended.
	Pool, Subject string
	Before        time.Time
	// Void cancels an earlier end of the same ID, because a session is created again under it.
	// IDs of [Handle] never repeat.
	Void bool
	// Until is how long a copy of the session could pass as a live one. After that, the record
	// may be deleted.
	Until time.Time
}

// Ends keeps ends of sessions in a SQL database, beside a store that may lose its last
// writes. Only the loss of a disk loses them. Its methods may be called concurrently. Their
// errors have ErrUnavailable in their chain.
//
// It keeps whole strings and compares them byte for byte, as a Store does. It keeps times
// to the microsecond.
type Ends interface {
	// PutEnds records ends. If it returns nil, all of them are stored durably. Otherwise some
	// may be. You may record an end twice.
	PutEnds(ctx context.Context, ends ...End) error

	// EndsAfter returns at most limit ends with a number above after, in the order of their
	// numbers. It may leave out those whose Until has passed. While the call that makes an end
	// is in progress, an end with a lower number may appear after one with a higher number.
	EndsAfter(ctx context.Context, after int64, limit int) ([]End, error)
}
