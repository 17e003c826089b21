// Package organization keeps the organizations that people act for: companies, teams,
// customers, each with members in roles, and with invitations.
//
// It owns the tables codegrant_organizations, _members, _choices and _invitations in the
// database of the replica ([Store]), the one organization that is the active one of a
// session, and the endpoint and pages where people switch, leave and invite ([Pages]).
//
//   - Each request of a person looks up the membership, by one statement. A removed
//     member is out with their next request, on every process.
//   - A membership is of a person: of all identities that are linked to one. Rows stay with
//     the identity that they were made for, and follow it when people are merged or unlinked.
//   - The roles are the application's. The first one manages: it invites and removes. An
//     organization that has somebody in it never loses the last of them.
//   - An invitation is for one address and one role, can be used once, and ends by itself.
//     The table has a hash of its token. A person who accepts must have that address,
//     verified by the pool.
//
// It refuses to make anybody a member by an address that the pool has not verified, to act
// for machines, and to ask the pool about memberships. It leans on the rows of the replica,
// and stands on package codegrant as an application would.
//
// [New] makes no network call, and [Store.Migrate] makes the tables. An error of a [Store] is a
// refusal, such as [ErrLastManager] or [ErrInvitation], or the database did not answer:
// [IsRefusal] tells them apart. Without Roles there are admin and member, and an invitation can
// be accepted for 7 days. The example makes an organization and guards a handler with a role.
package organization
