// Package directory reads a whole user pool through the AWS API and updates the replica:
// users who were changed, disabled, deleted or regrouped while they did not sign in. It
// does not read tokens and does not write to the pool. It adds no cost: it only calls
// ListUsers, ListGroups and ListUsersInGroup, which count no user as active for the month.
//
// # Passes
//
// A [Source] is a pool to read: [NewCognito] over AWS's SDK, or an export of a pool.
// [Sync.Run] makes a pass over it. A full pass reads every group, the members of each, and
// every user. It writes what it has read to the replica, with the time of the reading. Then
// it removes the users that it did not find. An incremental pass leaves out the members of
// known groups. Cognito cannot say who has changed, so both read every user.
//
// One process in the cluster makes a pass at a time, under a lease in the [Journal]. A pass
// also keeps its progress there. So another process can continue after a killed one. Every
// step of a pass can be repeated.
//
// # What a pass does not believe
//
// A listing that fails ends the pass, and the pass removes nobody. A listing that ends well
// may still be incomplete. So a pass looks up each missing user by name before it removes
// them. A pass that would remove more than a set share of the replica refuses with
// [ErrTooManyRemovals].
//
// # Order
//
// A pass dates what it reads to the moment before it asked, by this machine's clock. So a
// sign-in and a pass can arrive in any order: the replica keeps the newest data about each
// person.
//
// # Events
//
// CloudTrail's management events, and triggers that post to a [Receiver], only say which
// person to look up. Nothing else in them is believed. [ParseEvents] reads them. A [Worker]
// takes them from a queue, looks up each person and applies the pool's answer. An event
// that is out of order, repeated or forged costs one look-up. If an event is lost, the next
// full pass finds the change. [Sync.Passes] makes these passes.
//
// # Recoveries
//
// A pool can go back to an earlier time by itself. While it does, no pass and no look-up is
// made: [ErrRecovering]. The pass after it is a full one that starts from the beginning. It
// removes no more users than the preview of the recovery says. Events of the undone time are
// left out, except for sign-outs everywhere. Config.Recoveries asks the pool; package
// directory/recovery implements it. [NoteRecovery] tells of a recovery that this program
// starts, and of what its preview says.
//
// # Consequences
//
// A disabled or deleted person loses every session at once. If a person's groups have
// changed, their sessions are marked stale, so that they are refreshed before the next use.
// This happens after the replica has changed. If a pass ended in between, the next one does
// it again.
package directory
