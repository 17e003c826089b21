package codegrant

import (
	"encoding/json"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// snapshot is what an ID token says about a person. A token states some of the
// attributes (scopes and the app client's rights decide which) and all groups.
func (a *Auth) snapshot(c *verify.Claims) replica.Snapshot {
	enabled := true // the pool issues no tokens to a disabled user
	s := replica.Snapshot{
		Issuer: c.Issuer, Subject: c.Subject,
		Username: c.Username, Email: c.Email, EmailVerified: c.EmailVerified,
		Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName,
		PhoneNumber: c.PhoneNumber, PhoneNumberVerified: c.PhoneNumberVerified, Locale: c.Locale,
		GroupsKnown: true, Enabled: &enabled, At: c.IssuedAt,
	}
	for _, name := range c.Groups {
		s.Groups = append(s.Groups, replica.GroupRef{Name: name})
	}
	for name, raw := range c.Custom {
		if s.Custom == nil {
			s.Custom = make(map[string]string)
		}
		// Cognito makes strings of them; a trigger can make anything.
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		s.Custom[name] = text
	}
	return s
}
