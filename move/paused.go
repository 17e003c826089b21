package move

import (
	"context"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/internal/refused"
)

// How long a change waits before it is made again that the pool does not take at this time.
const (
	leastPause = 5 * time.Second
	mostPause  = time.Minute
)

// changes reports whether a call changes a pool.
func changes(in any) bool {
	switch in.(type) {
	case *cip.AdminCreateUserInput, *cip.AdminUpdateUserAttributesInput, *cip.AdminAddUserToGroupInput, *cip.AdminLinkProviderForUserInput,
		*cip.AdminSetUserPasswordInput, *cip.AdminSetUserMFAPreferenceInput, *cip.CreateGroupInput:
		return true
	}
	return false
}

// untilTaken makes a call again while the pool refuses it because it is being recovered.
// Cognito does not name the error: the refusal alone is no proof.
func untilTaken[Out any](ctx context.Context, paused func(context.Context) bool, call func() (Out, error)) (Out, error) {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		out, err := call()
		if err == nil || !refused.ByRecovery(err) || paused == nil || !paused(ctx) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(pause):
		}
	}
}
