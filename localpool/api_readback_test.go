package localpool_test

import (
	"crypto/x509"
	"encoding/base64"
	"testing"
)

// TestAPI_ReadBack: where an answer has more than was given, so that a tool that compares
// the two, as infrastructure tools do, finds what it finds at Cognito.
func TestAPI_ReadBack(t *testing.T) {
	c := newContract(t)
	const function = "arn:aws:lambda:eu-west-1:123456789012:function:claims"
	const app = "arn:aws:mobiletargeting:eu-west-1:123456789012:apps/0123456789abcdef0123456789abcdef"
	for _, row := range []struct{ name, given, want string }{
		{"no recovery", ``, `{"AccountRecoverySetting":{}}`},
		{"the older name of the token function", `,"LambdaConfig":{"PreTokenGeneration":"` + function + `"}`,
			`{"LambdaConfig":{"PreTokenGeneration":"` + function + `","PreTokenGenerationConfig":{"LambdaArn":"` + function + `","LambdaVersion":"V1_0"}}}`},
		{"the newer name of the token function", `,"LambdaConfig":{"PreTokenGenerationConfig":{"LambdaArn":"` + function + `","LambdaVersion":"V2_0"}}`,
			`{"LambdaConfig":{"PreTokenGeneration":"` + function + `","PreTokenGenerationConfig":{"LambdaArn":"` + function + `","LambdaVersion":"V2_0"}}}`},
	} {
		made, _ := c.ask("CreateUserPool", `{"PoolName":"p"`+row.given+`}`)["UserPool"].(map[string]any)
		id := text(made["Id"])
		c.ask("UpdateUserPool", `{"UserPoolId":"`+id+`"}`)
		c.ask("UpdateUserPool", `{"UserPoolId":"`+id+`"`+row.given+`}`)
		for _, got := range []any{made, c.ask("DescribeUserPool", `{"UserPoolId":"`+id+`"}`)["UserPool"]} {
			if !has(got, parsed(t, row.want)) {
				t.Errorf("%s: %v, want %s", row.name, got, row.want)
			}
		}
	}
	bare := c.ask("CreateUserPool", `{"PoolName":"bare","LambdaConfig":{"PreSignUp":"`+function+`"}}`)
	if functions, _ := inner(bare, "UserPool", "LambdaConfig").(map[string]any); len(functions) != 1 {
		t.Errorf("functions = %v, want the one that was given", functions)
	}

	pool := text(inner(bare, "UserPool", "Id"))
	id := `"UserPoolId":"` + pool + `"`
	for _, row := range []struct{ name, given, want string }{
		{"no units", ``, `{"TokenValidityUnits":{}}`},
		{"no unit in them", `,"TokenValidityUnits":{}`, `{"TokenValidityUnits":{}}`},
		{"one unit", `,"TokenValidityUnits":{"AccessToken":"days"}`, `{"TokenValidityUnits":{"AccessToken":"days","IdToken":"hours","RefreshToken":"days"}}`},
		{"another unit", `,"TokenValidityUnits":{"RefreshToken":"hours"}`, `{"TokenValidityUnits":{"AccessToken":"hours","IdToken":"hours","RefreshToken":"hours"}}`},
		{"analytics by id", `,"AnalyticsConfiguration":{"ApplicationId":"0123456789abcdef0123456789abcdef","RoleArn":"arn:aws:iam::123456789012:role/r","ExternalId":"e"}`,
			`{"AnalyticsConfiguration":{"ApplicationId":"0123456789abcdef0123456789abcdef","RoleArn":"arn:aws:iam::123456789012:role/r","ExternalId":"e","UserDataShared":false}}`},
		{"analytics by ARN", `,"AnalyticsConfiguration":{"ApplicationArn":"` + app + `","UserDataShared":true}`,
			`{"AnalyticsConfiguration":{"ApplicationArn":"` + app + `","UserDataShared":true,"RoleArn":"arn:aws:iam::000000000000:role/aws-service-role/cognito-idp.amazonaws.com/AWSServiceRoleForAmazonCognitoIdp"}}`},
	} {
		made, _ := c.ask("CreateUserPoolClient", `{`+id+`,"ClientName":"c"`+row.given+`}`)["UserPoolClient"].(map[string]any)
		client := id + `,"ClientId":"` + text(made["ClientId"]) + `"`
		c.ask("UpdateUserPoolClient", `{`+client+`}`)
		c.ask("UpdateUserPoolClient", `{`+client+row.given+`}`)
		for _, got := range []any{made, c.ask("DescribeUserPoolClient", `{`+client+`}`)["UserPoolClient"]} {
			if !has(got, parsed(t, row.want)) {
				t.Errorf("%s: %v, want %s", row.name, got, row.want)
			}
		}
		c.ask("UpdateUserPoolClient", `{`+client+`}`)
		if got := inner(c.ask("DescribeUserPoolClient", `{`+client+`}`), "UserPoolClient", "AnalyticsConfiguration"); got != nil {
			t.Errorf("%s: analytics = %v after an update without them", row.name, got)
		}
	}

	// A SAML provider has a certificate to seal its answers with.
	const metadata = `<EntityDescriptor><SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://id.example.com/sso\"/></EntityDescriptor>`
	saml := `{` + id + `,"ProviderName":"Corp","ProviderDetails":{"MetadataFile":"` + metadata + `","EncryptedResponses":"true"}`
	c.ask("CreateIdentityProvider", saml+`,"ProviderType":"SAML"}`)
	c.ask("UpdateIdentityProvider", saml+`}`)
	details, _ := inner(c.ask("DescribeIdentityProvider", `{`+id+`,"ProviderName":"Corp"}`), "IdentityProvider", "ProviderDetails").(map[string]any)
	if der, err := base64.StdEncoding.DecodeString(text(details["ActiveEncryptionCertificate"])); err != nil || len(details) != 4 {
		t.Errorf("details = %v, %v", details, err)
	} else if _, err := x509.ParseCertificate(der); err != nil {
		t.Errorf("certificate: %v", err)
	}
	google := c.ask("CreateIdentityProvider", `{`+id+`,"ProviderName":"Google","ProviderType":"Google","ProviderDetails":{"client_id":"a","client_secret":"b","authorize_scopes":"email"}}`)
	if inner(google, "IdentityProvider", "ProviderDetails", "ActiveEncryptionCertificate") != nil {
		t.Errorf("provider = %v", google)
	}

	// A style with all settings, its own over those that Cognito has.
	client := text(inner(c.ask("CreateUserPoolClient", `{`+id+`,"ClientName":"styled"}`), "UserPoolClient", "ClientId"))
	style := text(inner(c.ask("CreateManagedLoginBranding", `{`+id+`,"ClientId":"`+client+`","Settings":{"components":{"form":{"borderRadius":3}}}}`), "ManagedLoginBranding", "ManagedLoginBrandingId"))
	for operation, named := range map[string]string{"DescribeManagedLoginBranding": `"ManagedLoginBrandingId":"` + style + `"`, "DescribeManagedLoginBrandingByClient": `"ClientId":"` + client + `"`} {
		got := c.ask(operation, `{`+id+`,`+named+`,"ReturnMergedResources":true}`)
		if !has(got, parsed(t, `{"ManagedLoginBranding":{"UseCognitoProvidedValues":false,"Settings":{"components":{"form":{"borderRadius":3,"lightMode":{"backgroundColor":"ffffffff"}}},"categories":{"global":{"colorSchemeMode":"LIGHT"}}}}}`)) {
			t.Errorf("%s: %v", operation, got)
		}
		if got := inner(c.ask(operation, `{`+id+`,`+named+`}`), "ManagedLoginBranding", "Settings", "categories"); got != nil {
			t.Errorf("%s: %v, which nobody asked for", operation, got)
		}
	}
}

// TestAPI_TagsOfPoolsAlone: tags are of a user pool, by its ARN.
func TestAPI_TagsOfPoolsAlone(t *testing.T) {
	c := newContract(t)
	pool, _ := c.ask("CreateUserPool", `{"PoolName":"p"}`)["UserPool"].(map[string]any)
	id, arn := text(pool["Id"]), text(pool["Arn"])
	c.ask("TagResource", `{"ResourceArn":"`+arn+`","Tags":{"team":"blue"}}`)
	for bad, kind := range map[string]string{
		"not-an-arn-and-long-enough":                                     "InvalidParameterException",
		"arn:aws:cognito-identity:eu-west-1:000000000000:userpool/" + id: "InvalidParameterException",
		"arn:aws:cognito-idp:eu-west-1:000000000000:identitypool/" + id:  "InvalidParameterException",
		"arn:aws:cognito-idp:ap-south-1:000000000000:userpool/" + id:     "ResourceNotFoundException",
		arn + "x": "ResourceNotFoundException",
	} {
		c.no("ListTagsForResource", `{"ResourceArn":"`+bad+`"}`, kind, "")
		c.no("TagResource", `{"ResourceArn":"`+bad+`","Tags":{"a":"b"}}`, kind, "")
		c.no("UntagResource", `{"ResourceArn":"`+bad+`","TagKeys":["team"]}`, kind, "")
	}
	if got := c.ask("ListTagsForResource", `{"ResourceArn":"`+arn+`"}`); !has(got, parsed(t, `{"Tags":{"team":"blue"}}`)) {
		t.Errorf("tags = %v", got)
	}
}
