package api

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/localpool/internal/model"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// withToken is a request that either an access token or a session stands behind.
type withToken struct {
	AccessToken string
	Session     string
}

// setup finds who sets up an authenticator app: whom an access token is for, or who
// is asked for one at a sign-in. next, with a session alone, begins the session
// that takes the place of the one that was used.
func (a *API) setup(in withToken) (poolID string, u state.User, next func() string, restore func(), err error) {
	nothing := func() string { return "" }
	if in.AccessToken == "" && in.Session == "" {
		return "", u, nil, nil, invalid("%s", model.Message([]string{"Value at 'accessToken' failed to satisfy constraint: Member must not be null"}))
	}
	if in.AccessToken != "" {
		poolID, u, err = a.own(in.AccessToken)
		return poolID, u, nothing, func() {}, err
	}
	taken, err := a.sessions.take(in.Session, mfaSetup, "", a.state.Now())
	if err != nil {
		return "", u, nil, nil, err
	}
	restore = func() { a.sessions.restore(in.Session, taken) }
	u, err = a.state.User(taken.poolID, taken.sub)
	if err != nil {
		return "", u, nil, nil, unauthorized("Invalid session for the user.")
	}
	c, _ := a.state.Client(taken.clientID)
	next = func() string { return a.sessions.start(taken, a.state.Now(), lifetimeOf(c)) }
	return taken.poolID, u, next, restore, nil
}

func (a *API) associateSoftwareToken(in *withToken) (any, error) {
	pool, u, next, restore, err := a.setup(*in)
	if err != nil {
		return nil, err
	}
	secret, err := a.state.AssociateToken(pool, u.Sub())
	if err != nil {
		restore()
		return nil, err
	}
	return struct {
		SecretCode string
		Session    string `json:",omitempty"`
	}{secret, next()}, nil
}

type verifySoftwareToken struct {
	AccessToken        string
	Session            string
	UserCode           string
	FriendlyDeviceName string
}

func (a *API) verifySoftwareToken(in *verifySoftwareToken) (any, error) {
	pool, u, next, restore, err := a.setup(withToken{in.AccessToken, in.Session})
	if err != nil {
		return nil, err
	}
	if err := a.state.VerifyToken(pool, u.Sub(), in.UserCode, in.FriendlyDeviceName); err != nil {
		restore()
		return nil, err
	}
	return struct {
		Status  string
		Session string `json:",omitempty"`
	}{"SUCCESS", next()}, nil
}

// finishSetup goes on with a sign-in once an authenticator app is set up. Its code
// was taken a moment ago.
func (a *API) finishSetup(ctx context.Context, c state.Client, u state.User, _, metadata map[string]string) (any, error) {
	if u.Token == nil || u.Token.Secret == "" {
		return nil, unauthorized("Invalid session for the user.")
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata)
}

func (a *API) checkCode(ctx context.Context, c state.Client, u state.User, p, metadata map[string]string) (any, error) {
	if err := need(p, "SOFTWARE_TOKEN_MFA_CODE"); err != nil {
		return nil, err
	}
	if err := a.state.CheckToken(c.PoolID, u.Sub(), p["SOFTWARE_TOKEN_MFA_CODE"]); err != nil {
		return nil, err
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata)
}

// mfaSettings are what a user, or an administrator, sets of one factor.
type mfaSettings struct {
	Enabled      bool
	PreferredMfa bool
}

type preference struct {
	SMSMfaSettings           *mfaSettings
	EmailMfaSettings         *mfaSettings
	SoftwareTokenMfaSettings *mfaSettings
}

func (a *API) prefer(poolID, name string, p preference) (any, error) {
	for factor, s := range map[string]*mfaSettings{"SMS_MFA": p.SMSMfaSettings, "EMAIL_OTP": p.EmailMfaSettings} {
		if s != nil && (s.Enabled || s.PreferredMfa) {
			return nil, invalid("User does not have delivery config set to turn on %s", factor)
		}
	}
	if s := p.SoftwareTokenMfaSettings; s != nil {
		return empty, a.state.SetMFA(poolID, name, s.Enabled, s.PreferredMfa)
	}
	return empty, nil
}

type setUserMFAPreference struct {
	AccessToken              string
	SMSMfaSettings           *mfaSettings
	EmailMfaSettings         *mfaSettings
	SoftwareTokenMfaSettings *mfaSettings
}

func (a *API) setUserMFAPreference(in *setUserMFAPreference) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return a.prefer(pool, u.Sub(), preference{in.SMSMfaSettings, in.EmailMfaSettings, in.SoftwareTokenMfaSettings})
}

type adminSetUserMFAPreference struct {
	UserPoolId               string
	Username                 string
	SMSMfaSettings           *mfaSettings
	EmailMfaSettings         *mfaSettings
	SoftwareTokenMfaSettings *mfaSettings
}

func (a *API) adminSetUserMFAPreference(in *adminSetUserMFAPreference) (any, error) {
	return a.prefer(in.UserPoolId, in.Username, preference{in.SMSMfaSettings, in.EmailMfaSettings, in.SoftwareTokenMfaSettings})
}

// factors are what GetUser and AdminGetUser say of a user's authenticator app.
type factors struct {
	UserMFASettingList  []string `json:",omitempty"`
	PreferredMfaSetting string   `json:",omitempty"`
}

func factorsOf(u state.User) factors {
	var f factors
	if u.Token != nil && u.Token.Secret != "" && u.Token.On {
		f.UserMFASettingList = []string{softwareTokenMFA}
		if u.Token.Prefer {
			f.PreferredMfaSetting = softwareTokenMFA
		}
	}
	return f
}

func (a *API) getUserPoolMfaConfig(in *onPool) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return mfaConfig(p), nil
}

func mfaConfig(p state.Pool) any {
	mode := mfaMode(p)
	return map[string]any{"MfaConfiguration": mode, "SoftwareTokenMfaConfiguration": map[string]any{"Enabled": mode != state.MFAOff}}
}

func mfaMode(p state.Pool) string {
	if p.MFA == "" {
		return state.MFAOff
	}
	return p.MFA
}

type setUserPoolMfaConfig struct {
	UserPoolId                    string
	MfaConfiguration              string
	SoftwareTokenMfaConfiguration *struct{ Enabled bool }
}

func (a *API) setUserPoolMfaConfig(in *setUserPoolMfaConfig) (any, error) {
	mode := in.MfaConfiguration
	if mode == "" {
		mode = state.MFAOff
	}
	if token := in.SoftwareTokenMfaConfiguration; mode != state.MFAOff && (token == nil || !token.Enabled) {
		return nil, invalid("Invalid MFA configuration given, can't turn on MFA when %s is the only factor here and is not enabled.", softwareTokenMFA)
	}
	if err := a.state.SetPoolMFA(in.UserPoolId, mode); err != nil {
		return nil, err
	}
	return a.getUserPoolMfaConfig(&onPool{in.UserPoolId})
}

// askFactor asks for what comes after the password, if anything does.
func (a *API) askFactor(c state.Client, u state.User) (asked any, ok bool, err error) {
	factor, err := a.state.SecondFactor(c.PoolID, u.Sub())
	if err != nil {
		return nil, false, err
	}
	switch factor {
	case state.SoftwareTokenMFA:
		asked, err = a.ask(c, u, softwareTokenMFA, map[string]string{"FRIENDLY_DEVICE_NAME": u.Token.Name})
	case state.MFASetup:
		asked, err = a.ask(c, u, mfaSetup, map[string]string{"MFAS_CAN_SETUP": fmt.Sprintf("[%q]", softwareTokenMFA)})
	}
	return asked, factor != "", err
}
