package localpool_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func TestAPI_Pools(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	made, err := client.CreateUserPool(ctx, &cip.CreateUserPoolInput{
		PoolName: aws.String("new one"), UsernameAttributes: []types.UsernameAttributeType{"email"},
		Policies: &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{MinimumLength: aws.Int32(12)}},
	})
	c.ok(err)
	id := aws.ToString(made.UserPool.Id)
	if !strings.HasPrefix(id, "eu-west-1_") || made.UserPool.UsernameConfiguration != nil || made.UserPool.UsernameAttributes[0] != "email" ||
		*made.UserPool.Policies.PasswordPolicy.MinimumLength != 12 || made.UserPool.CreationDate == nil {
		t.Errorf("pool = %+v", made.UserPool)
	}
	var listed []string
	pages := cip.NewListUserPoolsPaginator(client, &cip.ListUserPoolsInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		c.ok(err)
		for _, p := range page.UserPools {
			listed = append(listed, *p.Id)
		}
	}
	if want := []string{id}; !slices.Equal(listed, want) {
		t.Errorf("pools %v, want %v, which is of the region that the call is signed for", listed, want)
	}
	var all []string
	unsigned, _ := c.ask("ListUserPools", `{"MaxResults":60}`)["UserPools"].([]any)
	for _, p := range unsigned {
		m, _ := p.(map[string]any)
		all = append(all, text(m["Id"]))
	}
	if want := slices.Sorted(slices.Values([]string{"local_Shop1", "local_Other1", id})); !slices.Equal(all, want) {
		t.Errorf("pools of a call without a region %v, want %v", all, want)
	}

	// A pool that was made works as those of the seed do.
	if keys := c.do("GET", "/"+id+"/.well-known/jwks.json", nil); keys.status != 200 {
		t.Errorf("keys: status %d", keys.status)
	}
	app, err := client.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: &id, ClientName: aws.String("app"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	})
	c.ok(err)
	_, err = client.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: &id, Username: aws.String("erin@example.com"), MessageAction: "SUPPRESS"})
	c.ok(err)
	set := func(password string) error {
		_, err := client.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: &id, Username: aws.String("erin@example.com"), Password: &password, Permanent: true})
		return err
	}
	c.refused(set("Passw0rd!"), "InvalidPasswordException", "")
	c.ok(set("Passw0rd!Passw0rd!"))
	if out, err := c.byPassword(*app.UserPoolClient.ClientId, "erin@example.com", "Passw0rd!Passw0rd!"); err != nil || out.AuthenticationResult == nil {
		t.Errorf("sign-in = %+v, %v", out, err)
	}

	_, err = client.DeleteUserPool(ctx, &cip.DeleteUserPoolInput{UserPoolId: &id})
	c.ok(err)
	_, err = client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &id})
	c.refused(err, "ResourceNotFoundException", "User pool "+id+" does not exist.")

	_, err = client.CreateUserPool(ctx, &cip.CreateUserPoolInput{PoolName: aws.String("x"), MfaConfiguration: types.UserPoolMfaTypeOn})
	c.refused(err, "InvalidParameterException", "SMS configuration")
	_, err = client.ListUserPools(ctx, &cip.ListUserPoolsInput{MaxResults: aws.Int32(61)})
	c.refused(err, "InvalidParameterException", "Value '61' at 'maxResults'")
}

func TestAPI_DescribeUserPoolClient(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	describe := func(pool, id string) (*types.UserPoolClientType, error) {
		out, err := client.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &pool, ClientId: &id})
		if err != nil {
			return nil, err
		}
		return out.UserPoolClient, nil
	}
	web, err := describe(shop, "web")
	c.ok(err)
	if *web.ClientSecret != secretOne || !slices.Equal(web.CallbackURLs, []string{"http://localhost:8080/cb"}) || len(web.AllowedOAuthFlows) != 3 ||
		!*web.AllowedOAuthFlowsUserPoolClient || *web.AccessTokenValidity != 1 || web.TokenValidityUnits.AccessToken != "hours" || web.RefreshTokenValidity != 30 ||
		web.TokenValidityUnits.RefreshToken != "days" || !*web.EnableTokenRevocation || web.PreventUserExistenceErrors != "ENABLED" || web.SupportedIdentityProviders[0] != "COGNITO" ||
		web.CreationDate == nil {
		t.Errorf("web = %+v", web)
	}
	rotating, err := describe(shop, "rotating")
	c.ok(err)
	if rotating.ClientSecret != nil || rotating.RefreshTokenRotation.Feature != "ENABLED" || *rotating.RefreshTokenRotation.RetryGracePeriodSeconds != 10 {
		t.Errorf("rotating = %+v", rotating)
	}
	if kept, err := describe(shop, "kept"); err != nil || *kept.EnableTokenRevocation {
		t.Errorf("kept = %+v, %v", kept, err)
	}
	_, err = describe("local_Other1", "web")
	c.refused(err, "ResourceNotFoundException", "User pool client web does not exist.")

	var ids []string
	pages := cip.NewListUserPoolClientsPaginator(client, &cip.ListUserPoolClientsInput{UserPoolId: aws.String(shop), MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		c.ok(err)
		for _, p := range page.UserPoolClients {
			ids = append(ids, *p.ClientId)
		}
	}
	if !slices.Equal(ids, []string{"app", "kept", "legacy", "quiet", "rotating", "spa", "web"}) {
		t.Errorf("clients = %v", ids)
	}
}

func TestAPI_CreateUserPoolClient(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	out, err := client.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: aws.String(shop), ClientName: aws.String("made"), GenerateSecret: true,
		CallbackURLs: []string{"https://app.example.com/cb", "http://localhost:3000/cb"}, DefaultRedirectURI: aws.String("http://localhost:3000/cb"),
		LogoutURLs: []string{"https://app.example.com/"}, AllowedOAuthFlows: []types.OAuthFlowType{"code"}, AllowedOAuthScopes: []string{"openid", "orders/read"},
		AllowedOAuthFlowsUserPoolClient: true, AccessTokenValidity: aws.Int32(10), RefreshTokenValidity: 90,
		TokenValidityUnits: &types.TokenValidityUnitsType{AccessToken: "minutes", RefreshToken: "minutes"},
	})
	c.ok(err)
	made := out.UserPoolClient
	if len(*made.ClientId) != 26 || len(*made.ClientSecret) < 24 || *made.AccessTokenValidity != 10 || made.TokenValidityUnits.AccessToken != "minutes" ||
		made.RefreshTokenValidity != 90 || made.TokenValidityUnits.RefreshToken != "minutes" || made.PreventUserExistenceErrors != "" {
		t.Errorf("client = %+v", made)
	}
	// Through the pages, where the callback URL may be left out.
	a := c.signIn(*made.ClientId, "carol@example.com", "Passw0rd!", map[string]string{"redirect_uri": ""})
	if a.status != 302 || a.to.Host != "localhost:3000" {
		t.Fatalf("sign-in: status %d to %v", a.status, a.to)
	}
	tokens := c.redeem(*made.ClientId, a.to.Query().Get("code"), url.Values{"client_secret": {*made.ClientSecret}, "redirect_uri": {"http://localhost:3000/cb"}})
	if tokens.status != 200 || tokens.json["expires_in"] != float64(600) {
		t.Errorf("tokens: status %d, %s", tokens.status, tokens.body)
	}

	// An update replaces everything, but for the name and the secret.
	updated, err := client.UpdateUserPoolClient(ctx, &cip.UpdateUserPoolClientInput{UserPoolId: aws.String(shop), ClientId: made.ClientId, EnableTokenRevocation: aws.Bool(false)})
	c.ok(err)
	after := updated.UserPoolClient
	if *after.ClientName != "made" || *after.ClientSecret != *made.ClientSecret || len(after.CallbackURLs) != 0 || *after.AllowedOAuthFlowsUserPoolClient ||
		after.AccessTokenValidity != nil || *after.EnableTokenRevocation || !after.CreationDate.Equal(*made.CreationDate) {
		t.Errorf("after the update: %+v", after)
	}
	_, err = client.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: aws.String(shop), ClientId: made.ClientId})
	c.ok(err)
	_, err = client.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: aws.String(shop), ClientId: made.ClientId})
	c.refused(err, "ResourceNotFoundException", "does not exist.")

	for _, tt := range []struct {
		name    string
		change  func(*cip.CreateUserPoolClientInput)
		kind    string
		message string
	}{
		{"an unknown scope", func(in *cip.CreateUserPoolClientInput) { in.AllowedOAuthScopes = []string{"orders/burn"} }, "ScopeDoesNotExistException", "Invalid scope requested: orders/burn"},
		{"no scope", func(in *cip.CreateUserPoolClientInput) { in.AllowedOAuthScopes = nil }, "InvalidParameterException", "AllowedOAuthFlows and AllowedOAuthScopes are required"},
		{"no callback URL", func(in *cip.CreateUserPoolClientInput) { in.CallbackURLs = nil }, "InvalidOAuthFlowException", "CallbackUrls can not be empty when code flow or implicit flow is selected"},
		{"http elsewhere", func(in *cip.CreateUserPoolClientInput) { in.CallbackURLs = []string{"http://app.example.com/"} }, "InvalidParameterException", "begins with http"},
		{"another default", func(in *cip.CreateUserPoolClientInput) {
			in.DefaultRedirectURI = aws.String("https://app.example.com/")
		}, "InvalidParameterException", "DefaultRedirectURI"},
		{"machines and people", func(in *cip.CreateUserPoolClientInput) {
			in.AllowedOAuthFlows = []types.OAuthFlowType{"code", "client_credentials"}
		}, "InvalidParameterException", "can not be selected along with"},
		{"a machine without secret", func(in *cip.CreateUserPoolClientInput) {
			in.AllowedOAuthFlows = []types.OAuthFlowType{"client_credentials"}
		}, "InvalidParameterException", "does not have a client secret"},
		{"too short", func(in *cip.CreateUserPoolClientInput) {
			in.AccessTokenValidity, in.TokenValidityUnits = aws.Int32(4), &types.TokenValidityUnitsType{AccessToken: "minutes"}
		}, "InvalidParameterException", "Invalid range for token validity."},
		{"too long", func(in *cip.CreateUserPoolClientInput) { in.RefreshTokenValidity = 315360000 }, "InvalidParameterException", "Invalid range for token validity."},
		{"rotation and the other way", func(in *cip.CreateUserPoolClientInput) {
			in.RefreshTokenRotation = &types.RefreshTokenRotationType{Feature: "ENABLED"}
			in.ExplicitAuthFlows = []types.ExplicitAuthFlowsType{"ALLOW_REFRESH_TOKEN_AUTH"}
		}, "InvalidParameterException", "rotation"},
		{"no pool", func(in *cip.CreateUserPoolClientInput) { in.UserPoolId = aws.String("local_Gone1") }, "ResourceNotFoundException", "local_Gone1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &cip.CreateUserPoolClientInput{
				UserPoolId: aws.String(shop), ClientName: aws.String("refused"), CallbackURLs: []string{"http://localhost/cb"}, AllowedOAuthFlowsUserPoolClient: true,
				AllowedOAuthFlows: []types.OAuthFlowType{"code"}, AllowedOAuthScopes: []string{"openid"},
			}
			tt.change(in)
			_, err := client.CreateUserPoolClient(ctx, in)
			c.in(t).refused(err, tt.kind, tt.message)
		})
	}
}

func TestAPI_Domains(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	create := func(pool, domain string, custom *types.CustomDomainConfigType) (*cip.CreateUserPoolDomainOutput, error) {
		return client.CreateUserPoolDomain(ctx, &cip.CreateUserPoolDomainInput{UserPoolId: &pool, Domain: &domain, CustomDomainConfig: custom})
	}
	describe := func(domain string) *types.DomainDescriptionType {
		t.Helper()
		out, err := client.DescribeUserPoolDomain(ctx, &cip.DescribeUserPoolDomainInput{Domain: &domain})
		c.ok(err)
		return out.DomainDescription
	}
	if d := describe("shop"); d.UserPoolId != nil || d.Status != "" {
		t.Errorf("before there is one: %+v", d)
	}
	_, err := create(shop, "shop", nil)
	c.ok(err)
	own, err := create(shop, "auth.example.com", &types.CustomDomainConfigType{CertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/x")})
	c.ok(err)
	if d := describe("shop"); aws.ToString(d.UserPoolId) != shop || d.Status != "ACTIVE" || d.CustomDomainConfig == nil || d.CustomDomainConfig.CertificateArn != nil {
		t.Errorf("domain = %+v", d)
	}
	if d := describe("auth.example.com"); d.CustomDomainConfig == nil || d.CustomDomainConfig.CertificateArn == nil || own.CloudFrontDomain == nil {
		t.Errorf("domain = %+v, %+v", d, own)
	}
	p, err := client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	if aws.ToString(p.UserPool.Domain) != "shop" || aws.ToString(p.UserPool.CustomDomain) != "auth.example.com" {
		t.Errorf("pool = %+v", p.UserPool)
	}
	_, err = create(shop, "shop2", nil)
	c.refused(err, "InvalidParameterException", "User pool already has a domain configured.")
	_, err = create("local_Other1", "shop", nil)
	c.refused(err, "InvalidParameterException", "Domain already associated with another user pool.")
	_, err = create("local_Other1", "my-cognito", nil)
	c.refused(err, "InvalidParameterException", "reserved word: cognito")
	_, err = create("local_Other1", "Shop.", nil)
	c.refused(err, "InvalidParameterException", "failed to satisfy constraint")
	_, err = client.DeleteUserPool(ctx, &cip.DeleteUserPoolInput{UserPoolId: aws.String(shop)})
	c.refused(err, "InvalidParameterException", "domain configured")
	remove := func(pool, domain string) error {
		_, err := client.DeleteUserPoolDomain(ctx, &cip.DeleteUserPoolDomainInput{UserPoolId: &pool, Domain: &domain})
		return err
	}
	c.refused(remove("local_Other1", "shop"), "InvalidParameterException", "No such domain")
	c.ok(remove(shop, "shop"))
	if d := describe("shop"); d.UserPoolId != nil {
		t.Errorf("after it is gone: %+v", d)
	}
}

func TestAPI_ResourceServers(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	orders, err := client.DescribeResourceServer(ctx, &cip.DescribeResourceServerInput{UserPoolId: aws.String(shop), Identifier: aws.String("orders")})
	c.ok(err)
	if *orders.ResourceServer.Name != "orders" || len(orders.ResourceServer.Scopes) != 2 || *orders.ResourceServer.Scopes[1].ScopeName != "write" {
		t.Errorf("server = %+v", orders.ResourceServer)
	}
	in := &cip.CreateResourceServerInput{
		UserPoolId: aws.String(shop), Identifier: aws.String("https://api.example.com"), Name: aws.String("The API"),
		Scopes: []types.ResourceServerScopeType{{ScopeName: aws.String("read"), ScopeDescription: aws.String("May read")}},
	}
	made, err := client.CreateResourceServer(ctx, in)
	c.ok(err)
	if s := made.ResourceServer; *s.Name != "The API" || *s.Scopes[0].ScopeDescription != "May read" {
		t.Errorf("server = %+v", s)
	}
	_, err = client.CreateResourceServer(ctx, in)
	c.refused(err, "InvalidParameterException", "https://api.example.com already exists in user pool local_Shop1.")
	_, err = client.DescribeResourceServer(ctx, &cip.DescribeResourceServerInput{UserPoolId: aws.String(shop), Identifier: aws.String("none")})
	c.refused(err, "ResourceNotFoundException", "none")
	var names []string
	pages := cip.NewListResourceServersPaginator(client, &cip.ListResourceServersInput{UserPoolId: aws.String(shop), MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		c.ok(err)
		for _, s := range page.ResourceServers {
			names = append(names, *s.Identifier)
		}
	}
	if !slices.Equal(names, []string{"https://api.example.com", "orders"}) {
		t.Errorf("servers = %v", names)
	}
	// Its scopes are there for clients of machines.
	app, err := client.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: aws.String(shop), ClientName: aws.String("machine"), ClientSecret: aws.String("secretofsomelength01234567"), AllowedOAuthFlowsUserPoolClient: true,
		AllowedOAuthFlows: []types.OAuthFlowType{"client_credentials"}, AllowedOAuthScopes: []string{"https://api.example.com/read"},
	})
	c.ok(err)
	a := c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {*app.UserPoolClient.ClientId}, "client_secret": {*app.UserPoolClient.ClientSecret}})
	if a.status != 200 {
		t.Fatalf("status %d, %s", a.status, a.body)
	}
	if _, claims := c.claims(a.json["access_token"]); claims["scope"] != "https://api.example.com/read" {
		t.Errorf("claims = %v", claims)
	}
}

// TestAPI_DownToLite: a pool goes down to the cheapest plan when what the plan does not have
// is off, and has no such thing afterwards.
func TestAPI_DownToLite(t *testing.T) {
	c := newContract(t)
	for name, row := range map[string]struct {
		on, off func(pool, app string)
		members string // that an update gives anew, or turns off
	}{
		"User Session Management": {
			on: func(pool, _ string) {
				c.ask("SetUserPoolSessionConfiguration", `{`+pool+`,"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":2}}`)
			},
			off: func(pool, _ string) {
				c.ask("SetUserPoolSessionConfiguration", `{`+pool+`,"UserSessionTracking":"DISABLED","TokenSession":{"MaxPerUser":2}}`)
			},
		},
		"Client ID Metadata Documents": {
			on: func(pool, app string) {
				c.ask("CreateCIMDPolicy", `{`+pool+`,`+app+`,"PolicyName":"p","URLPatterns":["https://app.example/*"]}`)
			},
			off: func(pool, _ string) {
				id := text(inner(c.ask("ListCIMDPolicies", `{`+pool+`}`)["CIMDPolicies"].([]any)[0].(map[string]any), "CIMDPolicyId"))
				c.ask("DeleteCIMDPolicy", `{`+pool+`,"CIMDPolicyId":"`+id+`"}`)
			},
		},
		"Choice-Based Sign-In": {
			on: func(pool, app string) {
				c.ask("UpdateUserPoolClient", `{`+pool+`,`+app+`,"ExplicitAuthFlows":["ALLOW_USER_AUTH"]}`)
			},
			off: func(pool, app string) { c.ask("UpdateUserPoolClient", `{`+pool+`,`+app+`}`) },
		},
		"Managed Login": {
			on: func(pool, _ string) {
				c.ask("CreateUserPoolDomain", `{`+pool+`,"Domain":"down","ManagedLoginVersion":2}`)
			},
			off: func(pool, _ string) {
				c.ask("UpdateUserPoolDomain", `{`+pool+`,"Domain":"down","ManagedLoginVersion":1}`)
			},
		},
		"Email MFA": {
			on: func(pool, _ string) {
				c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}}`)
			},
			off: func(pool, _ string) { c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OFF"}`) },
		},
		"Passkeys": {
			on: func(pool, _ string) {
				c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OFF","WebAuthnConfiguration":{"RelyingPartyId":"example.com"}}`)
			},
			off: func(pool, _ string) { c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OFF"}`) },
		},
		"Password History":   {members: `,"Policies":{"PasswordPolicy":{"MinimumLength":8,"PasswordHistorySize":3}}`},
		"Passwordless Login": {members: `,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`},
		"Dynamic Client Registration": {
			on: func(pool, _ string) {
				c.ask("UpdateUserPool", `{`+pool+`,"DcrConfiguration":{"EnableStatus":"Enabled","AllowedScopes":["openid"]}}`)
			},
			off: func(pool, _ string) {
				c.ask("UpdateUserPool", `{`+pool+`,"DcrConfiguration":{"EnableStatus":"Disabled"}}`)
			},
		},
		"Authentication Context":     {members: `,"AcrConfiguration":{"Level1":{"AcrValue":"low"}}`},
		"Access Token Customization": {members: `,"LambdaConfig":{"PreTokenGenerationConfig":{"LambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:claims","LambdaVersion":"V2_0"}}`},
		"Threat Protection":          {members: `,"UserPoolAddOns":{"AdvancedSecurityMode":"AUDIT"}`},
		"Log Export": {
			on: func(pool, _ string) {
				c.ask("UpdateUserPool", `{`+pool+`,"UserPoolTier":"PLUS"}`)
				c.ask("SetLogDeliveryConfiguration", `{`+pool+`,"LogConfigurations":[{"LogLevel":"INFO","EventSource":"userAuthEvents","S3Configuration":{"BucketArn":"arn:aws:s3:::bucket"}}]}`)
			},
			off: func(pool, _ string) { c.ask("SetLogDeliveryConfiguration", `{`+pool+`,"LogConfigurations":[]}`) },
		},
		"Multi-Region Replication": {
			on: func(pool, _ string) { c.ask("CreateUserPoolReplica", `{`+pool+`,"RegionName":"us-east-1"}`) },
			off: func(pool, _ string) {
				c.ask("UpdateUserPoolReplica", `{`+pool+`,"RegionName":"us-east-1","Status":"INACTIVE"}`)
				c.ask("DeleteUserPoolReplica", `{`+pool+`,"RegionName":"us-east-1"}`)
			},
		},
		"Token Exchange": {
			on: func(pool, app string) {
				c.ask("UpdateUserPoolClient", `{`+pool+`,`+app+`,"ExplicitAuthFlows":["ALLOW_TOKEN_EXCHANGE_DELEGATION"]}`)
			},
			off: func(pool, app string) { c.ask("UpdateUserPoolClient", `{`+pool+`,`+app+`}`) },
		},
	} {
		// What replicas need stays in a Lite pool, and is nothing by itself.
		pool := c.made(`,"IssuerConfiguration":{"Type":"UPDATED"},"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/mrk-12345678123456781234567812345678"}`)
		app := c.app(pool, "")
		if row.on != nil {
			row.on(pool, app)
		}
		c.ask("UpdateUserPool", `{`+pool+row.members+`}`) // the plan that it has
		c.no("UpdateUserPool", `{`+pool+row.members+`,"UserPoolTier":"LITE"}`, "FeatureUnavailableInTierException", "need to be disabled for the LITE pricing tier configured: "+name)
		if row.off != nil {
			row.off(pool, app)
		}
		c.ask("UpdateUserPool", `{`+pool+`,"UserPoolTier":"LITE"}`)
		c.no("UpdateUserPoolClient", `{`+pool+`,`+app+`,"ExplicitAuthFlows":["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"]}`, "FeatureUnavailableInTierException", "ALLOW_TOKEN_EXCHANGE_IMPERSONATION")
	}
}
