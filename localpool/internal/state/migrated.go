package state

import (
	"cmp"
	"maps"
	"slices"
)

// Migrated is somebody whom a function brings from elsewhere.
type Migrated struct {
	NewUser
	Quiet      bool     // sends no welcome
	Mediums    []string // of the welcome: EMAIL, SMS; none: SMS
	ForceAlias bool     // takes the address from whoever has it
	SMSMFA     bool     // has them enter a code by SMS at each sign-in
}

// hiddenPassword is in a welcome in the place of a password that the user chose elsewhere.
const hiddenPassword = "********"

// Migrate makes a user of somebody from elsewhere, and welcomes them. The password need not
// follow the policy; the attributes have to fit the schema.
// (Unconfirmed: "the welcome to a user whom `UserMigration` brings".)
func (s *State) Migrate(poolID string, m Migrated) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, err
	}
	attributes := maps.Clone(m.Attributes)
	if p.EmailAsUsername {
		if err := p.address(m.Username, attributes); err != nil {
			return User{}, err
		}
	}
	if err := cmp.Or(p.checkAttributes(attributes, nil, byAdmin), p.missing(attributes)); err != nil {
		return User{}, err
	}
	if m.SMSMFA && (attributes["phone_number"] == "" || !p.sends(SMSMFA)) {
		return User{}, refuse(InvalidParameter, "enableSMSMFA needs a phone number, and a pool that has SMS codes as a second factor.")
	}
	var before *User
	var alias string
	if !p.EmailAsUsername {
		before, alias = p.holder(nil, attributes)
	}
	if before != nil && (!m.ForceAlias || alias == "preferred_username") {
		return User{}, taken(alias)
	}
	m.Attributes = attributes
	u, err := s.addUser(p, m.NewUser)
	if err != nil {
		return User{}, err
	}
	if before != nil {
		before.Attributes[alias+"_verified"], before.Modified = "false", s.now()
	}
	if m.SMSMFA {
		u.MFA = map[string]Factor{SMSMFA: {On: true, Prefer: true}}
	}
	mediums := m.Mediums
	if len(mediums) == 0 {
		mediums = []string{"SMS"}
	}
	for _, medium := range slices.Compact(slices.Sorted(slices.Values(mediums))) {
		if to := u.Attributes[mediumOf[medium]]; to != "" && !m.Quiet {
			s.send(p, u, invitation, forInvitation, hiddenPassword, to)
		}
	}
	return u.clone(), s.saveLocked()
}
