package api

import (
	"maps"
	"regexp"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

var (
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9-_=.]+$`)
	codePattern  = regexp.MustCompile(`^[\S]+$`)

	tokenCodePattern = regexp.MustCompile(`^[0-9]+$`)
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

func (c *check) token(token string) {
	c.code("accessToken", token, maxBody, tokenPattern)
}

type onOwn struct{ AccessToken string }

func (in *onOwn) check(c *check) { c.token(in.AccessToken) }

func (a *API) getUser(in *onOwn) (any, error) {
	_, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	attributes, err := attributesOf(u, nil)
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

func (in *changePassword) check(c *check) {
	c.token(in.AccessToken)
	c.secret("previousPassword", in.PreviousPassword, 1, maxPassword)
	c.secret("proposedPassword", in.ProposedPassword, 1, maxPassword)
}

func (a *API) changePassword(in *changePassword) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
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

func (in *updateUserAttributes) check(c *check) {
	c.token(in.AccessToken)
	c.present("userAttributes", in.UserAttributes != nil)
	c.attributes(in.UserAttributes)
}

func (a *API) updateUserAttributes(in *updateUserAttributes) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	sent, err := a.state.UpdateOwn(pool, u.Sub(), mapOf(in.UserAttributes))
	if err != nil {
		return nil, err
	}
	deliveries := make([]*delivery, 0, len(sent))
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		deliveries = append(deliveries, deliveryTo(name, sent[name]))
	}
	return map[string]any{"CodeDeliveryDetailsList": deliveries}, nil
}

type deleteUserAttributes struct {
	AccessToken        string
	UserAttributeNames []string
}

func (in *deleteUserAttributes) check(c *check) {
	c.token(in.AccessToken)
	c.present("userAttributeNames", in.UserAttributeNames != nil)
}

func (a *API) deleteUserAttributes(in *deleteUserAttributes) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.DeleteAttributes(pool, u.Sub(), in.UserAttributeNames)
}

type verificationCode struct {
	AccessToken   string
	AttributeName string
}

func (in *verificationCode) check(c *check) {
	c.token(in.AccessToken)
	c.text("attributeName", in.AttributeName, 32, namePattern)
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
	return map[string]any{"CodeDeliveryDetails": deliveryTo(in.AttributeName, to)}, nil
}

type verifyUserAttribute struct {
	AccessToken   string
	AttributeName string
	Code          string
}

func (in *verifyUserAttribute) check(c *check) {
	c.token(in.AccessToken)
	c.text("attributeName", in.AttributeName, 32, namePattern)
	c.code("code", in.Code, 2048, codePattern)
}

func (a *API) verifyUserAttribute(in *verifyUserAttribute) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.VerifyAttribute(pool, u.Sub(), in.AttributeName, in.Code)
}
