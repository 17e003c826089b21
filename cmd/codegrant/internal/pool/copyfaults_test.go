package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/localpool"
)

// TestS800_SettingsNameNobody: a copy has no name that settings have, and starts.
func TestS800_SettingsNameNobody(t *testing.T) {
	_, url, _ := askedPool(t)
	dir := t.TempDir()
	file, seed := filepath.Join(dir, "pool.yaml"), filepath.Join(dir, "seed.yaml")
	text := `pool: {Name: shop, UserPoolTags: {owner: zreal}, EmailConfiguration: {From: zreal@corp.example}, SmsAuthenticationMessage: "{####} call zreal"}
mfa:
  MfaConfiguration: OPTIONAL
  SoftwareTokenMfaConfiguration: {Enabled: true}
  EmailMfaConfiguration: {Message: "{####} call zreal@corp.example", Subject: zreal}
  SmsMfaConfiguration: {SmsAuthenticationMessage: "{####} call zreal", SmsConfiguration: {SnsCallerArn: "arn:aws:iam::123456789012:role/sms"}}
identity_providers:
  Corp:
    ProviderType: SAML
    ProviderDetails:
      MetadataFile: |
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- zreal wrote it -->
        <m:EntityDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com">
          <m:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
            <m:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/in?a=1&amp;b=2"/>
          </m:IDPSSODescriptor>
          <m:Organization><m:OrganizationName xml:lang="en">zreal and sons</m:OrganizationName></m:Organization>
          <m:ContactPerson contactType="technical"><m:GivenName>zreal</m:GivenName><m:EmailAddress>mailto:zreal@corp.example</m:EmailAddress><!-- of zreal --></m:ContactPerson>
          <m:ContactPerson contactType="other" x:name="zreal" xmlns:x="urn:x"/>
        </m:EntityDescriptor>
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := sayPool(t, "export", "--pool-id", localpool.DemoPoolID, "--endpoint", url, "--people", "anonymized", "--to", seed, "--file", file); status != 0 {
		t.Fatalf("status %d\n%s", status, out)
	}
	written, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(written), "zreal") {
		t.Errorf("the copy names somebody:\n%s", written)
	}
	read, err := localpool.ParseSeed(written)
	if err != nil {
		t.Fatal(err)
	}
	_, api := serve(t, read)
	p, err := api.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: aws.String(localpool.DemoPoolID), ProviderName: aws.String("Corp")})
	if err != nil || p.IdentityProvider.ProviderDetails["SSORedirectBindingURI"] != "https://idp.example.com/in?a=1&b=2" {
		t.Errorf("the provider is %v, %v", p, err)
	}
	mfa, err := api.GetUserPoolMfaConfig(t.Context(), &cip.GetUserPoolMfaConfigInput{UserPoolId: aws.String(localpool.DemoPoolID)})
	if err != nil || mfa.EmailMfaConfiguration == nil || mfa.SmsMfaConfiguration == nil {
		t.Errorf("second factors are %+v, %v", mfa, err)
	}
}

// TestCopyWithoutWhoIsDeleted: somebody is deleted after the pool has listed them, and the
// copy has everybody else.
func TestCopyWithoutWhoIsDeleted(t *testing.T) {
	a, url, api := askedPool(t)
	id := localpool.DemoPoolID
	users := everybody(t, api, id)
	gone := false
	a.before = func(operation string) {
		if operation == "AdminGetUser" && !gone {
			gone = true
			if _, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &id, Username: users[len(users)-1].Username}); err != nil {
				t.Error(err)
			}
		}
	}
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	out, status := sayPool(t, "export", "--pool-id", id, "--endpoint", url, "--people", "anonymized", "--to", seed, "--second-factors")
	if status != 0 {
		t.Fatalf("status %d\n%s", status, out)
	}
	written, err := os.ReadFile(seed)
	if err != nil {
		t.Fatal(err)
	}
	read, err := localpool.ParseSeed(written)
	if err != nil || !gone || len(read.Pools[0].Users) != len(users)-1 {
		t.Errorf("deleted: %v; of %d people, the copy has %d, %v", gone, len(users), len(read.Pools[0].Users), err)
	}
}
