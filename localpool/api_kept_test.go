package localpool_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestAPI_PasskeysAsSecondFactor: what was said of passkeys is said again.
func TestAPI_PasskeysAsSecondFactor(t *testing.T) {
	c := newContract(t)
	token := `{"AccessToken":"` + *c.tokens().AccessToken + `"`
	carol := `{"UserPoolId":"` + shop + `","Username":"carol"`
	for _, row := range []struct {
		operation, body string
		on              bool
	}{
		{"SetUserMFAPreference", token + `,"WebAuthnMfaSettings":{"Enabled":true}}`, true},
		{"SetUserMFAPreference", token + `,"SoftwareTokenMfaSettings":{"Enabled":false}}`, true},
		{"SetUserMFAPreference", token + `,"WebAuthnMfaSettings":{"Enabled":false}}`, false},
		{"AdminSetUserMFAPreference", carol + `,"WebAuthnMfaSettings":{"Enabled":true},"SoftwareTokenMfaSettings":{"Enabled":false}}`, true},
		{"AdminSetUserMFAPreference", carol + `,"WebAuthnMfaSettings":{"Enabled":false}}`, false},
	} {
		c.ask(row.operation, row.body)
		for operation, body := range map[string]string{"GetUser": token + `}`, "AdminGetUser": carol + `}`, "AdminGetUserAuthFactors": carol + `}`} {
			list, _ := c.ask(operation, body)["UserMFASettingList"].([]any)
			if got := slices.Contains(list, any("WEB_AUTHN")); got != row.on || !row.on && list != nil {
				t.Errorf("%s after %s: %v", operation, row.body, list)
			}
		}
	}
	c.no("AdminSetUserMFAPreference", `{"UserPoolId":"`+shop+`","Username":"nobody","WebAuthnMfaSettings":{"Enabled":true}}`, "UserNotFoundException", "")
}

// TestAPI_ListOfPoolsHasReplicas, as the model has it.
func TestAPI_ListOfPoolsHasReplicas(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"IssuerConfiguration":{"Type":"UPDATED"},"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/mrk-12345678123456781234567812345678"}`)
	regions := func() any {
		list, _ := c.ask("ListUserPools", `{"MaxResults":60}`)["UserPools"].([]any)
		for _, one := range list {
			if p, _ := one.(map[string]any); strings.Contains(pool, text(p["Id"])) {
				return p["ReplicaRegions"]
			}
		}
		t.Fatalf("pools = %v", list)
		return nil
	}
	if got := regions(); got != nil {
		t.Errorf("replicas = %v", got)
	}
	c.ask("CreateUserPoolReplica", `{`+pool+`,"RegionName":"us-east-1"}`)
	if got := regions(); !has(got, parsed(t, `["us-east-1"]`)) {
		t.Errorf("replicas = %v", got)
	}
}

// TestAPI_CheapestPlan: what a Lite pool does not have cannot be turned on in it.
func TestAPI_CheapestPlan(t *testing.T) {
	c := newContract(t)
	for _, row := range []struct{ operation, members, text string }{
		{"CreateUserPoolDomain", `"Domain":"%s","ManagedLoginVersion":2`, "Managed login"},
		{"SetUserPoolMfaConfig", `"MfaConfiguration":"OPTIONAL","EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}`, "Email MFA"},
		{"SetUserPoolMfaConfig", `"MfaConfiguration":"OFF","WebAuthnConfiguration":{"RelyingPartyId":"example.com"}`, "Passkey sign-in"},
	} {
		lite, other := c.made(`,"UserPoolTier":"LITE"`), c.made("")
		c.no(row.operation, `{`+lite+`,`+strings.ReplaceAll(row.members, "%s", "lite")+`}`, "FeatureUnavailableInTierException", row.text+" is not available in the LITE pricing tier configured.")
		c.ask(row.operation, `{`+other+`,`+strings.ReplaceAll(row.members, "%s", "other")+`}`)
	}
	lite := c.made(`,"UserPoolTier":"LITE"`)
	c.ask("CreateUserPoolDomain", `{`+lite+`,"Domain":"classic"}`)
	if got := c.ask("DescribeUserPoolDomain", `{"Domain":"classic"}`); !has(got, parsed(t, `{"DomainDescription":{"ManagedLoginVersion":1}}`)) {
		t.Errorf("domain = %v", got)
	}
	c.no("UpdateUserPoolDomain", `{`+lite+`,"Domain":"classic","ManagedLoginVersion":2}`, "FeatureUnavailableInTierException", "Managed login")
}

// TestAPI_ImportTurnsOnCodesBySMS for whom the file says so, and that needs a phone number.
func TestAPI_ImportTurnsOnCodesBySMS(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"AutoVerifiedAttributes":["email"]`)
	job := c.ask("CreateUserImportJob", `{`+pool+`,"JobName":"people","CloudWatchLogsRoleArn":"arn:aws:iam::123456789012:role/x"}`)
	to, jobID := text(inner(job, "UserImportJob", "PreSignedUrl")), `"JobId":"`+text(inner(job, "UserImportJob", "JobId"))+`"`
	file := "cognito:username,email,email_verified,phone_number,phone_number_verified,cognito:mfa_enabled\n" +
		"frank,frank@example.com,true,+15550100,true,TRUE\n" +
		"grace,grace@example.com,true,+15550101,true,false\n" +
		"henry,henry@example.com,true,,,true\n"
	_, path, _ := strings.Cut(to, "://")
	r, err := http.NewRequestWithContext(t.Context(), "PUT", c.url+path[strings.Index(path, "/"):], strings.NewReader(file))
	c.ok(err)
	if put := c.send(r); put.status != 200 {
		t.Fatalf("upload: %d %s", put.status, put.body)
	}
	c.ask("StartUserImportJob", `{`+pool+`,`+jobID+`}`)
	if got := c.ask("DescribeUserImportJob", `{`+pool+`,`+jobID+`}`); !has(got, parsed(t, `{"UserImportJob":{"Status":"Succeeded","ImportedUsers":2,"SkippedUsers":0,"FailedUsers":1}}`)) {
		t.Errorf("job = %v", got)
	}
	for name, want := range map[string]any{"frank": []any{"SMS_MFA"}, "grace": nil} {
		if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"`+name+`"}`)["UserMFASettingList"]; !has(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
