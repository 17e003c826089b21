package restore

import (
	"context"
	"errors"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica"
)

// UserReader is the call of a pool that [HalfMade] makes.
type UserReader interface {
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
}

// HalfMade returns the sub of a user of a pool whom a run may have made as somebody whom the
// pool has lost, and whom it was cut off before it could link. The user has the name of the
// person, another sub, and waits for a password. Certain is whether they also have every
// attribute of the person: then the next run would take them for its own. The sub is empty if
// there is no such user.
func HalfMade(ctx context.Context, pool UserReader, poolID string, lost replica.User) (sub string, certain bool, err error) {
	name := nameOf(lost)
	if name == "" || lost.Status == statusExternal {
		return "", false, nil
	}
	found, err := pool.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &poolID, Username: &name})
	var missing *types.UserNotFoundException
	if errors.As(err, &missing) || refused.NoPool(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	has := attributeMap(found.UserAttributes)
	if found.UserStatus != types.UserStatusTypeForceChangePassword || has["sub"] == lost.Subject {
		return "", false, nil
	}
	return has["sub"], covers(has, attributesOf(lost)), nil
}

// covers reports whether a user has each attribute that is wanted.
func covers(has, want map[string]string) bool {
	for name, value := range want {
		if has[name] != value {
			return false
		}
	}
	return true
}
