package replica

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Policy says what a pool's word is worth against what is stored.
type Policy int

const (
	// Mirror makes the memberships that come from the pool equal to the pool's:
	// it adds and it removes. Memberships granted here are left alone.
	Mirror Policy = iota

	// AddOnly adds memberships and removes none.
	AddOnly
)

// Plan is a [Change] that is yet to be made, with what a store has to write for
// it. IDs are 0 and rows not resolved where only the store can know them.
type Plan struct {
	Change

	// Join lists the groups that the user is to be a member of by the pool's
	// word, and was not. Each has an Origin. Such a group may exist already:
	// [MergeGroup] says what becomes of it.
	Join []GroupRef

	// Leave lists the memberships that the pool (after Apply and under Mirror)
	// or this side (after a revocation) no longer states, as they are to be. A
	// membership that nobody states any more is to be deleted.
	Leave []Membership

	// Grant lists the groups that the user is to be a member of by this side's
	// word, and was not.
	Grant []string

	// Define lists the groups, of those the pool had the user in, whose
	// definition the snapshot changes, as they are to be.
	Define []Group
}

// Decide says what s, which must be valid, changes about stored, which is nil for
// a person who is not known yet. It is the whole of a store's judgement:
//
//   - A statement about attributes older than stored.AsOf, or about groups older
//     than stored.GroupsAsOf, changes none of them. One of the same time does.
//   - Where everything is as stated, nothing is to be written, be the statement
//     newer or not. So order is kept among the statements that changed something.
//   - A sign-in counts whatever its order: the first is the earliest, the last
//     the latest.
func Decide(policy Policy, stored *User, s Snapshot, now time.Time) Plan {
	at, now := storedTime(s.At), storedTime(now)
	next := User{Issuer: s.Issuer, Subject: s.Subject, Enabled: true, Created: now}
	if stored != nil {
		next = clone(*stored)
	}
	plan := Plan{Change: Change{Created: stored == nil}}
	if stored != nil {
		before := clone(*stored)
		plan.Before = &before
	}

	fresh := stored == nil || !at.Before(stored.AsOf)
	if fresh {
		state(&next, s)
	}
	groupsFresh := s.GroupsKnown && (stored == nil || !at.Before(stored.GroupsAsOf))
	if groupsFresh {
		plan.stateGroups(policy, &next, s, at)
	}
	if s.SignIn {
		if next.FirstSignIn.IsZero() || at.Before(next.FirstSignIn) {
			next.FirstSignIn = at
		}
		if at.After(next.LastSignIn) {
			next.LastSignIn = at
		}
	}

	plan.conclude(next, now)
	if plan.Empty() {
		return plan
	}
	if fresh {
		plan.User.AsOf = at
	}
	if groupsFresh {
		plan.User.GroupsAsOf = at
	}
	return plan
}

// DecideGrant says what changes when stored is made a member of the named group
// by this side.
func DecideGrant(stored User, group string, now time.Time) Plan {
	before, next := clone(stored), clone(stored)
	plan := Plan{Change: Change{Before: &before}}
	i, found := findGroup(next.Groups, group)
	switch {
	case !found:
		next.Groups = slices.Insert(next.Groups, i, Membership{
			Group: Group{Issuer: stored.Issuer, Name: group, Origin: OriginLocal}, Local: true,
		})
		plan.Grant = []string{group}
	case !next.Groups[i].Local:
		next.Groups[i].Local = true
		plan.Grant = []string{group}
	}
	plan.conclude(next, storedTime(now))
	return plan
}

// DecideRevoke says what changes when this side no longer makes stored a member
// of the named group. A membership that the pool states remains.
func DecideRevoke(stored User, group string, now time.Time) Plan {
	before, next := clone(stored), clone(stored)
	plan := Plan{Change: Change{Before: &before}}
	if i, found := findGroup(next.Groups, group); found && next.Groups[i].Local {
		next.Groups[i].Local = false
		plan.leave(&next, i)
	}
	plan.conclude(next, storedTime(now))
	return plan
}

// MergeGroup says what a statement made at the given time changes about a group
// that is stored, and whether that is anything.
func MergeGroup(stored Group, ref GroupRef, at time.Time) (Group, bool) {
	next, at := stored, storedTime(at)
	if stored.Origin == OriginLocal {
		next.Origin = ref.Origin
	}
	if p := ref.Precedence; p != nil && !at.Before(stored.AsOf) && (stored.Precedence == nil || *stored.Precedence != *p) {
		value := *p
		next.Precedence, next.AsOf = &value, at
	}
	return next, next.Origin != stored.Origin || !equalInt(next.Precedence, stored.Precedence)
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
	if s.Enabled != nil {
		u.Enabled = *s.Enabled
	}
	if s.Status != "" {
		u.Status = s.Status
	}
}

// stateGroups overwrites the memberships of u that come from the pool.
func (p *Plan) stateGroups(policy Policy, u *User, s Snapshot, at time.Time) {
	stated := make(map[string]bool, len(s.Groups))
	for _, ref := range s.Groups {
		if stated[ref.Name] {
			continue
		}
		stated[ref.Name] = true
		if ref.Origin == "" {
			ref.Origin = groupOrigin(s.Issuer, ref.Name)
		}
		i, found := findGroup(u.Groups, ref.Name)
		if !found {
			u.Groups = slices.Insert(u.Groups, i, Membership{
				Group: Group{Issuer: s.Issuer, Name: ref.Name, Origin: ref.Origin, Precedence: ref.Precedence}, Pool: true,
			})
			p.Join = append(p.Join, ref)
			continue
		}
		m := &u.Groups[i]
		defined, changed := MergeGroup(m.Group, ref, at)
		m.Group = defined
		switch {
		case !m.Pool:
			m.Pool = true
			p.Join = append(p.Join, ref)
		case changed:
			p.Define = append(p.Define, defined)
		}
	}
	// Groups are locked in the order in which they are written: with the same
	// order everywhere, two users who share some do not deadlock.
	slices.SortFunc(p.Join, func(a, b GroupRef) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(p.Define, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	if policy == AddOnly {
		return
	}
	for i := len(u.Groups) - 1; i >= 0; i-- {
		if m := &u.Groups[i]; m.Pool && !stated[m.Name] {
			m.Pool = false
			p.leave(u, i)
		}
	}
}

// leave notes that one side no longer states a membership, and drops it from u if
// no side does.
func (p *Plan) leave(u *User, i int) {
	m := u.Groups[i]
	p.Leave = append(p.Leave, m)
	if !m.Pool && !m.Local {
		u.Groups = slices.Delete(u.Groups, i, i+1)
	}
}

// conclude compares what was with what is to be.
func (p *Plan) conclude(next User, now time.Time) {
	before := User{}
	if p.Before != nil {
		before = *p.Before
	}
	differ := func(field string, different bool) {
		if different {
			p.Fields = append(p.Fields, field)
		}
	}
	differ("custom", !maps.Equal(next.Custom, before.Custom))
	differ("email", next.Email != before.Email)
	differ("email_verified", next.EmailVerified != before.EmailVerified)
	differ("enabled", next.Enabled != before.Enabled)
	differ("family_name", next.FamilyName != before.FamilyName)
	differ("first_sign_in", !next.FirstSignIn.Equal(before.FirstSignIn))
	differ("given_name", next.GivenName != before.GivenName)
	differ("groups", len(p.Join)+len(p.Leave)+len(p.Grant)+len(p.Define) > 0)
	differ("last_sign_in", !next.LastSignIn.Equal(before.LastSignIn))
	differ("locale", next.Locale != before.Locale)
	differ("name", next.Name != before.Name)
	differ("phone_number", next.PhoneNumber != before.PhoneNumber)
	differ("phone_number_verified", next.PhoneNumberVerified != before.PhoneNumberVerified)
	differ("status", next.Status != before.Status)
	differ("username", next.Username != before.Username)

	p.GroupsAdded = missing(next.Groups, before.Groups)
	p.GroupsRemoved = missing(before.Groups, next.Groups)
	p.User = next
	if !p.Empty() {
		p.User.Updated = now
	}
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
