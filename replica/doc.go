// Package replica owns the application's copy of a user pool's users, groups and
// memberships: what a copy holds, what a new snapshot of the pool changes in it, and the
// contract of a [Store]. It does not call the pool, read tokens or decide what anybody may
// do.
//
// A [Snapshot] has the pool's data of a person: at sign-in, at refresh, or when a directory
// is read. [Store.Apply] updates the copy and returns what changed. Only issuer and subject
// identify a person. Usernames and e-mail addresses are attributes, and can pass from one
// person to another.
//
// [Decide] decides what a snapshot changes, for every store in the same way. All
// comparisons are byte for byte: no store folds case, trims or normalizes.
package replica
