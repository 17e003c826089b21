package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// clientSettings are what something follows from of the settings of an app client; all of
// them are kept.
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
	ReadAttributes                  []string
	WriteAttributes                 []string
	SupportedIdentityProviders      []string
	AuthSessionValidity             int
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

// validity reads how long a token lives, in the unit that was named or its own.
func validity(value int, unit, own string, otherwise, least, most time.Duration) (time.Duration, error) {
	if unit == "" {
		unit = own
	}
	if value == 0 {
		return otherwise, nil
	}
	if most/state.Units[unit] < time.Duration(value) || time.Duration(value)*state.Units[unit] < least {
		return 0, invalid("Invalid range for token validity.")
	}
	return time.Duration(value) * state.Units[unit], nil
}

// checkFlows refuses authentication flows that do not go together: the names of before
// with those of now, and what stands alone.
func checkFlows(flows []string) error {
	older := func(f string) bool { return !strings.HasPrefix(f, "ALLOW_") }
	switch {
	case slices.ContainsFunc(flows, older) && slices.ContainsFunc(flows, func(f string) bool { return !older(f) }):
		return invalid("Legacy ExplicitAuthFlows and new ExplicitAuthFlows cannot be mixed. Use either.")
	case slices.Contains(flows, "ALLOW_CLIENT_TOKEN_AUTH") && len(flows) > 1:
		return invalid("ALLOW_CLIENT_TOKEN_AUTH cannot be combined with other ExplicitAuthFlows.")
	}
	return nil
}

// exchangeFlows is how the names of the flows of token exchange begin.
const exchangeFlows = "ALLOW_TOKEN_EXCHANGE_"

// checkClient holds a client to what its pool has.
func (a *API) checkClient(p state.Pool, in clientSettings) error {
	rules := p.Rules()
	for _, name := range append(slices.Clone(in.ReadAttributes), in.WriteAttributes...) {
		known := slices.ContainsFunc(rules.SchemaAttributes, func(s state.SchemaAttribute) bool { return s.Name == name })
		if !known && !(p.AnySchema && strings.HasPrefix(name, "custom:")) {
			return invalid("Invalid read attributes specified while creating a client")
		}
	}
	for _, s := range rules.SchemaAttributes {
		if s.Required && s.Name != "sub" && in.WriteAttributes != nil && !slices.Contains(in.WriteAttributes, s.Name) {
			return invalid("Invalid write attributes specified while creating a client")
		}
	}
	for _, name := range in.WriteAttributes {
		if name == "sub" || strings.HasSuffix(name, "_verified") {
			return invalid("Invalid write attributes specified while creating a client")
		}
	}
	for _, name := range in.SupportedIdentityProviders {
		if name == "COGNITO" {
			continue
		}
		if _, ok := p.Documents[state.IdentityProviders][name]; !ok {
			return invalid("The provider %s does not exist for User Pool %s", name, p.ID)
		}
	}
	for _, flow := range in.ExplicitAuthFlows {
		if rules.UserPoolTier == "LITE" && (flow == "ALLOW_USER_AUTH" || strings.HasPrefix(flow, exchangeFlows)) {
			return &state.Error{Type: "FeatureUnavailableInTierException", Message: flow + " is not available in the LITE pricing tier configured."}
		}
	}
	return nil
}

// client makes a client of the settings, which are all of them: those that are left
// out are as in a client that nobody has changed.
func (in *clientSettings) client(secret bool) (c state.Client, err error) {
	c = state.Client{
		Name: in.ClientName, CallbackURLs: in.CallbackURLs, LogoutURLs: in.LogoutURLs, DefaultRedirectURI: in.DefaultRedirectURI,
		AuthFlows: in.ExplicitAuthFlows, TellUnknown: in.PreventUserExistenceErrors != "ENABLED",
		Revocation:     in.EnableTokenRevocation == nil || *in.EnableTokenRevocation,
		ReadAttributes: in.ReadAttributes, WriteAttributes: in.WriteAttributes, ChallengeLifetime: time.Duration(in.AuthSessionValidity) * time.Minute,
	}
	if err := checkFlows(c.AuthFlows); err != nil {
		return c, err
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
		return c, &state.Error{Type: "InvalidOAuthFlowException", Message: "CallbackUrls can not be empty when code flow or implicit flow is selected"}
	}
	return c, nil
}

// clientType is a client in the API's words: its settings as they were given, and what it
// is besides.
func clientType(p state.Pool, c state.Client) any {
	created, modified := c.Created, c.Modified
	if created.IsZero() {
		created, modified = p.Created, p.Created // of the seed
	}
	t := shown("UserPoolClientType", c.Described())
	t["UserPoolId"], t["ClientId"], t["CreationDate"], t["LastModifiedDate"] = c.PoolID, c.ID, epoch(created), epoch(modified)
	if c.Dynamic { // recorded answers about others do not have it
		t["ClientType"] = kindOf(c)
	}
	delete(t, "ClientSecret")
	switch {
	case c.SecretARN != "":
		t["ClientSecretArn"] = c.SecretARN // in place of the secret
	case len(c.Secrets) > 0:
		t["ClientSecret"] = c.Secrets[0]
	}
	return map[string]any{"UserPoolClient": t}
}

func kindOf(c state.Client) string {
	if c.Dynamic {
		return "DCR"
	}
	return "REGULAR"
}

// clientDefaults are what a client has that nobody has changed. (What
// DescribeUserPoolClient of a live pool says of one that was made with a name alone.)
var clientDefaults = state.Settings{
	"RefreshTokenValidity": json.RawMessage(`30`), "TokenValidityUnits": json.RawMessage(`{}`), "AllowedOAuthFlowsUserPoolClient": json.RawMessage(`false`),
	"EnableTokenRevocation": json.RawMessage(`true`), "EnablePropagateAdditionalUserContextData": json.RawMessage(`false`), "AuthSessionValidity": json.RawMessage(`3`),
}

// clientInner are the members that structures of a client's settings have, where one was
// given in part.
var clientInner = map[string]state.Settings{
	"TokenValidityUnits":     {"AccessToken": json.RawMessage(`"hours"`), "IdToken": json.RawMessage(`"hours"`), "RefreshToken": json.RawMessage(`"days"`)},
	"AnalyticsConfiguration": {"UserDataShared": json.RawMessage(`false`)},
}

const analyticsRole = "arn:aws:iam::" + account + ":role/aws-service-role/cognito-idp.amazonaws.com/AWSServiceRoleForAmazonCognitoIdp"

func membersOf(raw json.RawMessage) (members state.Settings) {
	_ = json.Unmarshal(raw, &members) // the model said that it is a structure
	return members
}

// filled is a structure with the members that it lacks; one that is empty or not there
// stays so.
func filled(raw json.RawMessage, lacks state.Settings) json.RawMessage {
	given := membersOf(raw)
	if len(given) == 0 {
		return raw
	}
	all := maps.Clone(lacks)
	maps.Copy(all, given)
	return mustRaw(all)
}

// complete gives a client's settings what AWS has where nothing was given.
func complete(kept state.Settings) state.Settings {
	for name, value := range clientDefaults {
		if kept[name] == nil || name == "RefreshTokenValidity" && string(kept[name]) == "0" {
			kept[name] = value
		}
	}
	delete(kept, "ClientSecret")
	for name, members := range clientInner {
		kept[name] = filled(kept[name], members)
	}
	// The service takes a role of its own for an application that is named by its ARN.
	if analytics := membersOf(kept["AnalyticsConfiguration"]); analytics["ApplicationArn"] != nil {
		kept["AnalyticsConfiguration"] = filled(kept["AnalyticsConfiguration"], state.Settings{"RoleArn": mustRaw(analyticsRole)})
	}
	maps.DeleteFunc(kept, func(_ string, value json.RawMessage) bool { return value == nil })
	return kept
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

func (a *API) createUserPoolClient(in *createUserPoolClient, kept state.Settings) (any, error) {
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
	if err := a.checkClient(p, in.clientSettings); err != nil {
		return nil, err
	}
	c.Settings = complete(kept)
	if secret != "" {
		c.Secrets, c.OwnSecret = []string{secret}, !in.GenerateSecret
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

func (a *API) updateUserPoolClient(in *updateUserPoolClient, kept state.Settings) (any, error) {
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
	if err := a.checkClient(p, in.clientSettings); err != nil {
		return nil, err
	}
	if publish := in.PublishSecretsInAWSSecretsManager; publish != nil && *publish && !before.Generated() {
		return nil, invalid("The user pool client does not have a generated client secret.")
	}
	if kept["ClientName"] == nil {
		kept["ClientName"] = before.Described()["ClientName"]
	}
	c.Settings = complete(kept)
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
	ClientType string
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
	if in.ClientType != "" {
		p.Clients = slices.DeleteFunc(p.Clients, func(c *state.Client) bool { return kindOf(*c) != in.ClientType })
	}
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
