package api

import (
	"context"
	"errors"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

func refusedAs(err error, kinds ...string) bool {
	var e *state.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, kind := range kinds {
		if e.Type == kind {
			return true
		}
	}
	return false
}

var (
	errUnknown = &state.Error{Type: state.UserNotFound, Message: "Username/client id combination not found."}
	errNoCode  = &state.Error{Type: state.ExpiredCode, Message: "Invalid code provided, please request a code again."}

	errWrongCode = &state.Error{Type: state.CodeMismatch, Message: "Invalid verification code provided, please try again."}
)

type signUp struct {
	ClientId       string
	Username       string
	Password       string
	SecretHash     string
	UserAttributes []attribute
	ValidationData []attribute
	ClientMetadata map[string]string
}

func (a *API) signUp(ctx context.Context, in *signUp) (any, error) {
	c, err := a.identify(in.ClientId, in.Username, in.SecretHash)
	if err != nil {
		return nil, err
	}
	u, err := a.triggers.SignUp(ctx, c, in.Username, in.Password, mapOf(in.UserAttributes), triggers.Sent{
		Validation: mapOf(in.ValidationData), Metadata: in.ClientMetadata,
	})
	if err != nil {
		return nil, err
	}
	confirmed := u.Status == state.Confirmed
	var sentTo *delivery
	if !confirmed {
		sentTo = deliveryTo(u.Confirming())
	}
	return struct {
		UserConfirmed       bool
		UserSub             string
		CodeDeliveryDetails *delivery `json:",omitempty"`
		Session             string    `json:",omitempty"`
	}{confirmed, u.Sub(), sentTo, a.following(c, u, map[bool]string{true: confirmedUp, false: signedUp}[confirmed])}, nil
}

type confirmSignUp struct {
	ClientId           string
	Username           string
	ConfirmationCode   string
	SecretHash         string
	ForceAliasCreation bool
	Session            string
	ClientMetadata     map[string]string
}

func (a *API) confirmSignUp(ctx context.Context, in *confirmSignUp) (any, error) {
	c, err := a.identify(in.ClientId, in.Username, in.SecretHash)
	if err != nil {
		return nil, err
	}
	err = a.triggers.ConfirmSignUp(ctx, c, in.Username, in.ConfirmationCode, in.ForceAliasCreation, triggers.Sent{Metadata: in.ClientMetadata})
	if refusedAs(err, state.UserNotFound) {
		err = errUnknown
		if !c.TellUnknown {
			err = errNoCode
		}
	}
	if err != nil {
		return empty, err
	}
	// (Unconfirmed: "`ConfirmSignUp` without `Session`, of a client that allows `USER_AUTH`".)
	sub := ""
	if in.Session != "" {
		taken, err := a.sessions.take(in.Session, signedUp, c.ID, a.state.Now())
		if err != nil {
			return empty, nil // the user is confirmed all the same
		}
		sub = taken.sub
	}
	u, err := a.state.User(c.PoolID, in.Username)
	if err != nil || sub != "" && u.Sub() != sub {
		return empty, nil
	}
	if session := a.following(c, u, confirmedUp); session != "" {
		return map[string]any{"Session": session}, nil
	}
	return empty, nil
}

type aboutUser struct {
	ClientId       string
	Username       string
	SecretHash     string
	ClientMetadata map[string]string
}

func (a *API) resendConfirmationCode(in *aboutUser) (any, error) {
	c, err := a.identify(in.ClientId, in.Username, in.SecretHash)
	if err != nil {
		return nil, err
	}
	to, err := a.state.ResendCode(c.PoolID, in.Username)
	return delivered(c, in.Username, to, err, state.UserNotFound)
}

func (a *API) forgotPassword(ctx context.Context, in *aboutUser) (any, error) {
	c, err := a.identify(in.ClientId, in.Username, in.SecretHash)
	if err != nil {
		return nil, err
	}
	if _, err := a.state.User(c.PoolID, in.Username); err != nil {
		if _, err := a.migrate(ctx, c, in.Username, "", triggers.Sent{Metadata: in.ClientMetadata}); err != nil {
			return nil, err
		}
	}
	to, err := a.state.ForgotPassword(c.PoolID, in.Username)
	if refusedAs(err, state.NotAuthorized) {
		// Of a user who has no password to forget it tells everybody.
		if u, _ := a.state.User(c.PoolID, in.Username); u.Enabled {
			return nil, err
		}
	}
	return delivered(c, in.Username, to, err, state.UserNotFound, state.InvalidParameter, state.NotAuthorized)
}

// delivered answers where a code was sent to. To a client that is not to be told
// of users, it pretends that one was sent where it was not.
func delivered(c state.Client, username string, to state.Delivery, err error, hidden ...string) (any, error) {
	d := deliveryTo(to)
	switch {
	case !c.TellUnknown && refusedAs(err, hidden...):
		d = pretended(username)
	case refusedAs(err, state.UserNotFound):
		return nil, errUnknown
	case err != nil:
		return nil, err
	}
	return map[string]any{"CodeDeliveryDetails": d}, nil
}

type confirmForgotPassword struct {
	ClientId         string
	Username         string
	ConfirmationCode string
	Password         string
	SecretHash       string
	ClientMetadata   map[string]string
}

func (a *API) confirmForgotPassword(ctx context.Context, in *confirmForgotPassword) (any, error) {
	c, err := a.identify(in.ClientId, in.Username, in.SecretHash)
	if err != nil {
		return nil, err
	}
	err = a.triggers.ConfirmForgotPassword(ctx, c, in.Username, in.ConfirmationCode, in.Password, triggers.Sent{Metadata: in.ClientMetadata})
	switch {
	case !c.TellUnknown && refusedAs(err, state.UserNotFound, state.NotAuthorized):
		err = errWrongCode
	case refusedAs(err, state.UserNotFound):
		err = errUnknown
	}
	return empty, err
}
