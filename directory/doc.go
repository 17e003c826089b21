// Package directory reads a whole user pool through the AWS API and brings the
// replica in line with it: users who were changed, disabled, deleted or regrouped
// while they did not sign in. It refuses to read tokens, to write to the pool, and
// to make anybody billable: it calls ListUsers, ListGroups and ListUsersInGroup,
// and no operation that counts a user as active for the month.
//
// # Passes
//
// A [Source] is a pool to read: [NewCognito] over AWS's SDK, or an export of one.
// [Sync.Run] makes a pass over it. A full pass reads every group, the members of
// each, and every user; states what it has read to the replica, as of when it was
// read; and then removes whom it has not met. An incremental pass leaves out the
// members of groups that it knows. Cognito cannot be asked who was changed, so
// either reads every user.
//
// One process in the cluster makes a pass at a time, under a lease in the
// [Journal]. There a pass also keeps how far it is, so that another process goes on
// where a killed one ended. Whatever it does can be done twice.
//
// # What a pass does not believe
//
// A listing that fails ends the pass, and what was read until then removes nobody.
// A listing that ends well may still be short. So everybody whom a pass has not met
// is looked up by name before they are removed, and a pass that would remove more
// than a share of the replica refuses, with [ErrTooManyRemovals], unless it is told
// otherwise.
//
// # Order
//
// What is read is stated as of the moment before it was asked for, by this
// machine's clock. So a sign-in and a pass can arrive in any order: the replica
// keeps the newest word about each person.
//
// # Events
//
// CloudTrail's management events, and triggers that post to a [Receiver], say whom
// to look at again, and no more: nothing of what they say about a person is
// believed. [ParseEvents] reads them; a [Worker] takes them from a queue, looks each
// person up and applies what the pool says at that time. Out of order, repeated, or
// made up, they cost a look-up; where they were lost, the next full pass finds out,
// and [Sync.Passes] sees to it that there is one.
//
// # Consequences
//
// Whoever is disabled or deleted loses every session at once, and whoever is in
// other groups than before has their sessions marked stale, so that they are
// refreshed before the next use. This happens after the replica has changed, and
// again where a pass was ended in between.
package directory
