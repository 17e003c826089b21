package api

import (
	"context"
	"encoding/json"
	"maps"

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
func (a *API) finishSetup(ctx context.Context, c state.Client, taken challenge, u state.User, _, metadata map[string]string) (any, error) {
	if u.Token == nil || u.Token.Secret == "" {
		return nil, unauthorized("Invalid session for the user.")
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata, taken.shown.With(state.ByApp))
}

func (a *API) checkCode(ctx context.Context, c state.Client, taken challenge, u state.User, p, metadata map[string]string) (any, error) {
	if err := need(p, "SOFTWARE_TOKEN_MFA_CODE"); err != nil {
		return nil, err
	}
	if err := a.state.CheckToken(c.PoolID, u.Sub(), p["SOFTWARE_TOKEN_MFA_CODE"]); err != nil {
		return nil, err
	}
	return a.admit(ctx, c, u, triggers.Authentication, metadata, taken.shown.With(state.ByApp))
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
	WebAuthnMfaSettings      *struct{ Enabled bool }
}

func (a *API) prefer(poolID, name string, p preference) (any, error) {
	if _, err := a.state.User(poolID, name); err != nil {
		return nil, err
	}
	preferred := 0
	for _, s := range []*mfaSettings{p.SMSMfaSettings, p.EmailMfaSettings, p.SoftwareTokenMfaSettings} {
		if s != nil && s.PreferredMfa {
			preferred++
		}
	}
	if preferred > 1 {
		return nil, invalid("Only one MFA type can be set as preferred.")
	}
	for _, one := range []struct {
		factor string
		set    *mfaSettings
	}{{state.SMSMFA, p.SMSMfaSettings}, {state.EmailMFA, p.EmailMfaSettings}} {
		if one.set == nil {
			continue
		}
		if err := a.state.SetFactor(poolID, name, one.factor, one.set.Enabled, one.set.PreferredMfa); err != nil {
			return nil, err
		}
	}
	if s := p.SoftwareTokenMfaSettings; s != nil {
		if err := a.state.SetMFA(poolID, name, s.Enabled, s.PreferredMfa); err != nil {
			return nil, err
		}
	}
	if s := p.WebAuthnMfaSettings; s != nil {
		return empty, a.state.SetPasskeyMFA(poolID, name, s.Enabled)
	}
	return empty, nil
}

type setUserMFAPreference struct {
	AccessToken string
	preference
}

func (a *API) setUserMFAPreference(in *setUserMFAPreference) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return a.prefer(pool, u.Sub(), in.preference)
}

type adminSetUserMFAPreference struct {
	UserPoolId string
	Username   string
	preference
}

func (a *API) adminSetUserMFAPreference(in *adminSetUserMFAPreference) (any, error) {
	return a.prefer(in.UserPoolId, in.Username, in.preference)
}

// factors are what GetUser and AdminGetUser say of a user's second factors.
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
	for _, name := range []string{state.SMSMFA, state.EmailMFA} {
		if u.MFA[name].On {
			f.UserMFASettingList = append(f.UserMFASettingList, name)
		}
		if u.MFA[name].Prefer {
			f.PreferredMfaSetting = name
		}
	}
	if u.PasskeyMFA {
		// (Unconfirmed: "the name of a passkey in `UserMFASettingList`".)
		f.UserMFASettingList = append(f.UserMFASettingList, passkeyChallenge)
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

const mfaShape = "GetUserPoolMfaConfigResponse"

func mfaConfig(p state.Pool) any { return shown(mfaShape, p.Settings) }

type setUserPoolMfaConfig struct {
	UserPoolId                    string
	MfaConfiguration              string
	SoftwareTokenMfaConfiguration *struct{ Enabled bool }
	SmsMfaConfiguration           *struct{ SmsConfiguration *struct{} }
	EmailMfaConfiguration         *struct{}
	WebAuthnConfiguration         *state.WebAuthnConfiguration
}

func (a *API) setUserPoolMfaConfig(in *setUserPoolMfaConfig, kept state.Settings) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	for feature, on := range map[string]bool{"Email MFA": in.EmailMfaConfiguration != nil, "Passkey sign-in": in.WebAuthnConfiguration != nil} {
		if err := inPlan(p, feature); on && err != nil {
			return nil, err
		}
	}
	if in.MfaConfiguration == "" {
		kept["MfaConfiguration"] = mustRaw(state.MFAOff)
	}
	token := in.SoftwareTokenMfaConfiguration
	if textOf(kept["MfaConfiguration"]) != state.MFAOff && token == nil && in.SmsMfaConfiguration == nil && in.EmailMfaConfiguration == nil {
		return nil, invalid("At least one of [SmsMfaConfiguration] or [SoftwareTokenMfaConfiguration] must be provided.")
	}
	if mode := textOf(kept["MfaConfiguration"]); mode != state.MFAOff && (token == nil || !token.Enabled) && in.SmsMfaConfiguration == nil && in.EmailMfaConfiguration == nil {
		return nil, invalid("Invalid MFA configuration given, can't turn on MFA when %s is the only factor here and is not enabled.", softwareTokenMFA)
	}
	if sms := in.SmsMfaConfiguration; sms != nil {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(kept["SmsMfaConfiguration"], &inner); err != nil {
			return nil, err
		}
		for _, name := range []string{"SmsConfiguration", "SmsAuthenticationMessage"} { // settings with two names
			if inner[name] != nil {
				kept[name] = inner[name]
			}
		}
		if sms.SmsConfiguration == nil && p.Settings["SmsConfiguration"] == nil {
			return nil, invalid("SMS configuration is required when SMS MFA is configured.")
		}
	}
	if w := in.WebAuthnConfiguration; w != nil {
		if kept["WebAuthnConfiguration"], err = passkeyConfig(p, *w); err != nil {
			return nil, err
		}
	}
	err = a.state.UpdatePool(p.ID, func(p *state.Pool) error {
		after := maps.Clone(p.Settings)
		for _, name := range model.Members(mfaShape) {
			delete(after, name)
		}
		maps.Copy(after, kept)
		secondBySMS(after)
		p.Settings = after
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.getUserPoolMfaConfig(&onPool{in.UserPoolId})
}

// askFactor asks for what comes after the password, if anything does.
func (a *API) askFactor(c state.Client, u state.User, at progress) (asked any, ok bool, err error) {
	factors, setUp, err := a.state.SecondFactors(c.PoolID, u.Sub(), at.level)
	switch {
	case err != nil:
		return nil, false, err
	case len(setUp) > 0:
		asked, err = a.ask(c, u, mfaSetup, map[string]string{"MFAS_CAN_SETUP": string(mustRaw(setUp))}, at)
	case len(factors) > 1:
		asked, err = a.ask(c, u, selectMFAType, map[string]string{"MFAS_CAN_CHOOSE": string(mustRaw(factors))}, at)
	case len(factors) == 1:
		asked, err = a.askOne(c, u, factors[0], at)
	default:
		return nil, false, nil
	}
	return asked, true, err
}

// secondBySMS has the second factor by SMS follow the pool's settings of text messages, which
// are the same under other names. A pool that has people show a second factor, and was told
// of no other, has it.
func secondBySMS(s state.Settings) {
	other := s["SoftwareTokenMfaConfiguration"] != nil || s["EmailMfaConfiguration"] != nil
	mode := textOf(s["MfaConfiguration"])
	if s["SmsConfiguration"] == nil || s["SmsMfaConfiguration"] == nil && (other || mode == "" || mode == state.MFAOff) {
		return
	}
	of := make(map[string]json.RawMessage)
	_ = json.Unmarshal(s["SmsMfaConfiguration"], &of) // none, or a structure
	for _, name := range []string{"SmsConfiguration", "SmsAuthenticationMessage"} {
		if s[name] != nil {
			of[name] = s[name]
		}
	}
	s["SmsMfaConfiguration"] = mustRaw(of)
}
