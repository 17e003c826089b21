package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Snapshot is one user with groups as the pool stated them at one moment.
type Snapshot struct {
	Issuer  string // required
	Subject string // required

	Username            string
	Email               string
	EmailVerified       bool // belongs to Email and means nothing without it
	Name                string
	GivenName           string
	FamilyName          string
	PhoneNumber         string
	PhoneNumberVerified bool // belongs to PhoneNumber
	Locale              string
	Custom              map[string]string

	// Complete says that the source states every attribute, as the directory
	// does: what is empty here is empty in the pool. Where it is false, what is
	// empty is unknown and stays as it is. Tokens are of that kind: scopes and
	// the rights of the app client decide which claims they carry.
	Complete bool

	// Groups are all groups that the person is in, where GroupsKnown is set.
	// Where it is not, nothing is said about groups.
	Groups      []GroupRef
	GroupsKnown bool

	Enabled *bool  // nil: not stated. A user who was never stated to be disabled is enabled
	Status  string // empty: not stated

	// SignIn counts the snapshot as a sign-in of the person at At.
	SignIn bool

	// Entering says that the person asks to be let in, as at every SignIn: of one whom
	// the application keeps out nothing is written, and the change says that they are not
	// enabled.
	Entering bool

	// Of names an identity whose person this one is, where it is known that they are the
	// same: an account of another pool that moved here, say. It counts at the first sign-in
	// of an identity that is linked to nobody, or the first time that they enter; then the
	// change has LinkedTo set from the beginning. The store creates a row for the other
	// identity if it has none: the replica of its pool can be late, and fills it in. Where
	// it is of another issuer, and the person has an identity of this one that is not
	// deleted, it is [ErrConflict].
	// Nil: nobody.
	Of *Of

	// Pass names the reading of the whole pool that the snapshot is part of, for
	// [BatchStore.Sweep] to know whom it has seen. Empty: none.
	Pass string

	// At is when the pool made the statement: iat of a token, or the time of
	// reading. Required. Stores keep microseconds.
	At time.Time

	// GroupsAt is when it made that about groups, where that was another time: a
	// directory is read group by group before it is read user by user. Zero: At.
	GroupsAt time.Time
}

// Of is an identity that a [Snapshot] is linked to. All fields are required.
type Of struct {
	Issuer  string
	Subject string
	By      string // who says so, for linked_by
}

// Is reports whether u is the identity itself.
func (o Of) Is(u User) bool { return o.Issuer == u.Issuer && o.Subject == u.Subject }

// Snapshot is what is known of the identity by its name alone. Whatever its pool has said
// at any time is newer.
func (o Of) Snapshot() Snapshot {
	return Snapshot{Issuer: o.Issuer, Subject: o.Subject, At: time.Unix(0, 0)}
}

// GroupRef is one group of a [Snapshot].
type GroupRef struct {
	Name string

	// Origin is OriginPool or OriginProvider. Empty: whichever the name says,
	// given the issuer.
	Origin Origin

	// Precedence is nil where the source does not state it, as in tokens.
	Precedence *int
}

// Limits of what a replica takes. Whatever Cognito's quotas allow is within them.
const (
	MaxKeyBytes       = 255  // issuer, subject
	MaxAttributeBytes = 2048 // one attribute; also a username
	MaxGroupBytes     = 512  // name of a group: 128 characters of Cognito
	MaxCustom         = 100  // custom attributes of one user
	MaxCustomKeyBytes = 128  // name of one
	MaxGroups         = 1000 // groups of one snapshot
	MaxPassBytes      = 64   // name of a pass
)

// Validate reports every fault of s in one error that is [ErrInvalid]: what is
// missing, too long, not UTF-8, or holds control characters. Custom attributes
// may hold tabs and line breaks. [Snapshot.Fit] fixes some of these faults.
func (s Snapshot) Validate() error {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	for _, f := range []struct{ name, value string }{{"issuer", s.Issuer}, {"subject", s.Subject}} {
		if f.value == "" {
			fault(fmt.Errorf("%s is empty", f.name))
		}
		fault(checkText(f.name, f.value, MaxKeyBytes, ""))
	}
	for _, f := range []struct{ name, value string }{
		{"username", s.Username}, {"email", s.Email}, {"name", s.Name}, {"given_name", s.GivenName},
		{"family_name", s.FamilyName}, {"phone_number", s.PhoneNumber}, {"locale", s.Locale}, {"status", s.Status},
	} {
		fault(checkText(f.name, f.value, MaxAttributeBytes, ""))
	}
	fault(checkText("pass", s.Pass, MaxPassBytes, ""))
	if of := s.Of; of != nil {
		for _, f := range []struct{ name, value string }{{"issuer", of.Issuer}, {"subject", of.Subject}, {"by", of.By}} {
			if f.value == "" {
				fault(fmt.Errorf("%s of the other identity is empty", f.name))
			}
			fault(checkText(f.name+" of the other identity", f.value, MaxKeyBytes, ""))
		}
	}
	if len(s.Custom) > MaxCustom {
		fault(fmt.Errorf("%d custom attributes, at most %d are kept", len(s.Custom), MaxCustom))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Custom)) {
		if key == "" {
			fault(errors.New("a custom attribute has no name"))
		}
		fault(checkText("name of a custom attribute", key, MaxCustomKeyBytes, ""))
		fault(checkText(fmt.Sprintf("custom attribute %.64q", key), s.Custom[key], MaxAttributeBytes, allowedInCustom))
	}
	if len(s.Groups) > 0 && !s.GroupsKnown {
		fault(errors.New("groups are listed but not marked as known"))
	}
	if len(s.Groups) > MaxGroups {
		fault(fmt.Errorf("%d groups, at most %d are kept", len(s.Groups), MaxGroups))
	}
	for _, g := range s.Groups {
		fault(CheckGroupName(g.Name))
		if g.Origin != "" && g.Origin != OriginPool && g.Origin != OriginProvider {
			fault(fmt.Errorf("group %.64q has origin %q, which a pool cannot state", g.Name, g.Origin))
		}
	}
	if s.At.IsZero() {
		fault(errors.New("the time of the statement is missing"))
	}
	for _, at := range []time.Time{s.At, s.GroupsAt} {
		if year := at.UTC().Year(); !at.IsZero() && (year < 1970 || year > 9999) {
			fault(fmt.Errorf("the time of the statement is in the year %d", year))
		}
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%w snapshot: %w", ErrInvalid, errors.Join(faults...))
}

// CheckGroupName returns what is wrong with the name of a group, as an error that
// is [ErrInvalid], or nil.
func CheckGroupName(name string) error {
	if name == "" {
		return fmt.Errorf("%w group: the name is empty", ErrInvalid)
	}
	if err := checkText("name", name, MaxGroupBytes, ""); err != nil {
		return fmt.Errorf("%w group: %w", ErrInvalid, err)
	}
	return nil
}

func checkText(name, value string, maxBytes int, allowedControls string) error {
	switch {
	case len(value) > maxBytes:
		return fmt.Errorf("%s has %d bytes, at most %d are kept", name, len(value), maxBytes)
	case !utf8.ValidString(value):
		return fmt.Errorf("%s is not UTF-8", name)
	}
	for _, r := range value {
		if unicode.IsControl(r) && !strings.ContainsRune(allowedControls, r) {
			return fmt.Errorf("%s holds the control character %U", name, r)
		}
	}
	return nil
}

// groupOrigin tells the groups that Cognito makes for identity providers, named
// {pool id}_{provider}, by the pool id that every issuer ends with.
func groupOrigin(issuer, name string) Origin {
	pool := issuer[strings.LastIndexByte(issuer, '/')+1:]
	if pool != "" && strings.HasPrefix(name, pool+"_") {
		return OriginProvider
	}
	return OriginPool
}
