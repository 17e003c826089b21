package move

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
	"github.com/codegrant/codegrant/internal/refused"
)

// otherWords is a pool that says in another way that it takes no changes.
type otherWords struct{ WriteAPI }

func (o otherWords) AdminCreateUser(ctx context.Context, in *cip.AdminCreateUserInput, options ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	out, err := o.WriteAPI.AdminCreateUser(ctx, in, options...)
	if refused.Code(err) == "OperationNotEnabledException" {
		return nil, &types.NotAuthorizedException{}
	}
	return out, err
}

// TestS802_ADrainWaitsForARecovery: while the new pool counts what its recovery would change,
// it refuses changes. They wait, however long that takes, and are made then. Where no
// recovery is the reason, nothing waits.
func TestS802_ADrainWaitsForARecovery(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "another error": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const people = 40
				w := newCrowd(t, people, 0)
				defer w.pools.Close()
				time.Sleep(time.Hour)
				own, err := recovery.New(t.Context(), w.Client, newPoolID)
				if err != nil {
					t.Fatal(err)
				}
				r, err := own.Initiate(t.Context(), time.Now().Add(-20*time.Minute))
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var asked atomic.Int64
				var api WriteAPI = w.Client
				if name == "another error" {
					api = otherWords{w.Client}
				}
				m := w.move(t, api, func(c *Config) {
					c.Old, c.Share = w.Client, 1e6
					c.Paused = func(ctx context.Context) bool {
						asked.Add(1)
						now, err := own.Describe(ctx, r.ID)
						return known && err == nil && (now.Status == directory.RecoveryPreviewing || now.Status == directory.RecoveryPreviewed)
					}
				})
				time.AfterFunc(3*time.Hour, func() {
					if _, err := own.Cancel(t.Context(), r.ID); err != nil {
						t.Error(err)
					}
				})
				d, err := m.Drain(t.Context(), false)
				took := time.Since(began)
				if !known {
					if err != nil || d.Made != 0 || d.Failed == 0 || took > time.Minute || asked.Load() == 0 {
						t.Errorf("after %s: %+v, %v", took, d, err)
					}
					time.Sleep(3 * time.Hour)
					d, err = m.Drain(t.Context(), false)
				} else if took < 3*time.Hour || took > 3*time.Hour+2*time.Minute {
					t.Errorf("it took %s", took)
				}
				if err != nil || d.Failed != 0 || d.Made != people*9/10 {
					t.Errorf("%+v, %v", d, err)
				}
			})
		})
	}
}
