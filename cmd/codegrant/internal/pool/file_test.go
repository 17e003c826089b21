package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/codegranttest"
)

// TestS648_PoolAsAFile: what one pool is set to, another is set to by its file; what the
// other has beside stays, and no secret is in the file.
func TestS648_PoolAsAFile(t *testing.T) {
	one, other := codegranttest.NewPool(t, nil), codegranttest.NewPool(t, nil)
	ask := func(p *codegranttest.Pool) *cip.Client {
		return cip.New(cip.Options{Region: "local", BaseEndpoint: &p.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	}
	api, there := ask(one), ask(other)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	say := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(struct {
			Pool Command `cmd:""`
		}), append([]string{"pool"}, args...)...)
		if status != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, stdout, stderr)
		}
		return stdout + stderr
	}
	id := &one.PoolID
	_, err := api.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: id, GroupName: aws.String("approvers"), Description: aws.String("who approve"), Precedence: aws.Int32(7)})
	must(err)
	_, err = api.CreateResourceServer(t.Context(), &cip.CreateResourceServerInput{UserPoolId: id, Identifier: aws.String("https://api.example.com"), Name: aws.String("API"),
		Scopes: []types.ResourceServerScopeType{{ScopeName: aws.String("read"), ScopeDescription: aws.String("may read")}}})
	must(err)
	made, err := api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{UserPoolId: id, ClientName: aws.String("extra"), GenerateSecret: true, RefreshTokenValidity: 7,
		AllowedOAuthFlows: []types.OAuthFlowType{types.OAuthFlowTypeClientCredentials}, AllowedOAuthFlowsUserPoolClient: true, AllowedOAuthScopes: []string{"https://api.example.com/read"}})
	must(err)
	_, err = api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: id, CustomAttributes: []types.SchemaAttributeType{{Name: aws.String("level"), AttributeDataType: types.AttributeDataTypeString}}})
	must(err)
	_, err = api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Corp"), ProviderType: types.IdentityProviderTypeTypeOidc,
		ProviderDetails: map[string]string{"client_id": "c", "client_secret": "very-secret", "authorize_scopes": "openid", "oidc_issuer": "https://idp.example.com", "attributes_request_method": "GET"}})
	must(err)
	_, err = there.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &other.PoolID, GroupName: aws.String("theirs")})
	must(err)

	text := say(0, "export", "--pool-id", one.PoolID, "--endpoint", one.URL)
	for _, want := range []string{"approvers", "https://api.example.com", "extra", "custom:level", "https://idp.example.com"} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %s", want)
		}
	}
	if strings.Contains(text, "very-secret") || strings.Contains(text, aws.ToString(made.UserPoolClient.ClientSecret)) {
		t.Error("a secret is in the file")
	}
	file := filepath.Join(t.TempDir(), "pool.yaml")
	must(os.WriteFile(file, []byte(text), 0o600))
	if out := say(0, "diff", "--pool-id", one.PoolID, "--endpoint", one.URL, "--file", file); out != "" {
		t.Errorf("the pool differs from its own file: %s", out)
	}
	if out := say(1, "diff", "--pool-id", other.PoolID, "--endpoint", other.URL, "--other", one.PoolID, "--other-endpoint", one.URL); !strings.Contains(out, "client extra") || !strings.Contains(out, "group theirs") {
		t.Errorf("two pools: %s", out)
	}
	more := filepath.Join(t.TempDir(), "more.yaml")
	must(os.WriteFile(more, []byte("pool: {LambdaConfig: {PreSignUp: 'arn:aws:lambda:eu-west-1:123456789012:function:added'}}\n"), 0o600))
	say(0, "apply", "--yes", "--pool-id", one.PoolID, "--endpoint", one.URL, "--file", more)
	if out := say(1, "diff", "--pool-id", one.PoolID, "--endpoint", one.URL, "--file", file); !strings.Contains(out, "function:added") || !strings.Contains(out, "the file does not say it") {
		t.Errorf("a trigger was added, and it says: %s", out)
	}
	if out := say(0, "apply", "--pool-id", one.PoolID, "--endpoint", one.URL, "--file", file); strings.Contains(out, "function:added") || !strings.Contains(out, "nothing to change") {
		t.Errorf("a trigger was added, and the plan is: %s", out)
	}
	target := []string{"--pool-id", other.PoolID, "--endpoint", other.URL, "--file", file}
	apply := append([]string{"apply"}, target...)
	if out := say(0, apply...); !strings.Contains(out, "Nothing is done yet") {
		t.Errorf("plan: %s", out)
	}
	if out := say(1, append([]string{"diff"}, target...)...); !strings.Contains(out, "client extra") {
		t.Errorf("the plan has changed something: %s", out)
	}
	// A provider needs a secret that no file has.
	if out := say(1, append(apply, "--yes")...); !strings.Contains(out, "identity provider Corp: it needs a secret") {
		t.Errorf("without the secret: %s", out)
	}
	_, err = there.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: &other.PoolID, ProviderName: aws.String("Corp"), ProviderType: types.IdentityProviderTypeTypeOidc,
		ProviderDetails: map[string]string{"client_id": "before", "client_secret": "their-secret", "authorize_scopes": "openid", "oidc_issuer": "https://idp.example.com", "attributes_request_method": "GET"}})
	must(err)
	say(0, append(apply, "--yes")...)
	provider, err := there.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: &other.PoolID, ProviderName: aws.String("Corp")})
	must(err)
	if d := provider.IdentityProvider.ProviderDetails; d["client_id"] != "c" || d["client_secret"] != "their-secret" {
		t.Errorf("the provider has %v", d)
	}
	if out := say(0, append(apply, "--yes")...); !strings.Contains(out, "nothing to change") || !strings.Contains(out, "group theirs") {
		t.Errorf("a second time: %s", out)
	}
	if _, err := there.GetGroup(t.Context(), &cip.GetGroupInput{UserPoolId: &other.PoolID, GroupName: aws.String("theirs")}); err != nil {
		t.Errorf("what only the pool had: %v", err)
	}

	// What the file does not say stays.
	client := other.Clients()[0]
	before, err := there.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: &other.PoolID, ClientId: &client.ID})
	must(err)
	must(os.WriteFile(file, []byte("pool: {}\nclients: {"+aws.ToString(before.UserPoolClient.ClientName)+": {RefreshTokenValidity: 11}}\n"), 0o600))
	say(0, append(apply, "--yes")...)
	after, err := there.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: &other.PoolID, ClientId: &client.ID})
	must(err)
	if after.UserPoolClient.RefreshTokenValidity != 11 || strings.Join(after.UserPoolClient.CallbackURLs, " ") != strings.Join(before.UserPoolClient.CallbackURLs, " ") ||
		aws.ToString(after.UserPoolClient.ClientSecret) != client.Secret {
		t.Errorf("the client is %+v, and was %+v", after.UserPoolClient, before.UserPoolClient)
	}

	// What is set to nothing is nothing.
	must(os.WriteFile(file, []byte("pool: {}\nclients: {"+aws.ToString(before.UserPoolClient.ClientName)+": {LogoutURLs: []}}\n"), 0o600))
	say(0, append(apply, "--yes")...)
	if after, err = there.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: &other.PoolID, ClientId: &client.ID}); err != nil || len(after.UserPoolClient.LogoutURLs) > 0 {
		t.Errorf("the client has %v, %v", after.UserPoolClient.LogoutURLs, err)
	}
	must(os.WriteFile(file, []byte("pool: {}\nusers: {}\n"), 0o600))
	say(1, apply...)
	say(2, "diff", "--pool-id")
	say(2, "diff", "--pool-id", other.PoolID, "--endpoint", other.URL)
	say(2, "diff", "--pool-id", other.PoolID, "--endpoint", "http://127.0.0.1:1", "--other", one.PoolID)
}
