package restore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/restore"
)

// stopped is a pool that takes no changes until a time.
type stopped struct {
	*slow
	until  time.Time
	answer error
}

func (s *stopped) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, options ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	if time.Now().Before(s.until) {
		return nil, s.answer
	}
	return s.slow.AdminCreateUser(ctx, in, options...)
}

// TestS689_ChangesWaitForARecovery: what the pool refuses because it is being recovered waits,
// however long that takes, and is done then. Where it is refused for another reason, the run
// ends at once.
func TestS689_ChangesWaitForARecovery(t *testing.T) {
	const people = 30
	run := func(t *testing.T, until time.Time, answer error, paused func(context.Context) bool) (int, error) {
		t.Helper()
		r, err := restore.New(restore.Config{
			Client: &stopped{&slow{calls: make(map[string][]time.Time)}, until, answer}, PoolID: "p", Issuer: "i", Replica: crowd{n: people}, At: time.Now(), By: "me", Paused: paused,
		})
		must(t, err)
		n := 0
		return n, errors.Join(r.Run(t.Context(), func(step restore.Step) error {
			if n++; step.Subject == "" {
				return errors.New(step.Why)
			}
			return nil
		}), func() error {
			if n != people && paused != nil {
				return errors.New("somebody is missing")
			}
			return nil
		}())
	}
	// Cognito does not say which error it is.
	for name, answer := range map[string]error{"not enabled": &types.OperationNotEnabledException{}, "not authorized": &types.NotAuthorizedException{}, "invalid": &types.InvalidParameterException{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				until := began.Add(3 * time.Hour)
				if _, err := run(t, until, answer, func(context.Context) bool { return time.Now().Before(until) }); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took < 3*time.Hour || took > 3*time.Hour+2*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
	var refused *types.OperationNotEnabledException
	for name, paused := range map[string]func(context.Context) bool{"nobody knows": nil, "no recovery": func(context.Context) bool { return false }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if _, err := run(t, began.Add(time.Hour), &types.OperationNotEnabledException{}, paused); !errors.As(err, &refused) || time.Since(began) > time.Minute {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}
