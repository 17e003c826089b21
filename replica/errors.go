package replica

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound means that there is no such user.
	ErrNotFound = errors.New("not found")

	// ErrInvalid means that the call can never succeed as it is: a snapshot breaks a limit, or
	// no store has made the cursor.
	ErrInvalid = errors.New("invalid")

	// ErrConflict means that existing rows prevent the change and an operator must decide,
	// such as two accounts with the address of a new person.
	ErrConflict = errors.New("conflict")

	// ErrEmailNotVerified is an [ErrConflict] that the person can resolve: an account may be
	// theirs, but the pool has not verified the address.
	ErrEmailNotVerified = fmt.Errorf("%w: the address is not verified", ErrConflict)

	// ErrSweepTooLarge means that a sweep would mark more users as deleted than allowed. It
	// has marked nobody.
	ErrSweepTooLarge = errors.New("sweep too large")

	// ErrUnavailable means that the store cannot answer: it is down, slow, full or not
	// migrated, or the context ended. The same call may succeed later. It never means that a
	// user does not exist.
	ErrUnavailable = errors.New("replica unavailable")
)
