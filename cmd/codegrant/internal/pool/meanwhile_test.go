package pool

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// changesRightBefore has somebody else change each kind of thing after a change of the same
// run, before it is set: what they have set stands.
func changesRightBefore(t *testing.T, write func(string), file string) {
	id := aws.String(localpool.DemoPoolID)
	corp := map[string]string{"client_id": "c", "client_secret": "s", "authorize_scopes": "openid", "oidc_issuer": "https://idp.example.com", "attributes_request_method": "GET"}
	party := func(api *cip.Client, name string) error {
		_, err := api.SetUserPoolMfaConfig(t.Context(), &cip.SetUserPoolMfaConfigInput{UserPoolId: id, MfaConfiguration: types.UserPoolMfaTypeOff,
			WebAuthnConfiguration: &types.WebAuthnConfigurationType{RelyingPartyId: &name, UserVerification: types.UserVerificationTypePreferred}})
		return err
	}
	parties := func(api *cip.Client) (string, error) {
		out, err := api.GetUserPoolMfaConfig(t.Context(), &cip.GetUserPoolMfaConfigInput{UserPoolId: id})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.WebAuthnConfiguration.RelyingPartyId), nil
	}
	for _, one := range []struct {
		what, file string
		at         string // the operation of the command before which it happens
		nth        int    // of those
		prepare    func(*cip.Client) error
		theirs     func(*cip.Client) error
		now        func(*cip.Client) (string, error)
	}{
		{what: "mfa", file: "pool: {UserPoolTags: {a: b}}\nmfa: {WebAuthnConfiguration: {UserVerification: required}}\n", at: "UpdateUserPool",
			prepare: func(api *cip.Client) error { return party(api, "old.example.com") },
			theirs:  func(api *cip.Client) error { return party(api, "theirs.example.com") }, now: parties},
		{what: "mfa, before the pool is set", file: "pool: {SchemaAttributes: [{Name: 'custom:a', AttributeDataType: String}], UserPoolTags: {a: b}}\nmfa: {WebAuthnConfiguration: {UserVerification: required}}\n", at: "AddCustomAttributes",
			prepare: func(api *cip.Client) error { return party(api, "old.example.com") },
			theirs:  func(api *cip.Client) error { return party(api, "theirs.example.com") },
			now: func(api *cip.Client) (string, error) {
				out, err := api.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: id})
				if err == nil && out.UserPool.UserPoolTags["a"] != "" {
					t.Error("the pool is set, although second factors are not")
				}
				return parties(api)
			}},
		{what: "mfa alone", file: "pool: {}\nmfa: {WebAuthnConfiguration: {UserVerification: required}}\n", at: "GetUserPoolMfaConfig", nth: 1,
			prepare: func(api *cip.Client) error { return party(api, "old.example.com") },
			theirs:  func(api *cip.Client) error { return party(api, "theirs.example.com") }, now: parties},
		{what: "client", file: "pool: {UserPoolTags: {a: b}}\nclients: {extra: {RefreshTokenValidity: 7}}\n", at: "UpdateUserPool",
			prepare: func(api *cip.Client) error {
				_, err := api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{UserPoolId: id, ClientName: aws.String("extra")})
				return err
			},
			theirs: func(api *cip.Client) error {
				_, client, err := extra(t, api)
				if err == nil {
					_, err = api.UpdateUserPoolClient(t.Context(), &cip.UpdateUserPoolClientInput{UserPoolId: id, ClientId: &client, ClientName: aws.String("extra"), CallbackURLs: []string{"https://theirs.example.com"}})
				}
				return err
			},
			now: func(api *cip.Client) (string, error) { urls, _, err := extra(t, api); return urls, err }},
		{what: "identity provider", file: "pool: {UserPoolTags: {a: b}}\nidentity_providers: {Corp: {ProviderType: OIDC, ProviderDetails: {client_id: other}}}\n", at: "UpdateUserPool",
			prepare: func(api *cip.Client) error {
				_, err := api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Corp"), ProviderType: types.IdentityProviderTypeTypeOidc, ProviderDetails: corp})
				return err
			},
			theirs: func(api *cip.Client) error {
				_, err := api.UpdateIdentityProvider(t.Context(), &cip.UpdateIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Corp"), ProviderDetails: corp, IdpIdentifiers: []string{"theirs.example.com"}})
				return err
			},
			now: func(api *cip.Client) (string, error) {
				out, err := api.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Corp")})
				if err != nil {
					return "", err
				}
				return strings.Join(out.IdentityProvider.IdpIdentifiers, " "), nil
			}},
		{what: "resource server", file: "pool: {UserPoolTags: {a: b}}\nresource_servers: {stock: {Scopes: [{ScopeName: read, ScopeDescription: may read}]}}\n", at: "UpdateUserPool",
			prepare: func(api *cip.Client) error {
				_, err := api.CreateResourceServer(t.Context(), &cip.CreateResourceServerInput{UserPoolId: id, Identifier: aws.String("stock"), Name: aws.String("Stock")})
				return err
			},
			theirs: func(api *cip.Client) error {
				_, err := api.UpdateResourceServer(t.Context(), &cip.UpdateResourceServerInput{UserPoolId: id, Identifier: aws.String("stock"), Name: aws.String("theirs.example.com")})
				return err
			},
			now: func(api *cip.Client) (string, error) {
				out, err := api.DescribeResourceServer(t.Context(), &cip.DescribeResourceServerInput{UserPoolId: id, Identifier: aws.String("stock")})
				if err != nil {
					return "", err
				}
				return aws.ToString(out.ResourceServer.Name), nil
			}},
	} {
		a, url, api := askedPool(t)
		if err := one.prepare(api); err != nil {
			t.Fatalf("%s: %v", one.what, err)
		}
		var once sync.Once
		a.before = func(operation string) {
			if operation != one.at {
				return
			}
			if one.nth--; one.nth >= 0 {
				return
			}
			once.Do(func() {
				if err := one.theirs(api); err != nil {
					t.Errorf("%s: %v", one.what, err)
				}
			})
		}
		write(one.file)
		apply := []string{"apply", "--pool-id", *id, "--endpoint", url, "--file", file, "--yes"}
		kind, _, _ := strings.Cut(one.what, ",")
		if out, status := sayPool(t, apply...); status != 1 || !strings.Contains(out, strings.TrimSuffix(kind, " alone")) || !strings.Contains(out, "somebody else has changed it since the plan was made") {
			t.Errorf("%s: status %d\n%s", one.what, status, out)
		}
		if now, err := one.now(api); err != nil || !strings.Contains(now, "theirs.example.com") {
			t.Errorf("%s: what somebody else has set is %q now, %v", one.what, now, err)
		}
		// The plan of the next run knows of it.
		if out, status := sayPool(t, apply...); status != 0 {
			t.Errorf("%s: again: status %d\n%s", one.what, status, out)
		}
	}
}

// extra is the app client of that name: its callback URLs and its id.
func extra(t *testing.T, api *cip.Client) (urls, id string, err error) {
	t.Helper()
	pool := aws.String(localpool.DemoPoolID)
	list, err := api.ListUserPoolClients(t.Context(), &cip.ListUserPoolClientsInput{UserPoolId: pool, MaxResults: aws.Int32(60)})
	if err != nil {
		return "", "", err
	}
	for _, c := range list.UserPoolClients {
		if aws.ToString(c.ClientName) != "extra" {
			continue
		}
		out, err := api.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: pool, ClientId: c.ClientId})
		if err != nil {
			return "", "", err
		}
		return strings.Join(out.UserPoolClient.CallbackURLs, " "), aws.ToString(c.ClientId), nil
	}
	return "", "", nil
}
