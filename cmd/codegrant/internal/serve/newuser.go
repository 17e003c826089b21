package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/organization"
)

// accountRequests is how often an account for one address may be asked for in 24 hours.
const accountRequests = 5

// createUser makes a user of the pool for a person who has opened an invitation, unless
// somebody has the address, verified, at the pool or at the provider that its domain leads to. The
// invitation went to the address, so that it is verified. Cognito mails a temporary password;
// to somebody who has not signed in with one, another.
func (a *atPool) createUser(ctx context.Context, email string) error {
	if a.g.process.accounts.wait(account{a.pool.Issuer, email}, time.Now()) > 0 {
		return organization.ErrTooOften
	}
	if choose := a.pool.Config.ProviderFor; choose != nil {
		if name, identifier := choose(email); name+identifier != "" {
			return nil
		}
	}
	if err := a.open(ctx); err != nil {
		return err
	}
	id, filter, most := a.id(), fmt.Sprintf("email = %q", email), int32(60)
	found, err := a.client.ListUsers(ctx, &cognitoidentityprovider.ListUsersInput{UserPoolId: &id, Filter: &filter, Limit: &most})
	if err != nil {
		return withoutAddress("look for users with the address", err, email)
	}
	emailName, verifiedName, verified := "email", "email_verified", "true"
	in := &cognitoidentityprovider.AdminCreateUserInput{
		UserPoolId: &id, Username: &email, DesiredDeliveryMediums: []types.DeliveryMediumType{types.DeliveryMediumTypeEmail},
		UserAttributes: []types.AttributeType{{Name: &emailName, Value: &email}, {Name: &verifiedName, Value: &verified}},
	}
	if n := slices.IndexFunc(found.Users, hasVerified); n >= 0 {
		if found.Users[n].UserStatus != types.UserStatusTypeForceChangePassword {
			return nil
		}
		in.Username, in.UserAttributes, in.MessageAction = found.Users[n].Username, nil, types.MessageActionTypeResend
		_, err = a.client.AdminCreateUser(ctx, in)
		var state *types.UnsupportedUserStateException
		if errors.As(err, &state) { // they have signed in meanwhile
			return nil
		}
		return withoutAddress("send a temporary password again", err, email)
	}
	_, err = a.client.AdminCreateUser(ctx, in)
	var form *types.InvalidParameterException
	if errors.As(err, &form) {
		// Where addresses are aliases, a username must not look like one.
		username := strings.ToLower(rand.Text())
		in.Username = &username
		form = nil
		_, err = a.client.AdminCreateUser(ctx, in)
	}
	if refused.Taken(err) { // by somebody who was quicker
		return nil
	}
	var trigger *types.UserLambdaValidationException
	if errors.As(err, &trigger) || errors.As(err, &form) {
		return fmt.Errorf("%w: %w", organization.ErrNoUser, withoutAddress("create a user", err, email))
	}
	return withoutAddress("create a user", err, email)
}

// hasVerified reports whether a user has shown that the address is theirs: anybody can write
// one into their own profile.
func hasVerified(u types.UserType) bool {
	return slices.ContainsFunc(u.Attributes, func(a types.AttributeType) bool {
		return a.Name != nil && *a.Name == "email_verified" && a.Value != nil && *a.Value == "true"
	})
}

// withoutAddress is an error for the log.
func withoutAddress(what string, err error, email string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", what, strings.ReplaceAll(err.Error(), email, "(the address)"))
}
