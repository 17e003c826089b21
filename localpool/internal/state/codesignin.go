package state

import (
	"crypto/subtle"
	"fmt"
)

// SendSignIn sends a code to sign in with, and returns where to.
func (s *State) SendSignIn(poolID, name, attribute string) (sentTo Delivery, err error) {
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		if u.Attributes[attribute] == "" {
			return refuse(InvalidParameter, fmt.Sprintf("User does not have delivery config set to turn on %s", attribute))
		}
		s.sendCode(p, u, signInCode, forAuthentication, attribute)
		sentTo = Delivery{attribute, u.Attributes[attribute]}
		return nil
	})
	return sentTo, err
}

// ErrWrongSignInCode refuses a wrong code, however often: nobody learns by it who exists.
var ErrWrongSignInCode = refuse(CodeMismatch, "Invalid code or auth state for the user.")

// CheckSignIn takes a code to sign in with. As the first thing that a user shows, it
// verifies the address, and confirms the user.
func (s *State) CheckSignIn(poolID, name, code string, first bool) (User, error) {
	var signedIn User
	err := s.change(poolID, name, func(_ *Pool, u *User) error {
		if !u.Enabled {
			return errDisabled
		}
		sent, ok := u.Pending[signInCode]
		if ok && subtle.ConstantTimeCompare([]byte(sent.Code), []byte(code)) != 1 {
			return ErrWrongSignInCode
		}
		if err := s.useCode(u, signInCode, code); err != nil {
			return err
		}
		if sent.Value != u.Attributes[sent.Attribute] {
			return refuse(ExpiredCode, "Invalid code provided, please request a code again.")
		}
		if first {
			u.Attributes[sent.Attribute+"_verified"] = "true"
			if u.Status == Unconfirmed {
				u.Status = Confirmed
			}
		}
		signedIn = u.clone()
		return nil
	})
	return signedIn, err
}
