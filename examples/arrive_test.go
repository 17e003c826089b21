package examples

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
)

// TestArrive runs the trigger as docs/move.md does before local pools: alice comes to the
// new pool with the password that she has at the old one.
func TestArrive(t *testing.T) {
	listen := testenv.FreeAddress(t)
	seed, err := localpool.ParseSeed(fmt.Appendf(nil, `
pools:
  - id: local_Old000001
    clients: [{id: ask, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_ADMIN_USER_PASSWORD_AUTH]}]
    users: [{username: alice, email: alice@example.com, password: Passw0rd!}]
  - id: local_New000001
    clients: [{id: web, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]
    triggers: {user_migration: "http://%[1]s/", pre_token_generation: "http://%[1]s/"}
`, listen))
	if err != nil {
		t.Fatal(err)
	}
	var pools *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pools.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	if pools, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pools.Close() })
	api := cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	if _, err := api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String("local_New000001"), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("codegrant_moved"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	for _, pool := range []string{"local_Old000001", "local_New000001"} {
		if _, err := api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: &pool, ProviderName: aws.String("Google"), ProviderType: types.IdentityProviderTypeTypeGoogle,
			ProviderDetails: map[string]string{"client_id": "a", "client_secret": "b", "authorize_scopes": "email"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := api.AdminLinkProviderForUser(t.Context(), &cip.AdminLinkProviderForUserInput{UserPoolId: aws.String("local_Old000001"),
		DestinationUser: &types.ProviderUserIdentifierType{ProviderName: aws.String("Cognito"), ProviderAttributeValue: aws.String("alice")},
		SourceUser:      &types.ProviderUserIdentifierType{ProviderName: aws.String("Google"), ProviderAttributeName: aws.String("Cognito_Subject"), ProviderAttributeValue: aws.String("17")}}); err != nil {
		t.Fatal(err)
	}
	key := bytes.Repeat([]byte{9}, move.KeySize)
	run(t, exec.Command(build(t, "arrive")),
		"LISTEN="+listen, "OLD_POOL=local_Old000001", "NEW_POOL=local_New000001", "OLD_CLIENT_ID=ask", "PROVIDERS=Another one, Google", "OLD_ENDPOINT="+server.URL, "NEW_ENDPOINT="+server.URL,
		"CODEGRANT_MOVE_KEY="+base64.StdEncoding.EncodeToString(key), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_REGION=local")
	await(t, listen)
	signIn := func(password string) error {
		_, err := api.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
			ClientId: aws.String("web"), AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": "alice", "PASSWORD": password},
		})
		return err
	}
	if err := signIn("Wrong0rd!"); err == nil {
		t.Error("a wrong password passed")
	}
	if err := signIn("Passw0rd!"); err != nil {
		t.Fatal(err)
	}
	alice, err := api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String("local_New000001"), Username: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(alice.UserAttributes, func(a types.AttributeType) bool {
		return *a.Name == "identities" && strings.Contains(*a.Value, `"userId":"17"`)
	}) {
		t.Errorf("her account at Google is not linked: %+v", alice.UserAttributes)
	}
}
