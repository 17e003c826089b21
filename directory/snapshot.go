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
		if strings.HasPrefix(name, "custom:") || name == "address" {
			if snapshot.Custom == nil {
				snapshot.Custom = make(map[string]string)
			}
			snapshot.Custom[name] = value
		}
	}
	return snapshot
}

// verified reads an attribute that Cognito keeps as text. Only "true" is true.
func verified(value string) bool { return value == "true" }
