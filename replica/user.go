package replica

import (
	"slices"
	"time"
)

// User is one person as the replica knows them.
type User struct {
	// ID is the key of the row. It is never given to another person.
	ID int64

	// Issuer and Subject (the sub claim) name the person for ever.
	Issuer  string
	Subject string

	// LinkedTo is the ID of the person, if the person has several identities and is known by
	// another one. 0: the person is known by this one. All other fields, including groups,
	// belong to this identity only. See [User.Person].
	LinkedTo int64

	// Username is unique in the pool at any moment, but can be given to somebody
	// else once its owner is deleted.
	Username string

	// Email is not unique. Trust it only when EmailVerified is set.
	Email         string
	EmailVerified bool

	Name                string // the whole name
	GivenName           string
	FamilyName          string
	PhoneNumber         string // E.164, as Cognito keeps it
	PhoneNumberVerified bool
	Locale              string

	// Custom holds further attributes under the pool's own names: those that begin
	// with "custom:", such as "custom:department", "address", as one text, and, of a
	// directory, every other that it has, such as "birthdate" and "identities". Nil
	// where there are none.
	Custom map[string]string

	Enabled bool   // the pool lets the person sign in
	Status  string // as the pool spells it (CONFIRMED, EXTERNAL_PROVIDER …); empty: never stated

	// Deleted is when a sweep found that the pool no longer has the person. Zero: the pool has
	// them. Newer data of the pool brings them back.
	Deleted time.Time

	Groups []Membership // sorted by name

	FirstSignIn time.Time // zero: never
	LastSignIn  time.Time // zero: never
	Created     time.Time // of the row
	Updated     time.Time // when the row or a membership was last written

	// AsOf and GroupsAsOf are the times of the newest data about the attributes and the
	// memberships, even if it changed nothing. Older data changes nothing.
	AsOf       time.Time
	GroupsAsOf time.Time // zero: no statement has named groups yet
}

// Person returns the ID of the person, whichever of their identities this is. Refer to it
// in your own tables.
func (u User) Person() int64 {
	if u.LinkedTo != 0 {
		return u.LinkedTo
	}
	return u.ID
}

// InGroup reports whether the user is in the named group, compared byte for byte. The empty
// name matches nobody. The groups that Cognito makes for identity providers match nobody
// either: they say where a person came from, not what they may do. A deleted user is in no
// group.
func (u User) InGroup(name string) bool {
	return name != "" && u.Deleted.IsZero() && slices.ContainsFunc(u.Groups, func(m Membership) bool {
		return m.Name == name && m.Origin != OriginProvider
	})
}

// Group is a group of one issuer. Its name is unique there.
type Group struct {
	ID     int64
	Issuer string
	Name   string
	Origin Origin

	// Precedence orders the groups of a person, the lowest first. Nil where none
	// was stated: such groups come last.
	Precedence *int

	Created time.Time
	Updated time.Time
	AsOf    time.Time // of the statement that Precedence comes from
}

// GroupDefinition is what a group of the pool is, apart from who is in it.
type GroupDefinition struct {
	Name        string
	Precedence  *int // nil: none
	Description string
	RoleARN     string // of the role of AWS's that members may take; empty: none
}

// Equal reports whether nothing is different.
func (g GroupDefinition) Equal(o GroupDefinition) bool {
	return g.Name == o.Name && equalInt(g.Precedence, o.Precedence) && g.Description == o.Description && g.RoleARN == o.RoleARN
}

// Origin says where a group comes from.
type Origin string

const (
	// OriginPool marks a group that somebody made in the pool.
	OriginPool Origin = "pool"

	// OriginProvider marks a group that Cognito made by itself for an identity
	// provider. Its name starts with the id of the pool and an underscore.
	OriginProvider Origin = "provider"

	// OriginLocal marks a group that exists only in the replica. If the pool later has a group
	// of that name, it becomes the pool's.
	OriginLocal Origin = "local"
)

// Membership is a group of a user, and which side gives it. At least one of Pool and Local
// is set.
type Membership struct {
	Group
	Pool  bool // the pool states it
	Local bool // it was granted here, and only here it can be revoked
}
