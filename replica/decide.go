package replica

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Policy says how the pool's data changes stored memberships.
type Policy int

const (
	// Mirror makes the memberships that come from the pool equal to the pool's:
	// it adds and it removes. Memberships granted here are left alone.
	Mirror Policy = iota

	// AddOnly adds memberships and removes none.
	AddOnly
)

// Decide returns what s changes about stored. s must be valid. stored is nil for an unknown
// person. The store adds what only it can know: the ID of a new user, and the rows of
// groups that the user was not in, which have ID 0 (see [MergeGroup]). These are all the
// rules of a store:
//
//   - A snapshot with attributes older than stored.AsOf, or with groups older than
//     stored.GroupsAsOf, does not change them. A snapshot of the same time does.
//   - If a newer snapshot has the same data, only the times AsOf and GroupsAsOf change (see
//     [Change.Confirmed]). So an older snapshot that arrives after it changes nothing
//     either.
//   - A sign-in counts in any order: the first is the earliest, the last the latest. The
//     first time that somebody enters who was somebody else before counts as a sign-in.
//   - A snapshot that counts restores a deleted user. The user is enabled unless the
//     snapshot says otherwise.
func Decide(policy Policy, stored *User, s Snapshot, now time.Time) Change {
	at, groupsAt, now := storedTime(s.At), storedTime(s.At), storedTime(now)
	if !s.GroupsAt.IsZero() {
		groupsAt = storedTime(s.GroupsAt)
	}
	next := User{Issuer: s.Issuer, Subject: s.Subject, Enabled: true, Created: now}
	if stored != nil {
		next = clone(*stored)
	}

	fresh := stored == nil || !at.Before(stored.AsOf)
	if fresh {
		state(&next, s)
	}
	groupsFresh := s.GroupsKnown && (stored == nil || !groupsAt.Before(stored.GroupsAsOf))
	if groupsFresh {
		stateGroups(policy, &next, s, groupsAt)
	}
	if s.SignIn || s.Entering && s.Of != nil && next.FirstSignIn.IsZero() {
		if next.FirstSignIn.IsZero() || at.Before(next.FirstSignIn) {
			next.FirstSignIn = at
		}
		if at.After(next.LastSignIn) {
			next.LastSignIn = at
		}
	}

	change := difference(stored, next)
	if !change.Empty() {
		change.User.Updated = now
	}
	if fresh {
		change.User.AsOf = at
	}
	if groupsFresh {
		change.User.GroupsAsOf = groupsAt
	}
	return change
}

// DecideGone returns what changes about stored if a pass over the whole pool, which began
// at began, did not find them. If there is newer data about them, nothing changes.
// Otherwise they are deleted and no longer enabled. If the policy is [Mirror], their
// memberships from the pool end. Local memberships stay recorded, and count again if the
// pool has the person again; see [User.InGroup].
func DecideGone(policy Policy, stored User, began, now time.Time) Change {
	began, now = storedTime(began), storedTime(now)
	next := clone(stored)
	if stored.Deleted.IsZero() && stored.AsOf.Before(began) && stored.GroupsAsOf.Before(began) {
		next.Deleted, next.Enabled = now, false
		if policy == Mirror {
			unstateGroups(&next, nil)
		}
	}
	change := difference(&stored, next)
	if !change.Empty() {
		change.User.Updated, change.User.AsOf, change.User.GroupsAsOf = now, began, began
	}
	return change
}

// DecideGrant returns what changes when this side makes stored a member of the named group.
func DecideGrant(stored User, group string, now time.Time) Change {
	next := clone(stored)
	i, found := findGroup(next.Groups, group)
	if !found {
		next.Groups = slices.Insert(next.Groups, i, Membership{
			Group: Group{Issuer: stored.Issuer, Name: group, Origin: OriginLocal},
		})
	}
	next.Groups[i].Local = true
	return decideLocal(stored, next, now)
}

// DecideRevoke returns what changes when this side no longer makes stored a member of the
// named group. A membership from the pool remains.
func DecideRevoke(stored User, group string, now time.Time) Change {
	next := clone(stored)
	if i, found := findGroup(next.Groups, group); found {
		next.Groups[i].Local = false
		next.Groups = slices.DeleteFunc(next.Groups, unstated)
	}
	return decideLocal(stored, next, now)
}

// DecideLink returns what changes when stored becomes an identity of the person with the
// given ID. 0: it becomes a person of its own.
func DecideLink(stored User, person int64, now time.Time) Change {
	next := clone(stored)
	next.LinkedTo = person
	return decideLocal(stored, next, now)
}

// FirstOf returns the identity whose person stored, nil for nobody, becomes with s: at a
// first sign-in, or when they first enter by one that began elsewhere, and where they are
// linked to nobody. An identity that was unlinked later stays unlinked.
func FirstOf(stored *User, s Snapshot) *Of {
	if !s.SignIn && !s.Entering || stored != nil && (stored.LinkedTo != 0 || !stored.FirstSignIn.IsZero()) {
		return nil
	}
	return s.Of
}

func decideLocal(stored, next User, now time.Time) Change {
	change := difference(&stored, next)
	if !change.Empty() {
		change.User.Updated = storedTime(now)
	}
	return change
}

// MergeGroup returns the stored group after a change that has it as stated, and whether
// anything is new. A local group becomes the pool's when the pool has it, and never the
// other way round. The later of two precedences holds. The same precedence again is not
// new, but its AsOf is later, and the store keeps it.
func MergeGroup(stored, stated Group) (Group, bool) {
	merged := stored
	if stored.Origin == OriginLocal {
		merged.Origin = stated.Origin
	}
	if stated.Precedence != nil && !stated.AsOf.Before(stored.AsOf) {
		merged.Precedence, merged.AsOf = stated.Precedence, stated.AsOf
	}
	return merged, merged.Origin != stored.Origin || !equalInt(merged.Precedence, stored.Precedence)
}

// state overwrites the attributes of u with those of s.
func state(u *User, s Snapshot) {
	set := func(field *string, value string) {
		if s.Complete || value != "" {
			*field = value
		}
	}
	set(&u.Username, s.Username)
	if s.Complete || s.Email != "" {
		u.Email, u.EmailVerified = s.Email, s.EmailVerified && s.Email != ""
	}
	set(&u.Name, s.Name)
	set(&u.GivenName, s.GivenName)
	set(&u.FamilyName, s.FamilyName)
	if s.Complete || s.PhoneNumber != "" {
		u.PhoneNumber, u.PhoneNumberVerified = s.PhoneNumber, s.PhoneNumberVerified && s.PhoneNumber != ""
	}
	set(&u.Locale, s.Locale)
	if s.Complete {
		u.Custom = nil
	}
	for name, value := range s.Custom {
		if u.Custom == nil {
			u.Custom = make(map[string]string)
		}
		u.Custom[name] = value
	}
	if !u.Deleted.IsZero() { // whom the pool speaks of, it has
		u.Deleted, u.Enabled = time.Time{}, true
	}
	if s.Enabled != nil {
		u.Enabled = *s.Enabled
	}
	if s.Status != "" {
		u.Status = s.Status
	}
}

// stateGroups overwrites the memberships of u that come from the pool.
func stateGroups(policy Policy, u *User, s Snapshot, at time.Time) {
	stated := make(map[string]bool, len(s.Groups))
	for _, ref := range s.Groups {
		if stated[ref.Name] {
			continue
		}
		stated[ref.Name] = true
		group := Group{Issuer: s.Issuer, Name: ref.Name, Origin: ref.Origin}
		if group.Origin == "" {
			group.Origin = groupOrigin(s.Issuer, ref.Name)
		}
		if ref.Precedence != nil {
			value := *ref.Precedence
			group.Precedence, group.AsOf = &value, at
		}
		i, found := findGroup(u.Groups, ref.Name)
		if found {
			u.Groups[i].Group, _ = MergeGroup(u.Groups[i].Group, group)
		} else {
			u.Groups = slices.Insert(u.Groups, i, Membership{Group: group})
		}
		u.Groups[i].Pool = true
	}
	if policy != AddOnly {
		unstateGroups(u, stated)
	}
}

// unstateGroups ends the memberships that come from the pool and are not stated.
func unstateGroups(u *User, stated map[string]bool) {
	for i := range u.Groups {
		u.Groups[i].Pool = u.Groups[i].Pool && stated[u.Groups[i].Name]
	}
	u.Groups = slices.DeleteFunc(u.Groups, unstated)
}

// unstated reports whether nobody makes a membership so any more.
func unstated(m Membership) bool { return !m.Pool && !m.Local }

// difference compares what was, nil for nobody, with what is to be.
func difference(stored *User, next User) Change {
	change := Change{User: next, Created: stored == nil}
	before := User{}
	if stored != nil {
		before = clone(*stored)
		change.Before = &before
	}
	differ := func(field string, different bool) {
		if different {
			change.Fields = append(change.Fields, field)
		}
	}
	differ("custom", !maps.Equal(next.Custom, before.Custom))
	differ("deleted", !next.Deleted.Equal(before.Deleted))
	differ("email", next.Email != before.Email)
	differ("email_verified", next.EmailVerified != before.EmailVerified)
	differ("enabled", next.Enabled != before.Enabled)
	differ("family_name", next.FamilyName != before.FamilyName)
	differ("first_sign_in", !next.FirstSignIn.Equal(before.FirstSignIn))
	differ("given_name", next.GivenName != before.GivenName)
	differ("groups", !slices.EqualFunc(next.Groups, before.Groups, Membership.equal))
	differ("last_sign_in", !next.LastSignIn.Equal(before.LastSignIn))
	differ("linked_to", next.LinkedTo != before.LinkedTo)
	differ("locale", next.Locale != before.Locale)
	differ("name", next.Name != before.Name)
	differ("phone_number", next.PhoneNumber != before.PhoneNumber)
	differ("phone_number_verified", next.PhoneNumberVerified != before.PhoneNumberVerified)
	differ("status", next.Status != before.Status)
	differ("username", next.Username != before.Username)
	change.GroupsAdded = missing(next.Groups, before.Groups)
	change.GroupsRemoved = missing(before.Groups, next.Groups)
	return change
}

func (m Membership) equal(o Membership) bool {
	return m.Name == o.Name && m.Pool == o.Pool && m.Local == o.Local && m.Origin == o.Origin && equalInt(m.Precedence, o.Precedence)
}

// missing lists the names of the groups in a that are not in b. Both are sorted.
func missing(a, b []Membership) []string {
	var names []string
	for _, m := range a {
		if _, found := findGroup(b, m.Name); !found {
			names = append(names, m.Name)
		}
	}
	return names
}

func findGroup(groups []Membership, name string) (int, bool) {
	return slices.BinarySearchFunc(groups, name, func(m Membership, name string) int { return strings.Compare(m.Name, name) })
}

func clone(u User) User {
	u.Custom = maps.Clone(u.Custom)
	u.Groups = slices.Clone(u.Groups)
	return u
}

// storedTime is t as stores keep it, so that what was written and what is read
// back are equal.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func equalInt(a, b *int) bool {
	return a == b || a != nil && b != nil && *a == *b
}
