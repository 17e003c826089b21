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
		if !fields[name] && !strings.HasPrefix(name, "cognito:") { // which is about the user, in an export

			if snapshot.Custom == nil {
				snapshot.Custom = make(map[string]string)
			}
			snapshot.Custom[name] = value
		}
	}
	return snapshot
}

// fields are the attributes that a snapshot has a field for. It keeps all others by their
// names, identities among them.
var fields = map[string]bool{
	"sub": true, "email": true, "email_verified": true, "name": true, "given_name": true, "family_name": true,
	"phone_number": true, "phone_number_verified": true, "locale": true,
}

// verified reads an attribute that Cognito keeps as text. Only "true" is true.
func verified(value string) bool { return value == "true" }
