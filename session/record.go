package session

import "time"

// Record is what a store keeps of one session.
type Record struct {
	// ID is the hash of the handle's id ([Handle.RecordID]): never what the
	// cookie carries.
	ID string
	// Pool binds the session to an issuer and an app client. Stores compare it
	// byte for byte and read nothing into it.
	Pool string
	// Subject is the person, unique within Pool.
	Subject string
	// Version counts changes, from 1.
	Version int64

	Created  time.Time
	LastSeen time.Time
	// Expires is when the session ends unless it is used: the earlier of its idle and its
	// absolute end. After that, the store treats it as missing.
	Expires time.Time
	// LeaseUntil is how long one process has the right to refresh the tokens. The process
	// extends it while it needs to. Zero: no process has it.
	LeaseUntil time.Time
	// Stale asks for a refresh before the next use.
	Stale bool
	// Sealed is the content, encrypted under the handle's key.
	Sealed []byte
}
