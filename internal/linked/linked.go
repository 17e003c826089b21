package linked

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/quotas"
)

// Attribute is the one in which a pool has the accounts of a user.
const Attribute = "identities"

// Most is how many accounts a pool links to a user at most.
const Most = quotas.LinkedIdentities

// Account is one at an identity provider.
type Account struct {
	ProviderName string `json:"providerName"`
	UserID       string `json:"userId"`
}

// Accounts reads [Attribute]. Of a user whom a provider made, the first is their own.
func Accounts(attribute string) (all []Account) {
	if err := json.Unmarshal([]byte(attribute), &all); err != nil {
		return nil // none, or nothing that a pool writes
	}
	return all
}

// Usernames are the names that a pool can give to the user whom the account makes. A pool
// that does not tell capital letters from small ones writes small ones.
func (a Account) Usernames() []string {
	name := a.ProviderName + "_" + a.UserID
	return []string{name, strings.ToLower(name)}
}

func (a Account) source() *types.ProviderUserIdentifierType {
	return &types.ProviderUserIdentifierType{ProviderName: &a.ProviderName, ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: &a.UserID}
}

// Link is the call of AdminLinkProviderForUser.
type Link = func(context.Context, *cip.AdminLinkProviderForUserInput, ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error)

// To links an account to a user of the pool's own: whoever signs in with it is that user.
func To(ctx context.Context, call Link, pool, username string, a Account) error {
	_, err := call(ctx, &cip.AdminLinkProviderForUserInput{
		UserPoolId:      &pool,
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: &username},
		SourceUser:      a.source(),
	})
	return err
}

// Unlink is the call of AdminDisableProviderForUser.
type Unlink = func(context.Context, *cip.AdminDisableProviderForUserInput, ...func(*cip.Options)) (*cip.AdminDisableProviderForUserOutput, error)

// Off takes an account from the user whom it is linked to. A user whom the account has made
// is disabled instead.
func Off(ctx context.Context, call Unlink, pool string, a Account) error {
	_, err := call(ctx, &cip.AdminDisableProviderForUserInput{UserPoolId: &pool, User: a.source()})
	return err
}

// Refused reports whether no further try links an account: it is linked, or a user of its own,
// or the person has as many as there can be. Only the text tells: a pool answers alike where a
// provider is missing.
func Refused(err error) bool {
	var refused *types.InvalidParameterException
	var most *types.LimitExceededException
	if errors.As(err, &refused) {
		text := strings.ToLower(refused.ErrorMessage())
		return strings.Contains(text, "already linked") || strings.Contains(text, "merging is not")
	}
	return errors.As(err, &most)
}
