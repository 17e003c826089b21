package localpool_test

import (
	"strings"
	"testing"
)

// TestAPI_OneSettingTwoNames: what has two names, or is said in another place, reads the same in
// both.
func TestAPI_OneSettingTwoNames(t *testing.T) {
	c := newContract(t)
	sms := `"SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms","ExternalId":"one"}`
	pool := c.made(`,"MfaConfiguration":"ON","SmsAuthenticationMessage":"first {####}",` + sms)
	mfa := func() map[string]any { return c.ask("GetUserPoolMfaConfig", `{`+pool+`}`) }
	described := func() map[string]any { return c.ask("DescribeUserPool", `{`+pool+`}`)["UserPool"].(map[string]any) }
	if got := mfa(); !has(got["SmsMfaConfiguration"], parsed(t, `{"SmsAuthenticationMessage":"first {####}",`+sms+`}`)) {
		t.Errorf("as made: %v", got)
	}
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SmsMfaConfiguration":{"SmsAuthenticationMessage":"second {####}",`+strings.Replace(sms, "one", "two", 1)+`}}`)
	if got := described(); got["SmsAuthenticationMessage"] != "second {####}" || inner(got, "SmsConfiguration", "ExternalId") != "two" {
		t.Errorf("after SetUserPoolMfaConfig: %v", got)
	}
	c.ask("UpdateUserPool", `{`+pool+`,"SmsAuthenticationMessage":"third {####}",`+sms+`}`)
	if got := mfa(); inner(got, "SmsMfaConfiguration", "SmsAuthenticationMessage") != "third {####}" || inner(got, "SmsMfaConfiguration", "SmsConfiguration", "ExternalId") != "one" {
		t.Errorf("after UpdateUserPool: %v", got)
	}
	// Text messages for other purposes are no second factor.
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{"Enabled":true}}`)
	c.ask("UpdateUserPool", `{`+pool+`,`+sms+`}`)
	if got := mfa(); got["SmsMfaConfiguration"] != nil || described()["SmsConfiguration"] == nil {
		t.Errorf("by app alone: %v", got)
	}
}

// TestAPI_StylesTurnToCognitosAndBack: an update need not name what it does away with.
func TestAPI_StylesTurnToCognitosAndBack(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, ``)
	made := c.ask("CreateManagedLoginBranding", `{`+pool+`,`+app+`,"Settings":{"components":{}},"Assets":[{"Category":"FORM_LOGO","ColorMode":"LIGHT","Extension":"PNG","Bytes":"YWJj"}]}`)
	id := `"ManagedLoginBrandingId":"` + text(inner(made, "ManagedLoginBranding", "ManagedLoginBrandingId")) + `"`
	got := c.ask("UpdateManagedLoginBranding", `{`+pool+`,`+id+`,"UseCognitoProvidedValues":true}`)["ManagedLoginBranding"].(map[string]any)
	if got["UseCognitoProvidedValues"] != true || got["Settings"] != nil || got["Assets"] != nil {
		t.Errorf("to Cognito's: %v", got)
	}
	got = c.ask("UpdateManagedLoginBranding", `{`+pool+`,`+id+`,"Settings":{"components":{"a":1}}}`)["ManagedLoginBranding"].(map[string]any)
	if got["UseCognitoProvidedValues"] != false || got["Settings"] == nil {
		t.Errorf("and back: %v", got)
	}
	c.no("UpdateManagedLoginBranding", `{`+pool+`,`+id+`,"UseCognitoProvidedValues":true,"Settings":{"components":{}}}`, "InvalidParameterException", "Settings and Assets cannot be specified")
}

// TestAPI_WhatAWSAdds: a domain has a bucket, and a SAML provider the places that its metadata
// name.
func TestAPI_WhatAWSAdds(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	c.ask("CreateUserPoolDomain", `{`+pool+`,"Domain":"styles"}`)
	if got := c.ask("DescribeUserPoolDomain", `{"Domain":"styles"}`); text(inner(got, "DomainDescription", "S3Bucket")) == "" {
		t.Errorf("domain = %v", got)
	}
	made := c.ask("CreateIdentityProvider", `{`+pool+`,"ProviderName":"Staff","ProviderType":"SAML","ProviderDetails":{"MetadataFile":"<m:EntityDescriptor xmlns:m='urn:oasis:names:tc:SAML:2.0:metadata'><m:SingleLogoutService Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect' Location='https://idp.example/out'/><m:SingleSignOnService Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' Location='https://idp.example/post'/><m:SingleSignOnService Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect' Location='https://idp.example/in'/></m:EntityDescriptor>"}}`)
	details := func(member string) any { return inner(made, "IdentityProvider", "ProviderDetails", member) }
	if details("SSORedirectBindingURI") != "https://idp.example/in" || details("SLORedirectBindingURI") != "https://idp.example/out" {
		t.Errorf("provider = %v", made)
	}
}
