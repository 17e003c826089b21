package move

import (
	"context"
	"log/slog"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// required are the codes that a pool asks everybody for who can receive them. Such a second
// factor is no setting of the person's: it comes from the pool.
type required struct{ sms, email bool }

// of reports whether somebody has such a second factor.
func (r required) of(p person) bool {
	return r.sms && p.verified("phone_number") != "" || r.email && p.verified("email") != ""
}

func requiredOf(config *cip.GetUserPoolMfaConfigOutput) required {
	on := config.MfaConfiguration == types.UserPoolMfaTypeOn
	return required{sms: on && config.SmsMfaConfiguration != nil, email: on && config.EmailMfaConfiguration != nil}
}

// requiredFactors reads the old pool once.
func (a *Arrival) requiredFactors(ctx context.Context) (required, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.required == nil {
		config, err := a.Old.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &a.Tickets.old})
		if err != nil {
			a.Logger.LogAttrs(ctx, slog.LevelError, "the second factors of the old pool cannot be read", slog.String("reason", kindOf(err)))
			return required{}, errOldPool
		}
		r := requiredOf(config)
		a.required = &r
	}
	return *a.required, nil
}

// requiredFactors reads the old pool.
func (m *Move) requiredFactors(ctx context.Context) (required, error) {
	config, err := call(ctx, m, "read the second factors of the old pool", m.Old.GetUserPoolMfaConfig, &cip.GetUserPoolMfaConfigInput{UserPoolId: &m.Tickets.old})
	if err != nil {
		return required{}, err
	}
	return requiredOf(config), nil
}
