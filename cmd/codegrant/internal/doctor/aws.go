package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/refused"
)

// cognitoAPI calls operations of the AWS API by name. The SDK's types lack what the
// service has gained since: ClientSecretArn, and sessions.
type cognitoAPI struct {
	client      *http.Client
	url, region string
	credentials aws.CredentialsProvider
	poolID      string
	clientID    string
}

// errNotOffered: the pool does not have what is asked for, or the account may not know.
var errNotOffered = errors.New("not offered")

// errNoSuch: the pool, the app client or what else is named does not exist.
var errNoSuch = errors.New(refused.NotFound)

// api returns the AWS API of the pool; nil where it is not to be asked. AWS is asked only
// where the user wants it, for it takes credentials; a pool of this machine is always.
func (e *examination) api(ctx context.Context, c codegrant.Config, endpoints cognito.Endpoints) (*cognitoAPI, error) {
	if awsapi.LocalEndpoint(endpoints.Issuer) == "" && !e.askAWS {
		return nil, nil
	}
	a := &cognitoAPI{client: e.client, poolID: endpoints.Issuer[strings.LastIndexByte(endpoints.Issuer, '/')+1:], clientID: c.Pool.ClientID}
	ofID, _, _ := strings.Cut(a.poolID, "_")
	client, err := awsapi.Way{Region: orDefault(c.Pool.Region, ofID), Issuer: endpoints.Issuer, Log: slog.Default()}.Cognito(ctx)
	if err != nil {
		return nil, err
	}
	a.region, a.credentials = client.Options().Region, client.Options().Credentials
	a.url, err = awsapi.URL(ctx, client)
	return a, err
}

// call sends an operation about the app client, and reads the answer into out.
func (a *cognitoAPI) call(ctx context.Context, operation string, out any) error {
	return a.callWith(ctx, operation, map[string]any{"UserPoolId": a.poolID, "ClientId": a.clientID}, out)
}

// ofPool sends one about the pool.
func (a *cognitoAPI) ofPool(ctx context.Context, operation string, out any) error {
	return a.callWith(ctx, operation, map[string]any{"UserPoolId": a.poolID}, out)
}

func (a *cognitoAPI) callWith(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	who, err := a.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find the credentials that the AWS tools use: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), "cognito-idp", a.region, time.Now()); err != nil {
		return err
	}
	response, err := a.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK {
		return json.Unmarshal(answer, out)
	}
	var refusal struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer, &refusal) // a page of something in between has neither
	switch kind := refusal.Type[strings.LastIndexByte(refusal.Type, '#')+1:]; kind {
	case refused.NotFound:
		return fmt.Errorf("%w: %w", errNotOffered, errNoSuch)
	case "UnknownOperationException", "OperationNotEnabledException", "FeatureUnavailableInTierException":
		return fmt.Errorf("%w: %s", errNotOffered, kind)
	default:
		return fmt.Errorf("status %d, %s %s", response.StatusCode, terminal.Printable(kind), terminal.Printable(refusal.Message))
	}
}

// missing says, as a fault, that the pool does not exist, if the API knows no such pool. A pool
// that does not answer may exist.
func (e *examination) missing(ctx context.Context, c codegrant.Config, endpoints cognito.Endpoints) bool {
	api, err := e.api(ctx, c, endpoints)
	if err != nil || api == nil {
		return false
	}
	var described struct{}
	if err := api.ofPool(ctx, "DescribeUserPool", &described); !errors.Is(err, errNoSuch) {
		return false
	}
	e.fault("pool", "correct the pool id and the region in AUTH_COGNITO_JWKS_URL, or use credentials of the AWS account that has the pool"+ifDeleted, "the pool %s does not exist", api.poolID)
	return true
}

const ifDeleted = "; if somebody deleted the pool, see \"A pool was deleted\" in docs/restore.md"

// defaultSession is how long Cognito's own login session lasts where a pool does not
// track sessions (AWS, developer guide, "Managing user sessions").
const defaultSession = time.Hour

// ownSession says how long the pool signs a person in again without asking.
func (e *examination) ownSession(ctx context.Context, c codegrant.Config, api *cognitoAPI) {
	var found struct {
		SSOSession struct{ MaxValidityMinutes *int }
	}
	err := api.call(ctx, "GetUserPoolClientSessionConfiguration", &found)
	switch {
	case errors.Is(err, errNotOffered):
		e.fine("sessions", "the login session of the pool lasts one hour: during it, a sign-in asks no question"+freshSignIn)
		return
	case err != nil:
		e.warn("sessions", "allow cognito-idp:GetUserPoolClientSessionConfiguration for the credentials that the AWS tools use, or leave --aws out", "cannot read how long the login session of the pool lasts: %v", err)
		return
	}
	lasts := defaultSession
	if minutes := found.SSOSession.MaxValidityMinutes; minutes != nil {
		lasts = time.Duration(*minutes) * time.Minute
	}
	absolute := c.AbsoluteTimeout
	if absolute == 0 {
		absolute = 7 * 24 * time.Hour
	}
	if lasts > absolute {
		e.warn("sessions", "if you need a fresh sign-in, set max_age on the route (SignedInWithin in Go), or link to the sign-in with prompt=login; or have the pool ask sooner:\n"+
			fmt.Sprintf("aws cognito-idp set-user-pool-client-session-configuration --user-pool-id %s --client-id %s --sso-session MaxValidityMinutes=%d", api.poolID, api.clientID, int(absolute.Minutes())),
			"the login session of the pool lasts %v: after the absolute end of a session (%v), a person is signed in again without a question", lasts, absolute)
		return
	}
	if lasts <= 0 {
		e.fine("sessions", "the app client does not use the login session of the pool: each sign-in asks")
		return
	}
	e.fine("sessions", "the login session of the pool lasts %v: during it, a sign-in asks no question"+freshSignIn, lasts)
}

// freshSignIn says what is to be done where the pool's own session is in the way.
const freshSignIn = ". For a fresh sign-in, set max_age on the route (SignedInWithin in Go), or link to the sign-in with prompt=login"
