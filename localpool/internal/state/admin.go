package state

import (
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"time"
)

// Invitation is what an administrator makes a user of.
type Invitation struct {
	Username   string
	Attributes map[string]string
	Password   string // temporary; empty: one is made up
	Quiet      bool   // sends nothing
	ForceAlias bool   // takes the address from whoever has it
}

// temporaryPasswords live so long. Then an administrator has to invite again.
const temporaryPasswords = 7 * 24 * time.Hour

// Invite makes a user who has to change the password at the first sign-in, and
// sends them the password. ask, unless it is nil, is asked first about the user who
// is about to be made; the state is not locked meanwhile.
func (s *State) Invite(poolID string, n Invitation, ask func(User) error) (User, error) {
	sub := newID()
	if ask != nil {
		u, err := s.invite(poolID, n, sub, false)
		if err != nil {
			return User{}, err
		}
		if err := ask(u); err != nil {
			return User{}, err
		}
	}
	return s.invite(poolID, n, sub, true)
}

// invite makes a user, or sees whether it could.
func (s *State) invite(poolID string, n Invitation, sub string, really bool) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return User{}, err
	}
	attributes := maps.Clone(n.Attributes)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	if p.EmailAsUsername && attributes["email"] == "" {
		attributes["email"] = n.Username
		if !plausibleEmail(n.Username) {
			return User{}, refuse(InvalidParameter, "Username should be an email.")
		}
	}
	if err := checkAttributes(attributes, byAdmin); err != nil {
		return User{}, err
	}
	if attributes["email"] == "" && attributes["email_verified"] != "" {
		return User{}, refuse(InvalidParameter, "email is required to verify/un-verify email")
	}
	password, err := p.temporary(n.Password)
	if err != nil {
		return User{}, err
	}
	var before *User
	if !p.EmailAsUsername {
		before = p.holder(nil, attributes["email"], strings.EqualFold(attributes["email_verified"], "true"))
	}
	if before != nil && !n.ForceAlias {
		return User{}, errAlias
	}
	attributes["sub"] = sub
	made := NewUser{Username: n.Username, Attributes: attributes, Password: password, Status: ForceChangePassword, Enabled: true}
	if !really {
		made.Password = "" // which takes a while
		u, err := s.draft(p, made)
		if err != nil {
			return User{}, err
		}
		return u.clone(), nil
	}
	u, err := s.addUser(p, made)
	if err != nil {
		return User{}, err
	}
	if before != nil {
		before.Attributes["email_verified"], before.Modified = "false", s.now()
	}
	u.PasswordExpires = s.now().Add(temporaryPasswords)
	if !n.Quiet {
		s.send(p, u, invitation, password)
	}
	return u.clone(), s.saveLocked()
}

// InviteAgain sends a user who never signed in a new temporary password.
func (s *State) InviteAgain(poolID, name, password string) (User, error) {
	var invited User
	err := s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != ForceChangePassword {
			return refuse(UnsupportedUserState, fmt.Sprintf("Resend not possible. %s status is not FORCE_CHANGE_PASSWORD", u.Status))
		}
		password, err := p.temporary(password)
		if err != nil {
			return err
		}
		u.Failures, u.LockedUntil, u.PasswordExpires = 0, time.Time{}, s.now().Add(temporaryPasswords)
		s.send(p, u, invitation, password)
		err = p.setPassword(u, password)
		invited = u.clone()
		return err
	})
	return invited, err
}

// temporary returns a password that the policy allows: the given one, or one that
// it makes up.
func (p *Pool) temporary(password string) (string, error) {
	if password != "" {
		return password, p.checkPolicy(password)
	}
	sets := []string{"ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "!#$%&*+-=?@"}
	sets = append(sets, strings.Join(sets, ""))
	b := make([]byte, max(p.PasswordMin, 8))
	for i := range b {
		set := sets[min(i, len(sets)-1)]
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(set))))
		if err != nil {
			return "", fmt.Errorf("make up a password: %w", err)
		}
		b[i] = set[n.Int64()]
	}
	return string(b), nil
}

// ConfirmUser confirms a user without a code. The address stays unverified.
func (s *State) ConfirmUser(poolID, name string) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if u.Status != Unconfirmed {
			return refuse(NotAuthorized, "User cannot be confirmed. Current status is "+u.Status)
		}
		u.Status = Confirmed
		return nil
	})
}

// ResetPassword has a user set a new password by a code, which it sends, before
// they can sign in again.
func (s *State) ResetPassword(poolID, name string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		switch {
		case u.Status != Confirmed && u.Status != ResetRequired:
			return refuse(NotAuthorized, "User password cannot be reset in the current state.")
		case !u.verified():
			return refuse(InvalidParameter, "Cannot reset password for the user as there is no registered/verified email or phone_number")
		}
		u.Status = ResetRequired
		s.sendCode(p, u, resetPassword)
		return nil
	})
}
