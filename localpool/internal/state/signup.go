package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Verdict is what is said of a user who is about to sign up.
type Verdict struct {
	Confirm     bool // without a code
	VerifyEmail bool
	VerifyPhone bool
}

// SignUp makes a user who has yet to confirm their address. ask, unless it is nil,
// is asked first about the user who is about to be made; the state is not locked
// meanwhile.
func (s *State) SignUp(clientID, username, password string, attributes map[string]string, ask func(User) (Verdict, error)) (User, error) {
	n := NewUser{Username: username, Attributes: attributes, Password: password}
	sub, v := newID(), Verdict{}
	if ask != nil {
		u, err := s.signUp(clientID, n, sub, nil)
		if err != nil {
			return User{}, err
		}
		if v, err = ask(u); err != nil {
			return User{}, err
		}
	}
	return s.signUp(clientID, n, sub, &v)
}

// signUp makes a user, or, without a verdict, sees whether it could.
func (s *State) signUp(clientID string, n NewUser, sub string, v *Verdict) (User, error) {
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
	if n.Password != "" || !p.passwordless() {
		if err := p.checkPolicy(n.Password); err != nil {
			return User{}, err
		}
	}
	if !c.Writes(n.Attributes) {
		return User{}, errUnauthorizedWrite
	}
	attributes := maps.Clone(n.Attributes)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	if email, given := attributes["email"]; given && !plausibleEmail(email) {
		return User{}, refuse(InvalidParameter, "Invalid email address format.")
	}
	if p.EmailAsUsername {
		if err := p.address(n.Username, attributes); err != nil {
			return User{}, err
		}
	}
	if err := p.checkAttributes(attributes, nil, byUser); err != nil {
		return User{}, err
	}
	if err := p.missing(attributes); err != nil {
		return User{}, err
	}
	for _, a := range addresses {
		if attributes[a] != "" && v != nil { // a function that is asked before sees what was sent
			attributes[a+"_verified"] = "false"
		}
	}
	attributes["sub"] = sub
	made := NewUser{Username: n.Username, Attributes: attributes, Password: n.Password, Status: Unconfirmed, Enabled: true}
	if v == nil {
		made.Password = "" // which takes a while
		u, err := s.draft(p, made)
		if err != nil {
			return User{}, err
		}
		return u.clone(), nil
	}
	if v.Confirm {
		made.Status = Confirmed
	}
	if err := p.verifyAtSignUp(attributes, *v); err != nil {
		return User{}, err
	}
	u, err := s.addUser(p, made)
	if err != nil {
		return User{}, err
	}
	if to := p.verifying(attributes); to != "" && !v.Confirm {
		s.sendCode(p, u, confirmSignUp, forSignUp, to)
	}
	return u.clone(), s.saveLocked()
}

// passwordless reports whether users need no password.
func (p *Pool) passwordless() bool {
	allowed := p.rules.Policies.SignInPolicy.AllowedFirstAuthFactors
	return slices.Contains(allowed, EmailMFA) || slices.Contains(allowed, "SMS_OTP")
}

// verifyAtSignUp verifies the addresses of a verdict, which have to be there.
func (p *Pool) verifyAtSignUp(attributes map[string]string, v Verdict) error {
	for name, verify := range map[string]bool{"email": v.VerifyEmail, "phone_number": v.VerifyPhone} {
		switch {
		case !verify:
			continue
		case attributes[name] == "":
			return refuse(InvalidLambdaResponse, "Cannot verify "+name+": the user has none.")
		}
		attributes[name+"_verified"] = "true"
		if other, alias := p.holder(nil, attributes); other != nil && !p.EmailAsUsername {
			return taken(alias)
		}
	}
	return nil
}

// ConfirmSignUp confirms a user by the code that was sent. An address that
// somebody else verified before stays theirs, unless it is taken by force.
func (s *State) ConfirmSignUp(poolID, name, code string, force bool) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != Unconfirmed {
			return refuse(NotAuthorized, "User cannot be confirmed. Current status is "+u.Status)
		}
		to := cmp.Or(u.Pending[confirmSignUp].Attribute, "email")
		if err := s.useCode(u, confirmSignUp, code); err != nil {
			return err
		}
		after := maps.Clone(u.Attributes)
		after[to+"_verified"] = "true"
		if before, alias := p.holder(u, after); before != nil {
			if !force || p.EmailAsUsername || alias == "preferred_username" {
				return taken(alias)
			}
			before.Attributes[alias+"_verified"], before.Modified = "false", s.now()
		}
		u.Status, u.Attributes = Confirmed, after
		return nil
	})
}

// ResendCode sends a new confirmation code, and returns where to.
func (s *State) ResendCode(poolID, name string) (sentTo Delivery, err error) {
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Status != Unconfirmed {
			return refuse(InvalidParameter, "User is already confirmed.")
		}
		to := p.verifying(u.Attributes)
		if to == "" {
			return refuse(InvalidParameter, "Auto verification not turned on.")
		}
		s.sendCode(p, u, confirmSignUp, forResending, to)
		sentTo = u.Confirming()
		return nil
	})
	return sentTo, err
}

// ForgotPassword sends a code to set a new password with, and returns where to.
// Its refusal says whether there is such a user. The client must not see it.
func (s *State) ForgotPassword(poolID, name string) (sentTo Delivery, err error) {
	if s.adminOnly(poolID) {
		return sentTo, errAdminOnly
	}
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		switch {
		case !u.Enabled:
			return errDisabled
		case u.Status == ForceChangePassword || u.Status == ExternalProvider:
			return refuse(NotAuthorized, "User password cannot be reset in the current state.")
		}
		to, err := p.recovering(u)
		if err != nil {
			return err
		}
		s.sendCode(p, u, resetPassword, forForgotten, to)
		sentTo = Delivery{to, u.Attributes[to]}
		return nil
	})
	return sentTo, err
}

// adminOnly reports whether people of a pool cannot recover their passwords themselves.
func (s *State) adminOnly(poolID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	return err == nil && slices.ContainsFunc(p.rules.AccountRecoverySetting.RecoveryMechanisms, func(m recoveryMechanism) bool { return m.Name == "admin_only" })
}

var errAdminOnly = refuse(NotAuthorized, "Contact administrator to reset password.")

// ConfirmForgotPassword sets a new password by the code that was sent.
func (s *State) ConfirmForgotPassword(poolID, name, code, password string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if err := p.checkNew(u, password); err != nil {
			return err
		}
		if !u.Enabled {
			return errDisabled
		}
		if err := s.useCode(u, resetPassword, code); err != nil {
			return err
		}
		u.Failures, u.LockedUntil, u.PasswordExpires, u.Status = 0, time.Time{}, time.Time{}, Confirmed
		return p.setPassword(u, password)
	})
}

// SendVerification sends a code to verify an attribute with, and returns where to.
func (s *State) SendVerification(poolID, name, attribute string) (sentTo string, err error) {
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		if sentTo = u.Attributes[attribute]; sentTo == "" || verifications[attribute] == "" {
			return refuse(InvalidParameter, fmt.Sprintf("user.%s: Attribute does not exist.", attribute))
		}
		s.sendCode(p, u, verifications[attribute], forVerification, attribute)
		return nil
	})
	return sentTo, err
}

// VerifyAttribute verifies an attribute by the code that was sent.
func (s *State) VerifyAttribute(poolID, name, attribute, code string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if verifications[attribute] == "" || u.Attributes[attribute] == "" {
			return refuse(InvalidParameter, fmt.Sprintf("user.%s: Attribute does not exist.", attribute))
		}
		value := cmp.Or(u.Pending[verifications[attribute]].Value, u.Attributes[attribute])
		if err := s.useCode(u, verifications[attribute], code); err != nil {
			return err
		}
		after := maps.Clone(u.Attributes)
		after[attribute], after[attribute+"_verified"] = value, "true"
		if other, alias := p.holder(u, after); other != nil {
			return taken(alias)
		}
		u.Attributes = after
		return nil
	})
}
