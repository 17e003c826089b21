package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// signOutTimeout is how long the pool, and whoever has credentials, may take.
const signOutTimeout = 15 * time.Second

// SignOutAtPool has a pool revoke every refresh token of a person, whom it knows by their
// sub as well as by their username: by AdminUserGlobalSignOut, with the credentials of AWS's
// tools.
func SignOutAtPool(ctx context.Context, issuer, region, who string, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	id := issuer[strings.LastIndexByte(issuer, '/')+1:]
	ofID, _, ok := strings.Cut(id, "_")
	if !ok {
		return fmt.Errorf("the issuer %s does not end in the id of a pool, such as eu-west-1_Ab12Cd34E", issuer)
	}
	instead := LocalEndpoint(issuer)
	settings, err := AWS(ctx, cmp.Or(region, ofID), instead, log)
	if err != nil {
		return err
	}
	if settings.Credentials == nil {
		return errNoCredentials
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return errNoCredentials
	}
	client := cognitoidentityprovider.NewFromConfig(settings, func(o *cognitoidentityprovider.Options) { o.BaseEndpoint = Endpoint(instead) })
	_, err = client.AdminUserGlobalSignOut(ctx, &cognitoidentityprovider.AdminUserGlobalSignOutInput{UserPoolId: &id, Username: &who})
	return err
}

var errNoCredentials = errors.New("there are no AWS credentials; set AWS_PROFILE, or run it where a role allows cognito-idp:AdminUserGlobalSignOut")
