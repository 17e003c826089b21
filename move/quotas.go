package move

import (
	"cmp"
	"context"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"golang.org/x/time/rate"
)

// A category of Cognito's quotas. Calls of one category count together, over all pools of
// an account in a Region.
type category string

const (
	userCreation     category = "UserCreation"
	userRead         category = "UserRead"
	userUpdate       category = "UserUpdate"
	userRecovery     category = "UserAccountRecovery"
	userResourceRead category = "UserResourceRead"
	userList         category = "UserList"
	userAuth         category = "UserAuthentication"
	ofPool           category = "pool" // what is asked about a pool and not about its people: 5 for each operation
)

// quotas are calls per second that an account has unless it bought more.
var quotas = map[category]float64{
	userCreation: 50, userRead: 120, userUpdate: 25, userRecovery: 30, userResourceRead: 50, userList: 30, userAuth: 120, ofPool: 5,
}

// categories are those of operations; any other is asked about a pool.
var categories = map[string]category{
	"AdminCreateUser": userCreation, "AdminGetUser": userRead, "AdminSetUserPassword": userRecovery, "AdminListGroupsForUser": userResourceRead,
	"AdminUpdateUserAttributes": userUpdate, "AdminAddUserToGroup": userUpdate, "AdminLinkProviderForUser": userUpdate, "AdminSetUserMFAPreference": userUpdate,
	"ListUsers": userList, "ListUsersInGroup": userList, "InitiateAuth": userAuth, "AdminInitiateAuth": userAuth,
}

// Least is how long so many calls of each operation of Cognito's API take at least, with
// that share of the quotas that an account has unless it bought more: 1 for all of it.
// Operations of one category count together.
func Least(calls map[string]int, share float64) time.Duration {
	sums := make(map[category]int)
	for operation, n := range calls {
		sums[cmp.Or(categories[operation], ofPool)] += n
	}
	return time.Duration(newPace(share, 0).seconds(sums) * float64(time.Second))
}

func categoryOf(in any) category {
	switch in.(type) {
	case *cip.AdminCreateUserInput:
		return userCreation
	case *cip.AdminGetUserInput:
		return userRead
	case *cip.AdminUpdateUserAttributesInput, *cip.AdminAddUserToGroupInput, *cip.AdminLinkProviderForUserInput, *cip.AdminSetUserMFAPreferenceInput:
		return userUpdate
	case *cip.AdminSetUserPasswordInput:
		return userRecovery
	case *cip.AdminListGroupsForUserInput:
		return userResourceRead
	case *cip.ListUsersInput:
		return userList
	}
	return ofPool
}

// pace has calls wait for their turn. The old and the new pool count together: they can be
// of one account and Region.
type pace struct {
	each map[category]*rate.Limiter
	all  *rate.Limiter // nil: no limit
}

func newPace(share, all float64) *pace {
	p := &pace{each: make(map[category]*rate.Limiter)}
	for of, quota := range quotas {
		p.each[of] = rate.NewLimiter(rate.Limit(quota*share), 1)
	}
	if all > 0 {
		p.all = rate.NewLimiter(rate.Limit(all), 1)
	}
	return p
}

// wait waits until a call may begin.
func (p *pace) wait(ctx context.Context, in any) error {
	if p.all != nil {
		if err := p.all.Wait(ctx); err != nil {
			return err
		}
	}
	return p.each[categoryOf(in)].Wait(ctx)
}

// seconds is what so many calls of each category take at least.
func (p *pace) seconds(calls map[category]int) (longest float64) {
	sum := 0
	for of, n := range calls {
		longest = max(longest, float64(n)/float64(p.each[of].Limit()))
		sum += n
	}
	if p.all != nil {
		longest = max(longest, float64(sum)/float64(p.all.Limit()))
	}
	return longest
}

// drainCalls are those that make somebody who has not come, without their groups.
func drainCalls(people int) map[category]int {
	return map[category]int{userRead: 2 * people, userCreation: people, userResourceRead: people, userUpdate: people, userRecovery: people}
}
