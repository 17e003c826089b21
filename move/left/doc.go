// Package left owns the answer to one question: who has left the pool that people move to.
// These are people whom the new pool has had, and who were deleted there, by themselves or by
// an operator. The old pool still has them, so a drain would make them again, and the trigger
// would let them come with their old password. Package move asks here first.
//
// It refuses to decide what becomes of them, and asks no pool: what it knows is what a pass of
// package directory has told the replica.
//
// # What it leans on
//
// The replica, which keeps deleted identities with their person, and the tickets of package
// move, which say who a user was whom the replica has never linked.
package left
