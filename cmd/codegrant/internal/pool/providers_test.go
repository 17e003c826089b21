package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// TestProviderWithoutSecret: an OIDC provider that has none is applied as it is.
func TestProviderWithoutSecret(t *testing.T) {
	url, api := serve(t, localpool.Seed{Pools: []localpool.PoolSeed{{ID: "local_Real1", Name: "shop"}, {ID: "local_Empty1", Name: "empty"}}})
	_, err := api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: aws.String("local_Real1"), ProviderName: aws.String("Corp"), ProviderType: types.IdentityProviderTypeTypeOidc,
		ProviderDetails: map[string]string{"client_id": "c", "authorize_scopes": "openid", "oidc_issuer": "https://idp.example.com", "attributes_request_method": "GET"}})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := sayPool(t, "export", "--pool-id", "local_Real1", "--endpoint", url)
	file, secrets := filepath.Join(t.TempDir(), "pool.yaml"), filepath.Join(t.TempDir(), "secrets.yaml")
	for name, content := range map[string]string{file: text, secrets: `Corp: ""`} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := []string{"apply", "--pool-id", "local_Empty1", "--endpoint", url, "--file", file, "--yes"}
	if out, status := sayPool(t, apply...); status != 1 || !strings.Contains(out, `"" if it has no secret`) {
		t.Errorf("nobody says so: status %d\n%s", status, out)
	}
	if out, status := sayPool(t, append(apply, "--secrets", secrets)...); status != 0 {
		t.Errorf("status %d\n%s", status, out)
	}
	p, err := api.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: aws.String("local_Empty1"), ProviderName: aws.String("Corp")})
	if err != nil {
		t.Fatal(err)
	}
	if secret, ok := p.IdentityProvider.ProviderDetails["client_secret"]; ok {
		t.Errorf("it has the secret %q", secret)
	}
}
