package api

import (
	"context"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

type onUser struct {
	UserPoolId string
	Username   string
}

func (a *API) adminGetUser(in *onUser) (any, error) {
	u, err := a.state.User(in.UserPoolId, in.Username)
	if err != nil {
		return nil, err
	}
	attributes, err := attributesOf(u, nil)
	if err != nil {
		return nil, err
	}
	return struct {
		Username             string
		UserAttributes       []attribute
		UserCreateDate       epoch
		UserLastModifiedDate epoch
		Enabled              bool
		UserStatus           string
		factors
	}{u.Username, attributes, epoch(u.Created), epoch(u.Modified), u.Enabled, u.Status, factorsOf(u)}, nil
}

func (a *API) adminEnableUser(in *onUser) (any, error) {
	return empty, a.state.SetEnabled(in.UserPoolId, in.Username, true)
}

func (a *API) adminDisableUser(in *onUser) (any, error) {
	return empty, a.state.SetEnabled(in.UserPoolId, in.Username, false)
}

func (a *API) adminDeleteUser(in *onUser) (any, error) {
	return empty, a.state.DeleteUser(in.UserPoolId, in.Username)
}

func (a *API) adminUserGlobalSignOut(in *onUser) (any, error) {
	return empty, a.state.SignOutEverywhere(in.UserPoolId, in.Username)
}

type adminConfirmSignUp struct {
	UserPoolId     string
	Username       string
	ClientMetadata map[string]string
}

func (a *API) adminConfirmSignUp(ctx context.Context, in *adminConfirmSignUp) (any, error) {
	return empty, a.triggers.ConfirmUser(ctx, in.UserPoolId, in.Username, triggers.Sent{Metadata: in.ClientMetadata})
}

func (a *API) adminResetUserPassword(in *onUser) (any, error) {
	return empty, a.state.ResetPassword(in.UserPoolId, in.Username)
}

type adminCreateUser struct {
	UserPoolId             string
	Username               string
	UserAttributes         []attribute
	TemporaryPassword      string
	MessageAction          string
	DesiredDeliveryMediums []string
	ForceAliasCreation     bool
	ValidationData         []attribute
	ClientMetadata         map[string]string
}

func (a *API) adminCreateUser(ctx context.Context, in *adminCreateUser) (any, error) {
	create := func() (state.User, error) {
		return a.triggers.Invite(ctx, in.UserPoolId, state.Invitation{
			Username: in.Username, Attributes: mapOf(in.UserAttributes), Password: in.TemporaryPassword,
			Quiet: in.MessageAction == "SUPPRESS", ForceAlias: in.ForceAliasCreation, Mediums: in.DesiredDeliveryMediums,
		}, triggers.Sent{Validation: mapOf(in.ValidationData), Metadata: in.ClientMetadata})
	}
	if in.MessageAction == "RESEND" {
		create = func() (state.User, error) {
			return a.state.InviteAgain(in.UserPoolId, in.Username, in.TemporaryPassword, in.DesiredDeliveryMediums)
		}
	}
	u, err := create()
	if err != nil {
		return nil, err
	}
	list, err := userTypes([]state.User{u}, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{"User": list[0]}, nil
}

type adminSetUserPassword struct {
	UserPoolId string
	Username   string
	Password   string
	Permanent  bool
}

func (a *API) adminSetUserPassword(in *adminSetUserPassword) (any, error) {
	return empty, a.state.SetPassword(in.UserPoolId, in.Username, in.Password, in.Permanent)
}

type adminUpdateUserAttributes struct {
	UserPoolId     string
	Username       string
	UserAttributes []attribute
}

func (a *API) adminUpdateUserAttributes(in *adminUpdateUserAttributes) (any, error) {
	return empty, a.state.UpdateAttributes(in.UserPoolId, in.Username, mapOf(in.UserAttributes))
}

type adminDeleteUserAttributes struct {
	UserPoolId         string
	Username           string
	UserAttributeNames []string
}

func (a *API) adminDeleteUserAttributes(in *adminDeleteUserAttributes) (any, error) {
	return empty, a.state.DeleteAttributes(in.UserPoolId, in.Username, in.UserAttributeNames)
}
