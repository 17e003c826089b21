package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
)

// signOutTimeout is how long the pool, and whoever has credentials, may take.
const signOutTimeout = 15 * time.Second

// SignOutAtPool has a pool revoke every refresh token of a person, whom it knows by their
// sub as well as by their username: by AdminUserGlobalSignOut, with the credentials of AWS's
// tools.
func SignOutAtPool(ctx context.Context, issuer, region, who string, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	client, id, err := PoolClient(ctx, issuer, region, log)
	if err != nil {
		return err
	}
	_, err = client.AdminUserGlobalSignOut(ctx, &cognitoidentityprovider.AdminUserGlobalSignOutInput{UserPoolId: &id, Username: &who})
	return NoPool(err, id)
}

// PoolClient asks the pool of an issuer, and says what its id is.
func PoolClient(ctx context.Context, issuer, region string, log *slog.Logger) (*cognitoidentityprovider.Client, string, error) {
	id := issuer[strings.LastIndexByte(issuer, '/')+1:]
	ofID, _, ok := strings.Cut(id, "_")
	if !ok {
		return nil, "", fmt.Errorf("the issuer %s does not end in the id of a pool, such as eu-west-1_Ab12Cd34E", issuer)
	}
	client, err := awsapi.Way{Region: cmp.Or(region, ofID), Issuer: issuer, Log: log}.CognitoWithCredentials(ctx)
	return client, id, err
}

// DeleteAtPool deletes a user of a pool, by AdminDeleteUser, if the username is still that of
// the person. One who is not there is deleted already. Where the settings of AWS's tools name
// another endpoint, that there is no pool says nothing of the person's.
func DeleteAtPool(ctx context.Context, issuer, region, username, subject string, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	client, id, err := PoolClient(ctx, issuer, region, log)
	if err != nil {
		return err
	}
	var missing *types.UserNotFoundException
	var noPool *types.ResourceNotFoundException
	found, err := client.AdminGetUser(ctx, &cognitoidentityprovider.AdminGetUserInput{UserPoolId: &id, Username: &username})
	if at := awsapi.Overridden(client, issuer); at != "" && errors.As(err, &noPool) {
		return fmt.Errorf("%s, the endpoint that the settings of AWS's tools name, has no pool %s; unset AWS_ENDPOINT_URL or endpoint_url: %w", at, id, err)
	}
	if errors.As(err, &missing) || errors.As(err, &noPool) {
		return nil // the whole pool may be gone: one that people have moved from
	}
	if err != nil {
		return err
	}
	for _, a := range found.UserAttributes {
		if aws.ToString(a.Name) == "sub" && aws.ToString(a.Value) != subject {
			return nil // somebody else has the name now
		}
	}
	_, err = client.AdminDeleteUser(ctx, &cognitoidentityprovider.AdminDeleteUserInput{UserPoolId: &id, Username: &username})
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
