package api

import (
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// clientSettings are what an app client is made of. What the local pool does not
// model is not here.
type clientSettings struct {
	UserPoolId                      string
	ClientName                      string
	RefreshTokenValidity            int
	AccessTokenValidity             int
	IdTokenValidity                 int
	TokenValidityUnits              validityUnits
	ExplicitAuthFlows               []string
	CallbackURLs                    []string
	LogoutURLs                      []string
	DefaultRedirectURI              string
	AllowedOAuthFlows               []string
	AllowedOAuthScopes              []string
	AllowedOAuthFlowsUserPoolClient bool
	PreventUserExistenceErrors      string
	EnableTokenRevocation           *bool
	RefreshTokenRotation            *refreshRotation
}

type validityUnits struct {
	AccessToken  string `json:",omitempty"`
	IdToken      string `json:",omitempty"`
	RefreshToken string `json:",omitempty"`
}

type refreshRotation struct {
	Feature                 string
	RetryGracePeriodSeconds *int `json:",omitempty"`
}

const day = 24 * time.Hour

var (
	units = map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": day}
)

// validity reads how long a token lives, in the unit that was named or its own.
func validity(value int, unit, own string, otherwise, least, most time.Duration) (time.Duration, error) {
	if unit == "" {
		unit = own
	}
	if value == 0 {
		return otherwise, nil
	}
	if most/units[unit] < time.Duration(value) || time.Duration(value)*units[unit] < least {
		return 0, invalid("Invalid range for token validity.")
	}
	return time.Duration(value) * units[unit], nil
}

// client makes a client of the settings, which are all of them: those that are left
// out are as in a client that nobody has changed.
func (in *clientSettings) client(secret bool) (c state.Client, err error) {
	c = state.Client{
		Name: in.ClientName, CallbackURLs: in.CallbackURLs, LogoutURLs: in.LogoutURLs, DefaultRedirectURI: in.DefaultRedirectURI,
		AuthFlows: in.ExplicitAuthFlows, TellUnknown: in.PreventUserExistenceErrors != "ENABLED",
		Revocation: in.EnableTokenRevocation == nil || *in.EnableTokenRevocation,
	}
	if r := in.RefreshTokenRotation; r != nil && r.Feature == "ENABLED" {
		c.Rotation = true
		if r.RetryGracePeriodSeconds != nil {
			c.RotationGrace = time.Duration(*r.RetryGracePeriodSeconds) * time.Second
		}
		if slices.Contains(c.AuthFlows, "ALLOW_REFRESH_TOKEN_AUTH") {
			return c, invalid("ALLOW_REFRESH_TOKEN_AUTH cannot be enabled with refresh token rotation.")
		}
	}
	if c.AccessTokenValidity, err = validity(in.AccessTokenValidity, in.TokenValidityUnits.AccessToken, "hours", time.Hour, 5*time.Minute, day); err != nil {
		return c, err
	}
	if c.IDTokenValidity, err = validity(in.IdTokenValidity, in.TokenValidityUnits.IdToken, "hours", time.Hour, 5*time.Minute, day); err != nil {
		return c, err
	}
	if c.RefreshTokenValidity, err = validity(in.RefreshTokenValidity, in.TokenValidityUnits.RefreshToken, "days", 30*day, time.Hour, 3650*day); err != nil {
		return c, err
	}
	for _, u := range slices.Concat(in.CallbackURLs, in.LogoutURLs) {
		if err := state.CheckURL(u); err != nil {
			return c, invalid("%s", err)
		}
	}
	if in.DefaultRedirectURI != "" && !slices.Contains(in.CallbackURLs, in.DefaultRedirectURI) {
		return c, invalid("DefaultRedirectURI must be in the CallbackURLs list.")
	}
	if !in.AllowedOAuthFlowsUserPoolClient {
		return c, nil
	}
	c.Flows, c.Scopes = in.AllowedOAuthFlows, in.AllowedOAuthScopes
	machine := slices.Contains(c.Flows, "client_credentials")
	switch {
	case len(c.Flows) == 0 || len(c.Scopes) == 0:
		return c, invalid("AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.")
	case machine && len(c.Flows) > 1:
		return c, invalid("client_credentials flow can not be selected along with code flow or implicit flow.")
	case machine && !secret:
		return c, invalid("client_credentials flow can not be selected if client does not have a client secret.")
	case !machine && len(c.CallbackURLs) == 0:
		return c, invalid("CallbackURLs are required if code flow or implicit flow is selected.")
	}
	return c, nil
}

// written is a validity in a unit of the API's: its own where that leaves nothing
// over.
func written(d time.Duration, own string) (int, string) {
	for _, unit := range []string{own, "days", "hours", "minutes"} {
		if d%units[unit] == 0 {
			return int(d / units[unit]), unit
		}
	}
	return int(d / time.Second), "seconds"
}

// clientType is a client in the API's words.
func clientType(p state.Pool, c state.Client) any {
	created, modified := c.Created, c.Modified
	if created.IsZero() {
		created, modified = p.Created, p.Created // of the seed
	}
	t := map[string]any{
		"UserPoolId": c.PoolID, "ClientId": c.ID, "ClientName": c.Name, "CreationDate": epoch(created), "LastModifiedDate": epoch(modified),
		"ExplicitAuthFlows": c.Explicit(), "EnableTokenRevocation": c.Revocation, "EnablePropagateAdditionalUserContextData": false,
		"AllowedOAuthFlowsUserPoolClient": len(c.Flows) > 0, "AuthSessionValidity": int(sessionLifetime / time.Minute),
	}
	if !c.TellUnknown {
		t["PreventUserExistenceErrors"] = "ENABLED"
	}
	switch {
	case c.SecretARN != "":
		t["ClientSecretArn"] = c.SecretARN // in place of the secret
	case len(c.Secrets) > 0:
		t["ClientSecret"] = c.Secrets[0]
	}
	var used validityUnits
	t["AccessTokenValidity"], used.AccessToken = written(c.AccessTokenValidity, "hours")
	t["IdTokenValidity"], used.IdToken = written(c.IDTokenValidity, "hours")
	t["RefreshTokenValidity"], used.RefreshToken = written(c.RefreshTokenValidity, "days")
	t["TokenValidityUnits"] = used
	if len(c.Flows) > 0 {
		t["AllowedOAuthFlows"], t["AllowedOAuthScopes"], t["SupportedIdentityProviders"] = c.Flows, c.Scopes, []string{"COGNITO"}
	}
	for name, list := range map[string][]string{"CallbackURLs": c.CallbackURLs, "LogoutURLs": c.LogoutURLs} {
		if len(list) > 0 {
			t[name] = list
		}
	}
	if c.DefaultRedirectURI != "" {
		t["DefaultRedirectURI"] = c.DefaultRedirectURI
	}
	if c.Rotation {
		grace := int(c.RotationGrace / time.Second)
		t["RefreshTokenRotation"] = refreshRotation{"ENABLED", &grace}
	}
	return map[string]any{"UserPoolClient": t}
}

type createUserPoolClient struct {
	clientSettings
	GenerateSecret bool
	ClientSecret   string
	// PublishSecretsInAWSSecretsManager counts only for a secret that is generated.
	PublishSecretsInAWSSecretsManager bool
}

// toBeNamed stands in for the ARN of a client that has no id yet.
const toBeNamed = "arn"

func (a *API) createUserPoolClient(in *createUserPoolClient) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	secret := in.ClientSecret
	if in.GenerateSecret && secret != "" {
		return nil, invalid("GenerateSecret and ClientSecret cannot be given together.")
	}
	if in.GenerateSecret {
		secret = state.NewSecret()
	}
	c, err := in.client(secret != "")
	if err != nil {
		return nil, err
	}
	if secret != "" {
		c.Secrets = []string{secret}
	}
	if in.GenerateSecret && in.PublishSecretsInAWSSecretsManager {
		c.SecretARN = toBeNamed
	}
	if c, err = a.state.CreateClient(in.UserPoolId, c); err != nil {
		return nil, err
	}
	return clientType(p, c), nil
}

type updateUserPoolClient struct {
	clientSettings
	ClientId                          string
	PublishSecretsInAWSSecretsManager *bool // nil: as it is
}

func (a *API) updateUserPoolClient(in *updateUserPoolClient) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	before, err := a.client(in.ClientId, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	c, err := in.client(len(before.Secrets) > 0)
	if err != nil {
		return nil, err
	}
	if c, err = a.state.ReplaceClient(in.UserPoolId, in.ClientId, c); err != nil {
		return nil, err
	}
	if publish := in.PublishSecretsInAWSSecretsManager; publish != nil {
		if c, err = a.state.Manage(in.UserPoolId, in.ClientId, *publish); err != nil {
			return nil, err
		}
	}
	return clientType(p, c), nil
}

type onClient struct {
	UserPoolId string
	ClientId   string
}

func (a *API) describeUserPoolClient(in *onClient) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	c, err := a.client(in.ClientId, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return clientType(p, c), nil
}

func (a *API) deleteUserPoolClient(in *onClient) (any, error) {
	return empty, a.state.DeleteClient(in.UserPoolId, in.ClientId)
}

type listUserPoolClients struct {
	UserPoolId string
	MaxResults *int
	NextToken  string
}

func (a *API) listUserPoolClients(in *listUserPoolClients) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	token := in.NextToken
	in.NextToken = ""
	slices.SortFunc(p.Clients, func(x, y *state.Client) int { return strings.Compare(x.ID, y.ID) })
	clients, next, err := pageOf(a, token, in, p.Clients, limitOf(in.MaxResults), func(c *state.Client) string { return c.ID })
	if err != nil {
		return nil, err
	}
	type summary struct{ ClientId, ClientName, UserPoolId string }
	list := make([]summary, 0, len(clients))
	for _, c := range clients {
		list = append(list, summary{c.ID, c.Name, c.PoolID})
	}
	return struct {
		UserPoolClients []summary
		NextToken       string `json:",omitempty"`
	}{list, next}, nil
}
