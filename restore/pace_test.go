package restore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/restore"
)

// slow is a pool that takes as long as one far away, with the quotas of an account.
type slow struct {
	restore.API

	mu      sync.Mutex
	calls   map[string][]time.Time // begun, by category
	tooMany int                    // calls that are to be refused
}

func (s *slow) call(category string) error {
	s.mu.Lock()
	s.calls[category] = append(s.calls[category], time.Now())
	refuse := s.tooMany > 0 && category != "UserRead" // with which a plan begins, alone
	if refuse {
		s.tooMany--
	}
	s.mu.Unlock()
	time.Sleep(80 * time.Millisecond)
	if refuse {
		return &types.TooManyRequestsException{}
	}
	return nil
}

func (s *slow) AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error) {
	if err := s.call("UserRead"); err != nil {
		return nil, err
	}
	return nil, &types.UserNotFoundException{}
}

func (s *slow) AdminCreateUser(_ context.Context, in *cip.AdminCreateUserInput, _ ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
	if err := s.call("UserCreation"); err != nil {
		return nil, err
	}
	return &cip.AdminCreateUserOutput{User: &types.UserType{
		Username: in.Username, UserStatus: types.UserStatusTypeForceChangePassword,
		Attributes: []types.AttributeType{{Name: aws.String("sub"), Value: aws.String("new-" + aws.ToString(in.Username))}},
	}}, nil
}

func (s *slow) AdminSetUserPassword(context.Context, *cip.AdminSetUserPasswordInput, ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	return nil, s.call("UserAccountRecovery")
}

func (s *slow) AdminAddUserToGroup(context.Context, *cip.AdminAddUserToGroupInput, ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error) {
	return nil, s.call("UserUpdate")
}

func (s *slow) CreateGroup(context.Context, *cip.CreateGroupInput, ...func(*cip.Options)) (*cip.CreateGroupOutput, error) {
	return nil, s.call("UserPoolResourceUpdate")
}

// crowd is a replica with people whom the pool has lost, each in a group.
type crowd struct {
	restore.Replica
	n int
}

func (c crowd) user(id int) replica.User {
	return replica.User{
		ID: int64(id), Issuer: "i", Subject: fmt.Sprint("s-", id), Username: fmt.Sprint("u-", id), Enabled: true,
		Groups: []replica.Membership{{Group: replica.Group{Name: "g", Origin: replica.OriginPool}, Pool: true}},
	}
}

func (c crowd) Users(_ context.Context, q replica.UserQuery) (replica.UserPage, error) {
	var page replica.UserPage
	from := 0
	_, _ = fmt.Sscan(q.After, &from)
	for id := from + 1; id <= min(c.n, from+q.Limit); id++ {
		u := c.user(id)
		u.Deleted = time.Now()
		page.Users = append(page.Users, u)
		if id == from+q.Limit && id < c.n {
			page.Next = fmt.Sprint(id)
		}
	}
	return page, nil
}

func (c crowd) User(_ context.Context, id int64) (replica.User, error) { return c.user(int(id)), nil }

func (c crowd) AsOf(_ context.Context, users []replica.User, _ time.Time) (then []replica.User, err error) {
	for _, u := range users {
		then = append(then, c.user(int(u.ID)))
	}
	return then, nil
}

func (c crowd) GroupsAsOf(context.Context, string, time.Time) ([]replica.GroupDefinition, error) {
	return nil, nil
}

func (c crowd) Identities(context.Context, int64) ([]replica.User, error) { return nil, nil }

func (c crowd) ApplyIdentity(_ context.Context, s replica.Snapshot, _ int64, _ string) (replica.User, error) {
	return replica.User{ID: 1, Subject: s.Subject}, nil
}

func (c crowd) UserBySubject(context.Context, string, string) (replica.User, error) {
	return replica.User{}, replica.ErrNotFound
}

// TestPaceOfQuotas: people are made as fast as the quota allows that needs most time, and not
// faster; a call that is one too many is made again.
func TestPaceOfQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people, share = 2000, 0.8
		pool := &slow{calls: make(map[string][]time.Time), tooMany: 5}
		r, err := restore.New(restore.Config{
			Client: pool, PoolID: "p", Issuer: "i", Replica: crowd{n: people}, At: time.Now(), By: "me", Share: share,
		})
		must(t, err)
		began, n := time.Now(), 0
		must(t, r.Run(t.Context(), func(step restore.Step) error {
			if n++; step.Kind != restore.Make || step.Subject == "" {
				return errors.New(step.Why)
			}
			return nil
		}))
		// Everybody joins a group: 25 calls a second, of which a share is ours.
		needed := people / (25 * share) * float64(time.Second)
		if took := time.Since(began); n != people || float64(took) > needed*1.05 {
			t.Errorf("%d people took %s; the quota needs %s", n, took, time.Duration(needed))
		} else {
			t.Logf("%.3f of what the quota needs", float64(took)/needed)
		}
		for category, calls := range pool.calls {
			for i, at := range calls {
				within := 0
				for _, other := range calls[i:] {
					if other.Sub(at) >= time.Second {
						break
					}
					within++
				}
				if most := restore.DefaultRates[category]; float64(within) > most {
					t.Fatalf("%d calls of %s in a second, where %v are allowed", within, category, most)
				}
			}
		}
	})
}
