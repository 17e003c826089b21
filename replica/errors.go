package replica

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound means that there is no such user.
	ErrNotFound = errors.New("not found")

	// ErrInvalid means that what was asked for can never succeed as it is: a
	// snapshot that breaks a limit, a cursor that no store has made.
	ErrInvalid = errors.New("invalid")

	// ErrConflict means that rows which exist already stand in the way and a
	// person has to decide, such as two accounts with the address of a newcomer.
	ErrConflict = errors.New("conflict")

	// ErrEmailNotVerified is the [ErrConflict] that the person can end: an account may be
	// theirs, and the pool does not say that its address is.
	ErrEmailNotVerified = fmt.Errorf("%w: the address is not verified", ErrConflict)

	// ErrSweepTooLarge means that a sweep would mark more users as deleted than it
	// may, and that it has marked nobody.
	ErrSweepTooLarge = errors.New("sweep too large")

	// ErrUnavailable means that the store cannot say: it is down, slow, full, not
	// prepared, or the context ended. The same call may succeed later. It never
	// means that a user does not exist.
	ErrUnavailable = errors.New("replica unavailable")
)
