package directory

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source is a user pool to read. Its methods are safe for concurrent use.
//
// An empty page may not be the last: the last page has no Next. Pages have no guaranteed
// order. They do not show a single moment, but they contain everybody who was there the
// whole time.
//
// Every error that is not about a user, a group or a cursor is [ErrUnavailable],
// [ErrRefused] or the error of an ended context. It says nothing about any person.
type Source interface {
	// Users returns one page of the users, all their attributes included.
	Users(ctx context.Context, q UserQuery) (UserPage, error)

	// Groups returns one page of the groups. It returns [ErrNoGroups] where the
	// source does not know of groups at all.
	Groups(ctx context.Context, after string) (GroupPage, error)

	// Members returns one page of the subjects of the members of a group. It
	// returns [ErrNotFound] where there is no such group.
	Members(ctx context.Context, group, after string) (MemberPage, error)

	// User looks one user up, and returns [ErrNotFound] where there is none.
	User(ctx context.Context, subject string) (User, error)
}

// UserQuery asks a [Source] for a page of users.
type UserQuery struct {
	Prefix string // keeps the users whose subject begins with it; empty: all
	After  string // Next of the page before; empty: from the start
}

// UserPage is one page of users.
type UserPage struct {
	Users []User
	Next  string    // for After; empty: this is the last page
	AsOf  time.Time // a moment before the source was asked
}

// GroupPage is one page of groups.
type GroupPage struct {
	Groups []Group
	Next   string
	AsOf   time.Time
}

// MemberPage is one page of the members of a group.
type MemberPage struct {
	Subjects []string
	Next     string
	AsOf     time.Time
}

// User is a user as a source shows them.
type User struct {
	Username   string
	Enabled    bool
	Status     string            // CONFIRMED, EXTERNAL_PROVIDER …
	Attributes map[string]string // by the pool's names, sub among them
	Modified   time.Time         // zero: not stated
	AsOf       time.Time         // a moment before the source was asked
}

// Subject returns the attribute sub, which names the person for ever.
func (u User) Subject() string { return u.Attributes["sub"] }

// Group is a group as a source shows it.
type Group struct {
	Name        string
	Precedence  *int // nil: none
	Description string
	RoleARN     string    // of the role of AWS's that members may take; empty: none
	Modified    time.Time // zero: not stated
}

// Verdicts of sources.
var (
	// ErrNotFound: the source has no such user or group.
	ErrNotFound = errors.New("not found")

	// ErrNoGroups: the source does not know of groups, as an export of the users
	// alone. It is not the same as a pool without groups.
	ErrNoGroups = errors.New("the source does not know of groups")

	// ErrStaleCursor: the source no longer goes on after such a page; begin
	// again. Cognito forgets within the hour how far a listing was.
	ErrStaleCursor = errors.New("the listing cannot continue: begin again")

	// ErrUnavailable: the source is down or slow, or its answer makes no sense. Trying again
	// may help.
	ErrUnavailable = errors.New("directory unavailable")

	// ErrThrottled: the source throttled the calls for longer than Patience. It is also
	// [ErrUnavailable].
	ErrThrottled = fmt.Errorf("%w: asked too often", ErrUnavailable)

	// ErrRefused: the source refuses to answer with this configuration. Trying again does not
	// help.
	ErrRefused = errors.New("the directory refuses")
)
