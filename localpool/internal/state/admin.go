package state

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Invitation is what an administrator makes a user of.
type Invitation struct {
	Username   string
	Attributes map[string]string
	Password   string   // temporary; empty: one is made up
	Quiet      bool     // sends nothing
	Mediums    []string // EMAIL, SMS; none: SMS, or else EMAIL
	ForceAlias bool     // takes the address from whoever has it
}

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
	if p.EmailAsUsername {
		if err := p.address(n.Username, attributes); err != nil {
			return User{}, err
		}
	}
	if err := p.checkAttributes(attributes, nil, byAdmin); err != nil {
		return User{}, err
	}
	for _, name := range addresses {
		if attributes[name] == "" && attributes[name+"_verified"] != "" {
			return User{}, refuse(InvalidParameter, fmt.Sprintf("%s is required to verify/un-verify %s", name, name))
		}
	}
	without := n.Password == "" && p.passwordless()
	password := ""
	if without {
		if err := p.missing(attributes); err != nil {
			return User{}, err
		}
	} else if password, err = p.temporary(n.Password); err != nil {
		return User{}, err
	}
	var before *User
	var alias string
	if !p.EmailAsUsername {
		before, alias = p.holder(nil, attributes)
	}
	if before != nil && (!n.ForceAlias || alias == "preferred_username") {
		return User{}, taken(alias)
	}
	p.fold(attributes)
	var to []string
	if !n.Quiet {
		if to, err = inviteTo(attributes, n.Mediums); err != nil {
			return User{}, err
		}
	}
	attributes["sub"] = sub
	made := NewUser{Username: n.Username, Attributes: attributes, Password: password, Status: ForceChangePassword, Enabled: true}
	if without {
		made.Status = Confirmed
	}
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
		before.Attributes[alias+"_verified"], before.Modified = "false", s.now()
	}
	if !without {
		u.PasswordExpires = s.now().Add(p.temporaryPassword())
	}
	for _, address := range to {
		s.send(p, u, invitation, forInvitation, password, address)
	}
	return u.clone(), s.saveLocked()
}

// InviteAgain sends a user who never signed in a new temporary password.
func (s *State) InviteAgain(poolID, name, password string, mediums []string) (User, error) {
	var invited User
	err := s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != ForceChangePassword {
			return refuse(UnsupportedUserState, fmt.Sprintf("Resend not possible. %s status is not FORCE_CHANGE_PASSWORD", u.Status))
		}
		password, err := p.temporary(password)
		if err != nil {
			return err
		}
		to, err := inviteTo(u.Attributes, mediums)
		if err != nil {
			return err
		}
		u.Failures, u.LockedUntil, u.PasswordExpires = 0, time.Time{}, s.now().Add(p.temporaryPassword())
		for _, address := range to {
			s.send(p, u, invitation, forInvitation, password, address)
		}
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
	b := make([]byte, max(p.PasswordMin, 8)) // of all kinds, whatever the policy asks
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

// mediumOf is the attribute that a medium needs.
var mediumOf = map[string]string{"EMAIL": "email", "SMS": "phone_number"}

// inviteTo is where an invitation goes: to the address of each medium, which has to be
// there. Without a medium, it goes to the phone number, or else to the e-mail address.
// (Unconfirmed: "an invitation by SMS to a user without a phone number".)
func inviteTo(attributes map[string]string, mediums []string) (to []string, err error) {
	if len(mediums) == 0 {
		return []string{cmp.Or(attributes["phone_number"], attributes["email"])}, nil
	}
	for _, medium := range slices.Compact(slices.Sorted(slices.Values(mediums))) {
		switch address := attributes[mediumOf[medium]]; {
		case address != "":
			to = append(to, address)
		case medium == "EMAIL":
			return nil, refuse(InvalidParameter, "No email provided but desired delivery medium was Email")
		default:
			return nil, refuse(InvalidParameter, "No phone number provided but desired delivery medium was Sms")
		}
	}
	return to, nil
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
		}
		to, err := p.recovering(u)
		if err != nil {
			return err
		}
		u.Status = ResetRequired
		s.sendCode(p, u, resetPassword, forForgotten, to)
		return nil
	})
}
