package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cognito"
)

// secret checks the client secrets of the settings against the pool.
func (e *examination) secret(ctx context.Context, config codegrant.Config, endpoints cognito.Endpoints) {
	kept := e.keptSecret(ctx, config, endpoints)
	secrets, err := secretsOf(ctx, config.Pool)
	if err != nil {
		e.fault("secret", "check CODEGRANT_CLIENT_SECRET_ARN, the credentials that the AWS tools use, and their permissions", "cannot read the client secret: %v", err)
		return
	}
	unset, err := e.accepts(ctx, config, endpoints, "")
	var good []int
	for i := 0; i < len(secrets) && err == nil; i++ {
		var ok bool
		if ok, err = e.accepts(ctx, config, endpoints, cognito.Secret(secrets[i])); ok {
			good = append(good, i+1)
		}
	}
	switch {
	case err != nil:
		e.fault("secret", "check AUTH_COGNITO_CODE_GRANT_URL", "cannot connect to %s: %v", endpoints.Token, withoutURL(err))
	case len(secrets) == 0 && unset:
		e.fine("secret", "the app client has no secret, and none is set")
	case len(secrets) == 0 && kept != "":
		e.fault("secret", "set CODEGRANT_CLIENT_SECRET_ARN="+kept, "the app client has its secret in Secrets Manager, but the settings have no secret")
	case len(secrets) == 0:
		e.fault("secret", "set CODEGRANT_CLIENT_SECRET, CODEGRANT_CLIENT_SECRET_FILE, or CODEGRANT_CLIENT_SECRET_ARN if it is in Secrets Manager", "the app client has a secret, but the settings have none")
	case unset:
		e.fault("secret", "unset CODEGRANT_CLIENT_SECRET, or create an app client with a secret", "the settings have a secret, but the app client has none")
	case len(good) == 0:
		e.fault("secret", fmt.Sprintf("set CODEGRANT_CLIENT_SECRET to the secret that the app client has now:\naws cognito-idp describe-user-pool-client --user-pool-id %s --client-id %s --query UserPoolClient.ClientSecret --output text",
			poolIDOf(endpoints), config.Pool.ClientID), "this is not the secret of the app client")
	case len(secrets) == 1:
		e.fine("secret", "accepted")
	case len(good) == len(secrets):
		e.fine("secret", "the pool accepts all %d", len(secrets))
	default:
		e.warn("secret", "nothing while you rotate secrets; afterwards keep in CODEGRANT_CLIENT_SECRET the one that the pool accepts, and unset CODEGRANT_SECOND_CLIENT_SECRET", "of %d secrets, the pool accepts only number %d", len(secrets), good[0])
	}
	if kept != "" && config.Pool.ClientSecretARN == "" && len(secrets) > 0 {
		e.fault("secret", "set CODEGRANT_CLIENT_SECRET_ARN="+kept+" instead of the secret",
			"the app client has its secret in Secrets Manager, which replaces it every 7 days, and the settings have a fixed value")
	}
}

// secretsOf are the secrets of the settings, as they are now.
func secretsOf(ctx context.Context, pool cognito.Pool) ([]string, error) {
	if err := parts.WithClientSecret(&pool); err != nil {
		return nil, err
	}
	if pool.Secrets != nil {
		return pool.Secrets.Secrets(ctx, true)
	}
	var secrets []string
	for _, s := range []cognito.Secret{pool.ClientSecret, pool.SecondSecret} {
		if s != "" {
			secrets = append(secrets, s.Reveal())
		}
	}
	return secrets, nil
}

// slowToken is how long the token endpoint may take: people wait for it.
const slowToken = 2 * time.Second

// accepts presents a code that does not exist: the pool says whether it accepts the
// client before it looks at the code.
func (e *examination) accepts(ctx context.Context, config codegrant.Config, endpoints cognito.Endpoints, secret cognito.Secret) (bool, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {config.Pool.ClientID}, "code": {"codegrant-doctor"},
		"redirect_uri":  {callbackOf(config)},
		"code_verifier": {strings.Repeat("codegrant-doctor-", 3)},
	}
	begun := time.Now()
	a, err := e.ask(ctx, http.MethodPost, endpoints.Token, form, secret)
	if err != nil {
		return false, err
	}
	if took := time.Since(begun); took > slowToken && !e.slow {
		e.slow = true
		e.warn("token", "sign-ins and refreshes wait for it: look at any proxy of this machine (HTTPS_PROXY), and at how long the triggers of the pool take:\naws cognito-idp describe-user-pool --user-pool-id "+poolIDOf(endpoints)+" --query UserPool.LambdaConfig", "%s took %s to answer", endpoints.Token, took.Round(time.Millisecond))
	}
	var refusal struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(a.body, &refusal) != nil || refusal.Error == "" {
		return false, fmt.Errorf("status %d without an OAuth error", a.status)
	}
	return refusal.Error != "invalid_client", nil
}

// keptSecret is the ARN of the app client's secret where Secrets Manager keeps it.
func (e *examination) keptSecret(ctx context.Context, c codegrant.Config, endpoints cognito.Endpoints) string {
	api, err := e.api(ctx, c, endpoints)
	if err == nil && api == nil {
		e.fine("sessions", "the login session of the pool lasts one hour, or up to 90 days if the pool tracks sessions; run with --aws to see which"+freshSignIn)
		return ""
	}
	var described struct{ UserPoolClient clientFacts }
	if err == nil {
		err = api.call(ctx, "DescribeUserPoolClient", &described)
	}
	if err != nil {
		if e.askAWS {
			e.warn("client", "allow cognito-idp:DescribeUserPoolClient for the credentials that the AWS tools use, or leave --aws out", "cannot read the app client from the AWS API: %v", err)
		}
		return ""
	}
	e.ownSession(ctx, c, api)
	e.features(ctx, c, api, described.UserPoolClient)
	arn := described.UserPoolClient.ClientSecretArn
	if arn != "" {
		e.fine("client", "has its secret in Secrets Manager: %s", arn)
	}
	return arn
}
