package directory

import (
	"strings"

	"github.com/codegrant/codegrant/replica"
)

// snapshot is what a source says about a user, groups apart.
func (s *Sync) snapshot(u User) replica.Snapshot {
	a := u.Attributes
	enabled := u.Enabled
	snapshot := replica.Snapshot{
		Issuer: s.Issuer, Subject: u.Subject(), Username: u.Username,
		Email: a["email"], EmailVerified: verified(a["email_verified"]),
		Name: a["name"], GivenName: a["given_name"], FamilyName: a["family_name"],
		PhoneNumber: a["phone_number"], PhoneNumberVerified: verified(a["phone_number_verified"]),
		Locale: a["locale"], Complete: true, Enabled: &enabled, Status: u.Status, At: u.AsOf,
	}
	for name, value := range a {
		if strings.HasPrefix(name, "custom:") {
			if snapshot.Custom == nil {
				snapshot.Custom = make(map[string]string)
			}
			snapshot.Custom[name] = value
		}
	}
	return snapshot
}

// verified reads an attribute that Cognito keeps as text, and as an administrator
// wrote it.
func verified(value string) bool { return strings.EqualFold(value, "true") }

// reduce takes out of a snapshot what makes it invalid, until it is not. What is
// left out stays in the replica as it is.
func reduce(s replica.Snapshot) replica.Snapshot {
	s.Complete = false
	valid := func(edit func(*replica.Snapshot)) bool {
		alone := replica.Snapshot{Issuer: s.Issuer, Subject: s.Subject, At: s.At, GroupsKnown: s.GroupsKnown}
		edit(&alone)
		return alone.Validate() == nil
	}
	for _, field := range []func(*replica.Snapshot) *string{
		func(s *replica.Snapshot) *string { return &s.Username },
		func(s *replica.Snapshot) *string { return &s.Email },
		func(s *replica.Snapshot) *string { return &s.Name },
		func(s *replica.Snapshot) *string { return &s.GivenName },
		func(s *replica.Snapshot) *string { return &s.FamilyName },
		func(s *replica.Snapshot) *string { return &s.PhoneNumber },
		func(s *replica.Snapshot) *string { return &s.Locale },
		func(s *replica.Snapshot) *string { return &s.Status },
	} {
		value := field(&s)
		if !valid(func(alone *replica.Snapshot) { *field(alone) = *value }) {
			*value = ""
		}
	}
	custom := s.Custom
	s.Custom = nil
	for name, value := range custom {
		if len(s.Custom) < replica.MaxCustom && valid(func(alone *replica.Snapshot) { alone.Custom = map[string]string{name: value} }) {
			if s.Custom == nil {
				s.Custom = make(map[string]string)
			}
			s.Custom[name] = value
		}
	}
	groups := s.Groups
	s.Groups = nil
	for _, g := range groups {
		if len(s.Groups) < replica.MaxGroups && valid(func(alone *replica.Snapshot) { alone.Groups, alone.GroupsKnown = []replica.GroupRef{g}, true }) {
			s.Groups = append(s.Groups, g)
		}
	}
	return s
}
