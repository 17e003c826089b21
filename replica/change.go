package replica

import "slices"

// Change is what an operation changed about one user.
type Change struct {
	User   User  // as they are now
	Before *User // as they were; nil for a user who is new

	// Created says that the user is new. Adopted says that the application knew
	// them already, as Before, and that they are now linked to the pool.
	Created bool
	Adopted bool

	// Merged says that two people are now one: User is the identity by which From was known.
	// Everything that refers to From must now refer to Into. Nil in all other changes.
	Merged *Merged

	// Erased are the former rows of a person who was erased: User has the ID alone. Remove
	// everything that refers to one of them. Nil in all other changes.
	Erased []int64

	// Fields names what is different, sorted: username, email, email_verified, name,
	// given_name, family_name, phone_number, phone_number_verified, locale, custom, enabled,
	// status, deleted, first_sign_in, last_sign_in, linked_to, and groups. The last means that
	// a membership is different, or only which side gives it.
	Fields []string

	// GroupsAdded and GroupsRemoved name the groups that the user is now in, and is no longer
	// in. Sorted.
	GroupsAdded   []string
	GroupsRemoved []string
}

// Merged has the IDs of two people who are now one person.
type Merged struct {
	From int64 `json:"from"`
	Into int64 `json:"into"`
}

// Empty reports whether nothing has changed.
func (c Change) Empty() bool {
	return !c.Created && !c.Adopted && c.Erased == nil && len(c.Fields) == 0
}

// Confirmed reports whether a newer snapshot has the same data: only AsOf or GroupsAsOf of
// the user, or AsOf of a group, has changed. A store must keep these. Otherwise an older
// snapshot that arrives late would count as the newest.
func (c Change) Confirmed() bool {
	return c.Empty() && c.Before != nil &&
		(!c.User.AsOf.Equal(c.Before.AsOf) || !c.User.GroupsAsOf.Equal(c.Before.GroupsAsOf) ||
			!slices.EqualFunc(c.User.Groups, c.Before.Groups, func(a, b Membership) bool { return a.AsOf.Equal(b.AsOf) }))
}

// Has reports whether the named field is different.
func (c Change) Has(field string) bool { return slices.Contains(c.Fields, field) }
