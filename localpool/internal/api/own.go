package api

import (
	"maps"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/model"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// own finds the user whom an access token lets change their account.
func (a *API) own(token string) (poolID string, u state.User, err error) {
	c, err := a.maker.Read(token)
	switch {
	case err != nil:
		return "", u, unauthorized("Invalid Access Token")
	case c.Expired(a.state.Now()):
		return "", u, unauthorized("Access Token has expired")
	case !c.Has(tokens.AdminScope):
		return "", u, unauthorized("Access Token does not have required scopes")
	}
	if u, err = a.state.User(c.PoolID, c.Sub); err != nil {
		return "", u, err
	}
	if !u.Enabled {
		return "", u, unauthorized("User is disabled.")
	}
	if a.state.Live(c.PoolID, c.Family, c.Sub) != nil {
		return "", u, unauthorized("Access Token has been revoked")
	}
	return c.PoolID, u, nil
}

// bearer is the app client of an access token that was read a moment ago. Of a client
// that is gone nothing is held against its users.
func (a *API) bearer(token string) state.Client {
	read, err := a.maker.Read(token)
	if err != nil {
		return state.Client{}
	}
	c, _ := a.state.Client(read.ClientID)
	return c
}

type onOwn struct{ AccessToken string }

func (a *API) getUser(in *onOwn) (any, error) {
	_, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	attributes, err := attributesOf(a.bearer(in.AccessToken).Seen(u), nil)
	if err != nil {
		return nil, err
	}
	return struct {
		Username       string
		UserAttributes []attribute
		factors
	}{u.Username, attributes, factorsOf(u)}, nil
}

func (a *API) deleteUser(in *onOwn) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.DeleteUser(pool, u.Sub())
}

func (a *API) globalSignOut(in *onOwn) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.SignOutEverywhere(pool, u.Sub())
}

type changePassword struct {
	AccessToken      string
	PreviousPassword string
	ProposedPassword string
}

func (a *API) changePassword(in *changePassword) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	if in.PreviousPassword == "" && u.Password == "" { // a first password
		return empty, a.state.SetPassword(pool, u.Sub(), in.ProposedPassword, true)
	}
	if in.PreviousPassword == "" {
		return nil, invalid("%s", model.Message([]string{"Value at 'previousPassword' failed to satisfy constraint: Member must not be null"}))
	}
	if _, err := a.state.Authenticate(pool, u.Sub(), in.PreviousPassword); err != nil {
		return nil, err
	}
	return empty, a.state.SetPassword(pool, u.Sub(), in.ProposedPassword, true)
}

type updateUserAttributes struct {
	AccessToken    string
	UserAttributes []attribute
}

func (a *API) updateUserAttributes(in *updateUserAttributes) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	sent, err := a.state.UpdateOwn(pool, u.Sub(), a.bearer(in.AccessToken), mapOf(in.UserAttributes))
	if err != nil {
		return nil, err
	}
	deliveries := make([]*delivery, 0, len(sent))
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		deliveries = append(deliveries, deliveryTo(state.Delivery{Attribute: name, To: sent[name]}))
	}
	return map[string]any{"CodeDeliveryDetailsList": deliveries}, nil
}

type deleteUserAttributes struct {
	AccessToken        string
	UserAttributeNames []string
}

func (a *API) deleteUserAttributes(in *deleteUserAttributes) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.DeleteOwn(pool, u.Sub(), a.bearer(in.AccessToken), in.UserAttributeNames)
}

type verificationCode struct {
	AccessToken   string
	AttributeName string
}

func (a *API) getUserAttributeVerificationCode(in *verificationCode) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	to, err := a.state.SendVerification(pool, u.Sub(), in.AttributeName)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CodeDeliveryDetails": deliveryTo(state.Delivery{Attribute: in.AttributeName, To: to})}, nil
}

type verifyUserAttribute struct {
	AccessToken   string
	AttributeName string
	Code          string
}

func (a *API) verifyUserAttribute(in *verifyUserAttribute) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.VerifyAttribute(pool, u.Sub(), in.AttributeName, in.Code)
}
