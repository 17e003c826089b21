// Package replica owns the application's copy of a user pool's users, groups and
// memberships: what a copy holds, what a new statement of the pool changes in it,
// and what a [Store] owes its callers. It refuses to speak to the pool, to read
// tokens and to decide what anybody may do.
//
// The pool states how a person is, in a [Snapshot]: at sign-in, at refresh, when
// a directory is read. [Store.Apply] brings the copy in line and says what that
// changed. A person is named by issuer and subject and by nothing else; usernames
// and e-mail addresses are attributes, which may pass from one person to another.
//
// What a snapshot changes is decided by [Decide], which is the same for every
// store. Equality is of bytes, everywhere: no store folds case, trims or
// normalizes what it compares.
package replica
