package move

import (
	"context"
	"fmt"
	"log/slog"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// codes are the second factors that a pool sends: they need nothing but a number or an
// address, so that they move.
type codes struct{ sms, email bool }

func (c codes) any() bool { return c.sms || c.email }

// and are the codes that both have.
func (c codes) and(d codes) codes { return codes{c.sms && d.sms, c.email && d.email} }

// offered are the codes that a pool can ask for.
func offered(config *cip.GetUserPoolMfaConfigOutput) codes {
	on := config.MfaConfiguration == types.UserPoolMfaTypeOn || config.MfaConfiguration == types.UserPoolMfaTypeOptional
	return codes{sms: on && config.SmsMfaConfiguration != nil, email: on && config.EmailMfaConfiguration != nil}
}

// required are the codes that a pool asks everybody for who can receive them. Such a second
// factor is no setting of the person's: it comes from the pool.
func required(config *cip.GetUserPoolMfaConfigOutput) codes {
	if config.MfaConfiguration != types.UserPoolMfaTypeOn {
		return codes{}
	}
	return offered(config)
}

// or are the codes that one of them has.
func (c codes) or(d codes) codes { return codes{c.sms || d.sms, c.email || d.email} }

// of are the codes that reach somebody.
func (c codes) of(p person) codes {
	return c.and(codes{p.verified("phone_number") != "", p.verified("email") != ""})
}

// factors are the second factors of somebody.
type factors struct {
	codes
	other bool // an authenticator app, a passkey, or a kind that is newer than this: it stays in its pool
}

func (f factors) any() bool { return f.other || f.codes.any() }

// factorsOf are those that somebody has set up, and those that their pool requires of them.
func factorsOf(found *cip.AdminGetUserOutput, required codes, p person) factors {
	f := factors{codes: required.of(p)}
	for _, name := range found.UserMFASettingList {
		f = f.with(name)
	}
	if len(found.MFAOptions) > 0 { // as it was before there were others
		f.sms = true
	}
	return f
}

// with adds one, by the name that settings and challenges have for it.
func (f factors) with(name string) factors {
	switch name {
	case string(types.ChallengeNameTypeSmsMfa):
		f.sms = true
	case string(types.ChallengeNameTypeEmailOtp):
		f.email = true
	default:
		f.other = true
	}
	return f
}

// resets are the codes beside which a pool resets a password by something else: Cognito resets
// none by a channel that is a person's second factor. A pool without the setting does, and
// prefers SMS. In one that leaves it to administrators, nothing is reset by a code.
func resets(pool *types.UserPoolType) codes {
	if pool.AccountRecoverySetting == nil || len(pool.AccountRecoverySetting.RecoveryMechanisms) == 0 {
		return codes{email: true}
	}
	var beside codes
	for _, way := range pool.AccountRecoverySetting.RecoveryMechanisms {
		switch way.Name {
		case types.RecoveryOptionNameTypeVerifiedEmail:
			beside.sms = true
		case types.RecoveryOptionNameTypeVerifiedPhoneNumber:
			beside.email = true
		case types.RecoveryOptionNameTypeAdminOnly:
			return codes{sms: true, email: true}
		}
	}
	return beside
}

// kept are the codes that somebody keeps at a pool that offers these. What brings a code
// cannot reset the password, too: something else has to be verified. Of both codes, SMS stays,
// and the e-mail address resets the password.
func kept(f factors, offered codes, p person) codes {
	c := f.codes.and(offered).of(p)
	switch {
	case c.sms:
		return codes{sms: p.verified("email") != ""}
	case c.email:
		return codes{email: p.verified("phone_number") != ""}
	}
	return codes{}
}

// move reports whether all of somebody's second factors move to a pool that offers these codes.
func (f factors) move(p person, offered codes) bool {
	return !f.other && f.codes == kept(f, offered, p)
}

// mfaConfig reads what second factors a pool has.
func (m *Move) mfaConfig(ctx context.Context, api ReadAPI, pool string) (*cip.GetUserPoolMfaConfigOutput, error) {
	return call(ctx, m, "read the second factors of "+pool, api.GetUserPoolMfaConfig, &cip.GetUserPoolMfaConfigInput{UserPoolId: &pool})
}

// requiredCodes reads the old pool once.
func (a *Arrival) requiredCodes(ctx context.Context) (codes, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.required == nil {
		config, err := a.Old.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &a.Tickets.old})
		if err != nil {
			a.Logger.LogAttrs(ctx, slog.LevelError, "the second factors of the old pool cannot be read", slog.String("reason", kindOf(err)))
			return codes{}, errOldPool
		}
		r := required(config)
		a.required = &r
	}
	return *a.required, nil
}

// keepsSMS reports whether somebody comes with codes by SMS, and has no other second factor.
// A trigger can turn on no other one. If the new pool stops offering them, it refuses the
// person itself.
func (a *Arrival) keepsSMS(ctx context.Context, user person, f factors) (bool, error) {
	only := codes{sms: true}
	if f.other || f.codes != only || only.of(user) != only {
		return false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.sms {
		config, err := a.New.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &a.Tickets.new})
		if err != nil {
			a.Logger.LogAttrs(ctx, slog.LevelError, "the second factors of the new pool cannot be read", slog.String("reason", kindOf(err)))
			return false, errOldPool
		}
		a.sms = offered(config).sms
	}
	return a.sms, nil
}

// keepCodes turns on the codes of somebody who has just been made, before they have a
// password, and turns off what was turned on for somebody whom an earlier run has begun.
func (m *Move) keepCodes(ctx context.Context, username string, kept codes, begun bool) error {
	if !kept.any() && !begun {
		return nil
	}
	in := &cip.AdminSetUserMFAPreferenceInput{UserPoolId: &m.Tickets.new, Username: &username}
	return unended(ctx, m, "turn on the second factor of a user", username, in, func(now *cip.AdminGetUserOutput) error {
		has := factorsOf(now, codes{}, person{}).codes
		if has == kept {
			return nil
		}
		if in.SMSMfaSettings = nil; has.sms || kept.sms {
			in.SMSMfaSettings = &types.SMSMfaSettingsType{Enabled: kept.sms, PreferredMfa: kept.sms}
		}
		if in.EmailMfaSettings = nil; has.email || kept.email {
			in.EmailMfaSettings = &types.EmailMfaSettingsType{Enabled: kept.email, PreferredMfa: kept.email}
		}
		_, err := m.New.AdminSetUserMFAPreference(ctx, in)
		return err
	})
}

// unended changes somebody who has no password yet. Another drain may have ended them, and
// they may have chosen a password since. So each try waits for its turn first, and looks at
// them right before it changes something.
func unended[In any](ctx context.Context, m *Move, what, username string, in *In, change func(now *cip.AdminGetUserOutput) error) error {
	_, err := untilTaken(ctx, m.Paused, func() (struct{}, error) {
		if err := m.pace.wait(ctx, in); err != nil {
			return struct{}{}, err
		}
		now, err := m.look(ctx, m.New, m.Tickets.new, username)
		if err == nil && now.UserStatus == types.UserStatusTypeForceChangePassword {
			err = change(now)
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// resetsByEmail reports whether the new pool sends somebody with codes by SMS a code to reset
// the password by e-mail.
func (a *Arrival) resetsByEmail(ctx context.Context, user person) (bool, error) {
	if user.verified("email") == "" {
		return false, nil
	}
	found, err := a.New.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &a.Tickets.new})
	if err != nil {
		a.Logger.LogAttrs(ctx, slog.LevelError, "the new pool cannot be described", slog.String("reason", kindOf(err)))
		return false, errOldPool
	}
	return resets(found.UserPool).sms, nil
}
