package restore

import (
	"context"
	"errors"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"golang.org/x/time/rate"

	"github.com/codegrant/codegrant/internal/refused"
)

// DefaultRates are the calls a second that Cognito allows an account in a Region which
// asked for no more, by the category of the call. A restore uses a share of them.
var DefaultRates = map[string]float64{
	"UserRead": 120, "UserCreation": 50, "UserAccountRecovery": 30, "UserUpdate": 25, "UserPoolResourceUpdate": 5,
}

// paced makes the calls of an API at the pace of its quotas, whoever makes them.
type paced struct {
	api      API
	limiters map[string]*rate.Limiter
	stopped  func(context.Context) bool // whether the pool takes no changes
}

func newPaced(api API, share float64, stopped func(context.Context) bool) *paced {
	p := &paced{api, make(map[string]*rate.Limiter, len(DefaultRates)), stopped}
	for category, perSecond := range DefaultRates {
		// The burst keeps calls that a busy machine could not make in the last moments.
		p.limiters[category] = rate.NewLimiter(rate.Limit(perSecond*share), max(1, int(perSecond*share/10)))
	}
	return p
}

// How long a change waits before it is made again that the pool does not take at this time.
const (
	leastPause = 5 * time.Second
	mostPause  = time.Minute
)

// tries is how often a call that was one too many is made. Others may use up the quotas.
const tries = 30

func call[In, Out any](ctx context.Context, p *paced, category string, f func(context.Context, *In, ...func(*cip.Options)) (*Out, error), in *In) (*Out, error) {
	pause := leastPause
	for n := 1; ; n++ {
		if err := p.limiters[category].Wait(ctx); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if category != "UserRead" && refused.ByRecovery(err) && p.stopped != nil && p.stopped(ctx) {
			n = 0 // it was not one too many
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(pause):
			}
			pause = min(2*pause, mostPause)
			continue
		}
		var tooMany *types.TooManyRequestsException
		if n == tries || !errors.As(err, &tooMany) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (p *paced) getUser(ctx context.Context, in *cip.AdminGetUserInput) (*cip.AdminGetUserOutput, error) {
	return call(ctx, p, "UserRead", p.api.AdminGetUser, in)
}

func (p *paced) createUser(ctx context.Context, in *cip.AdminCreateUserInput) (*cip.AdminCreateUserOutput, error) {
	return call(ctx, p, "UserCreation", p.api.AdminCreateUser, in)
}

func (p *paced) deleteUser(ctx context.Context, in *cip.AdminDeleteUserInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminDeleteUser, in)
	return err
}

func (p *paced) setPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput) error {
	_, err := call(ctx, p, "UserAccountRecovery", p.api.AdminSetUserPassword, in)
	return err
}

func (p *paced) enable(ctx context.Context, in *cip.AdminEnableUserInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminEnableUser, in)
	return err
}

func (p *paced) disable(ctx context.Context, in *cip.AdminDisableUserInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminDisableUser, in)
	return err
}

func (p *paced) updateAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminUpdateUserAttributes, in)
	return err
}

func (p *paced) deleteAttributes(ctx context.Context, in *cip.AdminDeleteUserAttributesInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminDeleteUserAttributes, in)
	return err
}

func (p *paced) join(ctx context.Context, in *cip.AdminAddUserToGroupInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminAddUserToGroup, in)
	return err
}

func (p *paced) leave(ctx context.Context, in *cip.AdminRemoveUserFromGroupInput) error {
	_, err := call(ctx, p, "UserUpdate", p.api.AdminRemoveUserFromGroup, in)
	return err
}

func (p *paced) createGroup(ctx context.Context, in *cip.CreateGroupInput) error {
	_, err := call(ctx, p, "UserPoolResourceUpdate", p.api.CreateGroup, in)
	return err
}
