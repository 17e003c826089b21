package api

import (
	"errors"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// deviceType is a device in the API's words.
type deviceType struct {
	DeviceKey                   string
	DeviceAttributes            []attribute
	DeviceCreateDate            epoch
	DeviceLastModifiedDate      epoch
	DeviceLastAuthenticatedDate epoch
}

func deviceOf(d state.Device) deviceType {
	status := "not_remembered"
	if d.Remembered {
		status = "remembered"
	}
	return deviceType{
		DeviceKey:        d.Key,
		DeviceAttributes: []attribute{{"device_status", status}, {"device_name", d.Name}, {"last_ip_used", d.IP}},
		DeviceCreateDate: epoch(d.Created), DeviceLastModifiedDate: epoch(d.Modified), DeviceLastAuthenticatedDate: epoch(d.Used),
	}
}

// onDevice names a device of a user, by an administrator or by an access token.
type onDevice struct {
	UserPoolId             string
	Username               string
	AccessToken            string
	DeviceKey              string
	DeviceRememberedStatus string
	Limit                  *int
	PaginationToken        string
}

// whose finds the user of a request by either.
func (a *API) whose(in *onDevice) (poolID, name string, err error) {
	if in.UserPoolId != "" {
		u, err := a.state.User(in.UserPoolId, in.Username)
		return in.UserPoolId, u.Username, err
	}
	poolID, u, err := a.own(in.AccessToken)
	return poolID, u.Sub(), err
}

// devices are those of a user. The operations that read them have no exception for a user
// who is not there.
// (Unconfirmed: "`AdminGetDevice` and `AdminListDevices` of an unknown user".)
func (a *API) devices(in *onDevice) ([]state.Device, error) {
	pool, name, err := a.whose(in)
	var devices []state.Device
	if err == nil {
		devices, err = a.state.Devices(pool, name)
	}
	var refusal *state.Error
	if in.UserPoolId != "" && errors.As(err, &refusal) && refusal.Type == state.UserNotFound {
		return nil, &state.Error{Type: state.ResourceNotFound, Message: refusal.Message}
	}
	return devices, err
}

func (a *API) getDevice(in *onDevice) (any, error) {
	devices, err := a.devices(in)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if d.Key == in.DeviceKey {
			return map[string]any{"Device": deviceOf(d)}, nil
		}
	}
	return nil, &state.Error{Type: state.ResourceNotFound, Message: "Device does not exist."}
}

func (a *API) listDevices(in *onDevice) (any, error) {
	devices, err := a.devices(in)
	if err != nil {
		return nil, err
	}
	request := *in
	request.PaginationToken, request.AccessToken = "", "" // a new token is of the same user
	page, next, err := pageOf(a, in.PaginationToken, request, sortedBy(devices, func(d state.Device) string { return d.Key }), limitOf(in.Limit), func(d state.Device) string { return d.Key })
	if err != nil {
		return nil, err
	}
	list := make([]deviceType, 0, len(page))
	for _, d := range page {
		list = append(list, deviceOf(d))
	}
	return struct {
		Devices         []deviceType
		PaginationToken string `json:",omitempty"`
	}{list, next}, nil
}

func (a *API) forgetDevice(in *onDevice) (any, error) {
	pool, name, err := a.whose(in)
	if err != nil {
		return nil, err
	}
	return empty, a.state.ForgetDevice(pool, name, in.DeviceKey)
}

func (a *API) updateDeviceStatus(in *onDevice) (any, error) {
	pool, name, err := a.whose(in)
	if err != nil {
		return nil, err
	}
	return empty, a.state.RememberDevice(pool, name, in.DeviceKey, in.DeviceRememberedStatus == "remembered")
}

type confirmDevice struct {
	AccessToken                string
	DeviceKey                  string
	DeviceName                 string
	DeviceSecretVerifierConfig *struct{ PasswordVerifier, Salt string }
}

func (a *API) confirmDevice(in *confirmDevice) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	v := in.DeviceSecretVerifierConfig
	if v == nil || v.PasswordVerifier == "" || v.Salt == "" {
		return nil, invalid("Missing required parameter DeviceSecretVerifierConfig")
	}
	ask, err := a.state.ConfirmDevice(pool, u.Sub(), state.Device{Key: in.DeviceKey, Name: in.DeviceName, Salt: v.Salt, Verifier: v.PasswordVerifier})
	if err != nil {
		return nil, err
	}
	return map[string]any{"UserConfirmationNecessary": ask}, nil
}

// mfaOptions is the setting of before there were preferences: a phone number gets codes.
type mfaOptions struct {
	UserPoolId  string
	Username    string
	AccessToken string
	MFAOptions  []struct{ DeliveryMedium, AttributeName string }
}

func (a *API) setUserSettings(in *mfaOptions) (any, error) {
	pool, name, err := a.whose(&onDevice{UserPoolId: in.UserPoolId, Username: in.Username, AccessToken: in.AccessToken})
	if err != nil {
		return nil, err
	}
	for _, o := range in.MFAOptions {
		if o.DeliveryMedium != "SMS" || o.AttributeName != "phone_number" {
			return nil, invalid("Only SMS to phone_number is supported as an MFA option.")
		}
	}
	return empty, a.state.SetFactor(pool, name, state.SMSMFA, len(in.MFAOptions) > 0, false)
}

// authFactors are what a user can sign in with.
func (a *API) authFactors(p state.Pool, u state.User) any {
	answer := struct {
		Username string
		factors
		ConfiguredUserAuthFactors []string `json:",omitempty"`
	}{Username: u.Username, factors: factorsOf(u)}
	answer.ConfiguredUserAuthFactors = u.Factors(p.Rules())
	if u.Token != nil && u.Token.Secret != "" {
		answer.ConfiguredUserAuthFactors = append(answer.ConfiguredUserAuthFactors, "SOFTWARE_TOKEN")
	}
	return answer
}

func (a *API) getUserAuthFactors(in *onOwn) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	p, err := a.state.Describe(pool)
	if err != nil {
		return nil, err
	}
	return a.authFactors(p, u), nil
}

func (a *API) adminGetUserAuthFactors(in *onUser) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	u, err := a.state.User(in.UserPoolId, in.Username)
	if err != nil {
		return nil, err
	}
	return a.authFactors(p, u), nil
}

func (a *API) adminDeleteSoftwareToken(in *onUser) (any, error) {
	return empty, a.state.DeleteToken(in.UserPoolId, in.Username)
}
