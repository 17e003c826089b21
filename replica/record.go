package replica

import (
	"slices"
	"time"
)

// RecordVersion is the version of the records that this code writes. It increases when the
// meaning of something in a record changes. Additions do not increase it, so readers must
// ignore what they do not know.
const RecordVersion = 1

// These are the names of events in a [Record].
const (
	EventCreated  = "created"   // the person is new
	EventAdopted  = "adopted"   // an account that was there before is theirs now
	EventUpdated  = "updated"   // an attribute, or what custom holds, is different
	EventEnabled  = "enabled"   // they may sign in again
	EventDisabled = "disabled"  // they may not sign in any more
	EventDeleted  = "deleted"   // the pool no longer has them
	EventRestored = "restored"  // the pool has them again
	EventGroups   = "groups"    // a membership is different, be it only who states it
	EventSignedIn = "signed_in" // they signed in
	EventMerged   = "merged"    // they are the same person as another: see Merged
	EventUnlinked = "unlinked"  // they are a person of their own again
	EventErased   = "erased"    // nothing is kept of them any more: see Erased
)

// Record is a [Change] as JSON, for programs in any language that process it later. It has
// no secrets, but much personal data.
type Record struct {
	Version int `json:"version"` // RecordVersion of who wrote it

	// Events says what happened, sorted: one of the Event… constants at least.
	Events []string `json:"events"`

	// Fields, GroupsAdded and GroupsRemoved are those of the change. Never null.
	Fields        []string `json:"fields"`
	GroupsAdded   []string `json:"groups_added"`
	GroupsRemoved []string `json:"groups_removed"`

	// Merged is that of the change; left out where there is none.
	Merged *Merged `json:"merged,omitempty"`

	// Erased is that of the change; left out where there is none.
	Erased []int64 `json:"erased,omitempty"`

	// User is the person after the change. Of one who is erased it has the id alone.
	User RecordedUser `json:"user"`
}

// RecordedUser is a [User] in a [Record]. Unknown text is empty. A time that does not
// exist, such as the deletion of a live user, is left out.
type RecordedUser struct {
	ID                  int64             `json:"id"`
	LinkedTo            int64             `json:"linked_to,omitempty"` // the person, where that is another row
	Issuer              string            `json:"issuer"`
	Subject             string            `json:"subject"`
	Username            string            `json:"username"`
	Email               string            `json:"email"`
	EmailVerified       bool              `json:"email_verified"`
	Name                string            `json:"name"`
	GivenName           string            `json:"given_name"`
	FamilyName          string            `json:"family_name"`
	PhoneNumber         string            `json:"phone_number"`
	PhoneNumberVerified bool              `json:"phone_number_verified"`
	Locale              string            `json:"locale"`
	Custom              map[string]string `json:"custom"` // never null
	Enabled             bool              `json:"enabled"`
	Status              string            `json:"status"`
	Deleted             time.Time         `json:"deleted,omitzero"`
	FirstSignIn         time.Time         `json:"first_sign_in,omitzero"`
	LastSignIn          time.Time         `json:"last_sign_in,omitzero"`
	Created             time.Time         `json:"created"`
	Updated             time.Time         `json:"updated"`
	Groups              []RecordedGroup   `json:"groups"` // by name; never null
}

// RecordedGroup is a [Membership] in a [Record].
type RecordedGroup struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Origin     Origin `json:"origin"`
	Precedence *int   `json:"precedence,omitempty"`
	Pool       bool   `json:"pool"`
	Local      bool   `json:"local"`
}

// NewRecord returns the record of a change. The change must not be empty.
func NewRecord(c Change) Record {
	return Record{
		Version: RecordVersion, Events: eventsOf(c),
		Fields: listed(c.Fields), GroupsAdded: listed(c.GroupsAdded), GroupsRemoved: listed(c.GroupsRemoved),
		Merged: c.Merged, Erased: c.Erased, User: NewRecordedUser(c.User),
	}
}

// NewRecordedUser writes a user down.
func NewRecordedUser(u User) RecordedUser {
	r := RecordedUser{
		ID: u.ID, LinkedTo: u.LinkedTo, Issuer: u.Issuer, Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName,
		PhoneNumber: u.PhoneNumber, PhoneNumberVerified: u.PhoneNumberVerified, Locale: u.Locale,
		Custom: map[string]string{}, Enabled: u.Enabled, Status: u.Status,
		Deleted: inUTC(u.Deleted), FirstSignIn: inUTC(u.FirstSignIn), LastSignIn: inUTC(u.LastSignIn),
		Created: inUTC(u.Created), Updated: inUTC(u.Updated),
		Groups: make([]RecordedGroup, len(u.Groups)),
	}
	if len(u.Custom) > 0 {
		r.Custom = u.Custom
	}
	for i, m := range u.Groups {
		r.Groups[i] = RecordedGroup{m.ID, m.Name, m.Origin, m.Precedence, m.Pool, m.Local}
	}
	return r
}

// User is the user that was written down, as far as a record says.
func (u RecordedUser) User() User {
	r := User{
		ID: u.ID, LinkedTo: u.LinkedTo, Issuer: u.Issuer, Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName,
		PhoneNumber: u.PhoneNumber, PhoneNumberVerified: u.PhoneNumberVerified, Locale: u.Locale,
		Enabled: u.Enabled, Status: u.Status, Deleted: u.Deleted, FirstSignIn: u.FirstSignIn, LastSignIn: u.LastSignIn,
		Created: u.Created, Updated: u.Updated,
	}
	if len(u.Custom) > 0 {
		r.Custom = u.Custom
	}
	for _, g := range u.Groups {
		r.Groups = append(r.Groups, Membership{Group{ID: g.ID, Issuer: u.Issuer, Name: g.Name, Origin: g.Origin, Precedence: g.Precedence}, g.Pool, g.Local})
	}
	return r
}

// Happened reports whether the event, one of the Event… constants, is among those
// of the record.
func (r Record) Happened(event string) bool { return slices.Contains(r.Events, event) }

// InGroup is [User.InGroup] for the person after the change.
func (u RecordedUser) InGroup(name string) bool {
	return name != "" && u.Deleted.IsZero() && slices.ContainsFunc(u.Groups, func(g RecordedGroup) bool {
		return g.Name == name && g.Origin != OriginProvider
	})
}

func eventsOf(c Change) []string {
	if c.Erased != nil {
		return []string{EventErased}
	}
	before := User{Enabled: true} // a newcomer who is disabled was disabled
	if c.Before != nil {
		before = *c.Before
	}
	var events []string
	happened := func(event string, did bool) {
		if did {
			events = append(events, event)
		}
	}
	happened(EventAdopted, c.Adopted)
	happened(EventCreated, c.Created)
	happened(EventDeleted, before.Deleted.IsZero() && !c.User.Deleted.IsZero())
	happened(EventDisabled, before.Enabled && !c.User.Enabled)
	happened(EventEnabled, !before.Enabled && c.User.Enabled)
	happened(EventGroups, c.Has("groups"))
	happened(EventMerged, c.Merged != nil)
	happened(EventRestored, !before.Deleted.IsZero() && c.User.Deleted.IsZero())
	happened(EventSignedIn, c.Has("first_sign_in") || c.Has("last_sign_in"))
	happened(EventUnlinked, before.LinkedTo != 0 && c.User.LinkedTo == 0)
	happened(EventUpdated, len(events) == 0 || !c.Created && slices.ContainsFunc(c.Fields, func(field string) bool {
		switch field {
		case "deleted", "enabled", "first_sign_in", "groups", "last_sign_in", "linked_to":
			return false
		}
		return true
	}))
	return events
}

// listed is a list that JSON shows as one where it is empty, too.
func listed(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// inUTC keeps a time that is zero as it is.
func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
