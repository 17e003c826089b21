package state

import (
	"maps"
	"time"
)

// Authenticate checks a password. The user is to be let in if the status is
// CONFIRMED, and asked for a new password if it is FORCE_CHANGE_PASSWORD.
func (s *State) Authenticate(poolID, name, password string) (User, error) {
	u, err := s.attempt(poolID, name, func(hashed, _ string) bool { return s.proved.check(hashed, password) })
	if err != nil || foreign(u.Password) == nil {
		return u, err
	}
	// Only now is the password known, which the other way to sign in is made of.
	err = s.change(poolID, name, func(p *Pool, u *User) error { return p.setPassword(u, password) })
	return u, err
}

// attempt counts wrong passwords, and says who may sign in with a right one. check
// is given what is kept of the password, outside the lock: it is slow on purpose,
// for people who do not exist too.
func (s *State) attempt(poolID, name string, check func(hashed, srp string) bool) (User, error) {
	wrong := refuse(NotAuthorized, "Incorrect username or password.")
	s.mu.Lock()
	p, err := s.pool(poolID)
	if err != nil {
		s.mu.Unlock()
		return User{}, err
	}
	u := p.user(name)
	hashed, srp, locked := dummyPassword, "", false
	if u != nil {
		hashed, srp, locked = u.Password, u.SRP, s.now().Before(u.LockedUntil)
	}
	s.mu.Unlock()

	if locked {
		return User{}, errLocked
	}
	ok := check(hashed, srp)

	s.mu.Lock()
	defer s.mu.Unlock()
	if p, err = s.pool(poolID); err != nil { // it may be another one since
		return User{}, err
	}
	if u = p.user(name); u == nil {
		return User{}, wrong
	}
	if !ok || u.Password != hashed {
		u.Failures++
		s.lockAfter(u, u.Failures)
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
		return User{}, errDisabled
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

// lockAfter locks a user: Cognito does so after five failures, for a second that
// doubles with each further one, up to about fifteen minutes.
func (s *State) lockAfter(u *User, failures int) {
	if failures >= 5 {
		u.LockedUntil = s.now().Add(min(time.Second<<min(failures-5, 20), 15*time.Minute))
	}
}

// SetPassword sets a password; one that is not permanent has to be changed at the
// next sign-in.
func (s *State) SetPassword(poolID, name, password string, permanent bool) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if err := p.checkNew(u, password); err != nil {
			return err
		}
		u.Status = ForceChangePassword
		u.PasswordExpires = s.now().Add(p.temporaryPassword())
		if permanent {
			u.Status, u.PasswordExpires = Confirmed, time.Time{}
		}
		u.Failures, u.LockedUntil = 0, time.Time{}
		return p.setPassword(u, password)
	})
}

// ChoosePassword is how a user with a temporary password ends it. They may set
// attributes too.
func (s *State) ChoosePassword(poolID, name, password string, attributes map[string]string) (User, error) {
	var chosen User
	err := s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != ForceChangePassword {
			return refuse(NotAuthorized, "User password cannot be changed in the current state.")
		}
		if err := p.checkNew(u, password); err != nil {
			return err
		}
		for _, name := range addresses {
			if attributes[name] != "" && p.EmailAsUsername && p.stands(u.Attributes, name) {
				return refuse(NotAuthorized, "Cannot modify an already provided "+name)
			}
		}
		all := maps.Clone(u.Attributes)
		maps.Copy(all, attributes)
		if err := p.missing(all); err != nil {
			return err
		}
		if _, err := s.setAttributes(p, u, attributes, byUser); err != nil {
			return err
		}
		u.Status, u.PasswordExpires = Confirmed, time.Time{}
		if err := p.setPassword(u, password); err != nil {
			return err
		}
		chosen = u.clone()
		return nil
	})
	return chosen, err
}
