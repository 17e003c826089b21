package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// NewUser is what makes a user.
type NewUser struct {
	Username   string // empty where the e-mail address stands for it
	Attributes map[string]string
	Password   string
	Status     string // empty: CONFIRMED where there is a password
	Groups     []string
	Enabled    bool
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
	attributes := maps.Clone(n.Attributes)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	if attributes["sub"] == "" {
		attributes["sub"] = newID()
	}
	username := n.Username
	if p.EmailAsUsername {
		if strings.Contains(username, "@") && attributes["email"] == "" {
			attributes["email"] = username
		}
		if attributes["email"] == "" {
			return nil, refuse(InvalidParameter, "Username should be an email.")
		}
		username = attributes["sub"]
	} else if strings.Contains(username, "@") {
		return nil, refuse(InvalidParameter, "Username cannot be of email format, since user pool is configured for email alias.")
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
	if p.EmailAsUsername && p.addressee(attributes["email"]) != nil {
		return nil, refuse(UsernameExists, "An account with the given email already exists.")
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
		if err := u.setPassword(n.Password); err != nil {
			return nil, err
		}
	}
	p.index.next++
	u.Order = p.index.next
	p.Users = append(p.Users, u)
	return u, p.index.addUser(p.key(username), u)
}

// Authenticate checks a password. The user is to be let in if the status is
// CONFIRMED, and asked for a new password if it is FORCE_CHANGE_PASSWORD.
func (s *State) Authenticate(poolID, name, password string) (User, error) {
	wrong := refuse(NotAuthorized, "Incorrect username or password.")
	s.mu.Lock()
	p, err := s.pool(poolID)
	if err != nil {
		s.mu.Unlock()
		return User{}, err
	}
	u := p.user(name)
	hashed, locked := dummyPassword, false
	if u != nil {
		hashed, locked = u.Password, s.now().Before(u.LockedUntil)
	}
	s.mu.Unlock()

	if locked {
		return User{}, refuse(NotAuthorized, "Password attempts exceeded")
	}
	// Outside the lock: it is slow on purpose, for people who do not exist too.
	ok := checkPassword(hashed, password)

	s.mu.Lock()
	defer s.mu.Unlock()
	if u = p.user(name); u == nil {
		return User{}, wrong
	}
	if !ok || u.Password != hashed {
		// Cognito locks after five bad passwords, for a second that doubles with
		// each further one, up to about fifteen minutes.
		if u.Failures++; u.Failures >= 5 {
			u.LockedUntil = s.now().Add(min(time.Second<<min(u.Failures-5, 20), 15*time.Minute))
		}
		if err := s.saveLocked(); err != nil {
			return User{}, err
		}
		return User{}, wrong
	}
	if u.Failures > 0 {
		u.Failures, u.LockedUntil = 0, time.Time{}
		if err := s.saveLocked(); err != nil {
			return User{}, err
		}
	}
	switch {
	case !u.Enabled:
		return User{}, refuse(NotAuthorized, "User is disabled.")
	case u.Status == Unconfirmed:
		return u.clone(), refuse(UserNotConfirmed, "User is not confirmed.")
	case u.Status == ResetRequired:
		return u.clone(), refuse(PasswordResetRequired, "Password reset required for the user")
	case u.Status == ForceChangePassword && !u.PasswordExpires.IsZero() && s.now().After(u.PasswordExpires):
		return User{}, refuse(NotAuthorized, "Temporary password has expired and must be reset by an administrator.")
	case u.Status == ExternalProvider:
		return User{}, wrong
	}
	return u.clone(), nil
}

// verified: the value may be in any case, as administrators write it.
func (u *User) verified() bool { return strings.EqualFold(u.Attributes["email_verified"], "true") }

// SignUp makes a user who has yet to confirm their address.
func (s *State) SignUp(clientID, username, password string, attributes map[string]string) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.client(clientID)
	if c == nil {
		return User{}, refuse(ResourceNotFound, fmt.Sprintf("User pool client %s does not exist.", clientID))
	}
	p, err := s.pool(c.PoolID)
	if err != nil {
		return User{}, err
	}
	if !p.SelfSignUp {
		return User{}, refuse(NotAuthorized, "SignUp is not permitted for this user pool")
	}
	if err := p.checkPolicy(password); err != nil {
		return User{}, err
	}
	if email := attributes["email"]; !plausibleEmail(email) {
		return User{}, refuse(InvalidParameter, "Invalid email address format.")
	}
	attributes = maps.Clone(attributes)
	attributes["email_verified"] = "false"
	delete(attributes, "sub")
	u, err := s.addUser(p, NewUser{Username: username, Attributes: attributes, Password: password, Status: Unconfirmed, Enabled: true})
	if err != nil {
		return User{}, err
	}
	s.sendCode(p, u, confirmSignUp)
	return u.clone(), s.saveLocked()
}

// ConfirmSignUp confirms a user by the code that was sent.
func (s *State) ConfirmSignUp(poolID, name, code string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != Unconfirmed {
			return refuse(NotAuthorized, "User cannot be confirmed. Current status is "+u.Status)
		}
		if err := s.useCode(u, confirmSignUp, code); err != nil {
			return err
		}
		// An address that somebody else verified before stays theirs.
		if p.holder(u, u.Attributes["email"], true) != nil {
			return errAlias
		}
		u.Status, u.Attributes["email_verified"] = Confirmed, "true"
		return nil
	})
}

// ResendCode sends a new confirmation code.
func (s *State) ResendCode(poolID, name string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != Unconfirmed {
			return refuse(InvalidParameter, "User is already confirmed.")
		}
		s.sendCode(p, u, confirmSignUp)
		return nil
	})
}

// ForgotPassword sends a code to set a new password with. It does not tell
// whether there is such a user.
func (s *State) ForgotPassword(poolID, name string) error {
	err := s.change(poolID, name, func(p *Pool, u *User) error {
		if !u.Enabled || u.Status == ForceChangePassword || u.Status == ExternalProvider || !u.verified() {
			return nil
		}
		s.sendCode(p, u, resetPassword)
		return nil
	})
	if e := (*Error)(nil); asError(err, &e) && e.Type == UserNotFound {
		return nil
	}
	return err
}

// ConfirmForgotPassword sets a new password by the code that was sent.
func (s *State) ConfirmForgotPassword(poolID, name, code, password string) error {
	err := s.change(poolID, name, func(p *Pool, u *User) error {
		if err := p.checkPolicy(password); err != nil {
			return err
		}
		if err := s.useCode(u, resetPassword, code); err != nil {
			return err
		}
		u.Failures, u.LockedUntil, u.PasswordExpires, u.Status = 0, time.Time{}, time.Time{}, Confirmed
		return u.setPassword(password)
	})
	if e := (*Error)(nil); asError(err, &e) && e.Type == UserNotFound {
		return refuse(CodeMismatch, "Invalid verification code provided, please try again.")
	}
	return err
}

// SetPassword sets a password; one that is not permanent has to be changed at the
// next sign-in.
func (s *State) SetPassword(poolID, name, password string, permanent bool) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if err := p.checkPolicy(password); err != nil {
			return err
		}
		u.Status = ForceChangePassword
		u.PasswordExpires = s.now().Add(temporaryPasswords)
		if permanent {
			u.Status, u.PasswordExpires = Confirmed, time.Time{}
		}
		u.Failures, u.LockedUntil = 0, time.Time{}
		return u.setPassword(password)
	})
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
	p.removeUser(u)
	return s.saveLocked()
}
