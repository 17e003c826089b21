package state

import (
	"maps"
	"slices"
	"strings"
)

// NewUser is what makes a user.
type NewUser struct {
	Username   string // empty where the e-mail address stands for it
	Attributes map[string]string
	Password   string
	Status     string // empty: CONFIRMED where there is a password
	Groups     []string
	Enabled    bool
	Hash       string // of an import: the algorithm, a colon, and a hash made elsewhere
	SMSMFA     bool   // of an import: has a code by SMS as a second factor
}

// CreateUser makes a user as an administrator does.
func (s *State) CreateUser(poolID string, n NewUser) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, err
	}
	u, err := s.addUser(p, n)
	if err != nil {
		return User{}, err
	}
	return u.clone(), s.saveLocked()
}

func (s *State) addUser(p *Pool, n NewUser) (*User, error) {
	u, err := s.draft(p, n)
	if err != nil {
		return nil, err
	}
	p.index.next++
	u.Order = p.index.next
	p.Users = append(p.Users, u)
	s.noteUser(p, u.Sub(), nil)
	return u, p.index.addUser(p.key(u.Username), u)
}

// draft checks what makes a user, and makes one who is not in the pool yet.
func (s *State) draft(p *Pool, n NewUser) (*User, error) {
	attributes := maps.Clone(n.Attributes)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	if attributes["sub"] == "" {
		attributes["sub"] = newID()
	}
	username := n.Username
	if n.Status == ExternalProvider {
		// Named after the provider, in every pool.
	} else if p.EmailAsUsername {
		if err := p.address(username, attributes); err != nil {
			return nil, err
		}
		username = attributes["sub"]
	} else if err := p.notAnAlias(username); err != nil {
		return nil, err
	}
	if username == "" || len(username) > 128 {
		return nil, refuse(InvalidParameter, "1 validation error detected: Value at 'username' failed to satisfy constraint: Member must have length between 1 and 128")
	}
	if !p.CaseSensitive {
		username = strings.ToLower(username)
	}
	p.fold(attributes)
	if p.index.names[p.key(username)] != nil || p.index.subs[attributes["sub"]] != nil {
		return nil, refuse(UsernameExists, "User already exists")
	}
	if other, name := p.holder(nil, attributes); other != nil && p.EmailAsUsername {
		return nil, refuse(UsernameExists, "An account with the given "+name+" already exists.")
	}
	for _, g := range n.Groups {
		if p.group(g) == nil {
			return nil, errNoGroup
		}
	}
	u := &User{
		Username: username, Attributes: attributes, Enabled: n.Enabled, Status: n.Status,
		Groups: slices.Clone(n.Groups), Created: s.now(), Modified: s.now(),
	}
	if u.Status == "" {
		u.Status = Confirmed
	}
	if n.Password != "" {
		if err := p.setPassword(u, n.Password); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// SetEnabled enables or disables a user. Disabling revokes every grant, and
// enabling again does not revive them.
func (s *State) SetEnabled(poolID, name string, enabled bool) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		u.Enabled = enabled
		if !enabled {
			s.revokeAll(p, u)
		}
		return nil
	})
}

// SignOutEverywhere revokes every grant of a user. The session of a browser on
// the login pages survives it, as at Cognito.
func (s *State) SignOutEverywhere(poolID, name string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		s.revokeAll(p, u)
		return nil
	})
}

// SetAttributes sets attributes, and removes those that are empty.
func (s *State) SetAttributes(poolID, name string, attributes map[string]string) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if _, ok := attributes["sub"]; ok {
			return refuse(InvalidParameter, "Cannot modify the non-mutable attribute sub")
		}
		for key, value := range attributes {
			if u.Attributes[key] = value; value == "" {
				delete(u.Attributes, key)
			}
		}
		return nil
	})
}

// DeleteUser removes a user and all that was granted to them. A new user of the
// same name has another sub.
func (s *State) DeleteUser(poolID, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	u := p.user(name)
	if u == nil {
		return errNoUser
	}
	s.revokeAll(p, u)
	was := u.clone()
	s.noteUser(p, u.Sub(), &was)
	p.removeUser(u)
	return s.saveLocked()
}

// address gives a user the address that they are called by, where they have it not
// already.
func (p *Pool) address(username string, attributes map[string]string) error {
	email, phone := slices.Contains(p.aliases(), "email"), slices.Contains(p.aliases(), "phone_number")
	switch {
	case p.standsElse(attributes):
	case email && plausibleEmail(username):
		attributes["email"] = username
	case phone && phonePattern.MatchString(username):
		attributes["phone_number"] = username
	case email && phone:
		return refuse(InvalidParameter, "Username should be either an email or a phone number.")
	case phone:
		return refuse(InvalidParameter, "Username should be a phone number.")
	default:
		return refuse(InvalidParameter, "Username should be an email.")
	}
	return nil
}

// notAnAlias refuses a username that looks like an alias of the pool.
func (p *Pool) notAnAlias(username string) error {
	switch {
	case slices.Contains(p.aliases(), "email") && strings.Contains(username, "@"):
		return refuse(InvalidParameter, "Username cannot be of email format, since user pool is configured for email alias.")
	case slices.Contains(p.aliases(), "phone_number") && phonePattern.MatchString(username):
		return refuse(InvalidParameter, "Username cannot be of phone number format, since user pool is configured for phone number alias.")
	}
	return nil
}
