package localpool_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ask calls an operation that is to answer.
func (c *contract) ask(operation, body string) map[string]any {
	c.Helper()
	a := c.call(operation, body)
	if a.status != 200 {
		c.Errorf("%s: %s", operation, a.body)
	}
	return a.json
}

// no calls an operation that is to refuse.
func (c *contract) no(operation, body, kind, message string) {
	c.Helper()
	a := c.call(operation, body)
	text, _ := a.json["message"].(string)
	if a.status != 400 || a.json["__type"] != kind || !strings.Contains(text, message) {
		c.Errorf("%s: %d %s, want %s: %s", operation, a.status, a.body, kind, message)
	}
}

func inner(v map[string]any, names ...string) any {
	var at any = v
	for _, name := range names {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	return at
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// TestAPI_Documents: what a pool is told beside its settings is given back, changed, listed
// and deleted.
func TestAPI_Documents(t *testing.T) {
	c := newContract(t)
	pool := text(inner(c.ask("CreateUserPool", `{"PoolName":"documents","UserPoolTier":"PLUS","AutoVerifiedAttributes":["email"]}`), "UserPool", "Id"))
	id := `"UserPoolId":"` + pool + `"`
	app := text(inner(c.ask("CreateUserPoolClient", `{`+id+`,"ClientName":"app"}`), "UserPoolClient", "ClientId"))
	client := id + `,"ClientId":"` + app + `"`

	// Identity providers, which apps name.
	c.no("CreateUserPoolClient", `{`+id+`,"ClientName":"x","SupportedIdentityProviders":["Corp"]}`, "InvalidParameterException", "The provider Corp does not exist for User Pool")
	oidc := `"ProviderName":"Corp","ProviderType":"OIDC","ProviderDetails":{"client_id":"a","oidc_issuer":"https://id.example.com","authorize_scopes":"openid","attributes_request_method":"GET"}`
	made := c.ask("CreateIdentityProvider", `{`+id+`,`+oidc+`,"IdpIdentifiers":["corp.example.com"],"AcrMapping":{"Level3":"high"}}`)
	if !has(made, parsed(t, `{"IdentityProvider":{"UserPoolId":"`+pool+`",`+oidc+`,"AttributeMapping":{"username":"sub"},"IdpIdentifiers":["corp.example.com"],"AcrMapping":{"Level3":"high"}}}`)) {
		t.Errorf("provider = %v", made)
	}
	c.no("CreateIdentityProvider", `{`+id+`,`+oidc+`}`, "DuplicateProviderException", "already exists")
	c.ask("CreateUserPoolClient", `{`+id+`,"ClientName":"x","SupportedIdentityProviders":["COGNITO","Corp"]}`)
	c.ask("UpdateIdentityProvider", `{`+id+`,"ProviderName":"Corp","AttributeMapping":{"email":"mail"}}`)
	if got := c.ask("DescribeIdentityProvider", `{`+id+`,"ProviderName":"Corp"}`); !has(got, parsed(t, `{"IdentityProvider":{`+oidc+`,"AttributeMapping":{"email":"mail","username":"sub"}}}`)) {
		t.Errorf("provider = %v", got)
	}
	if got := c.ask("GetIdentityProviderByIdentifier", `{`+id+`,"IdpIdentifier":"corp.example.com"}`); inner(got, "IdentityProvider", "ProviderName") != "Corp" {
		t.Errorf("provider = %v", got)
	}
	google := c.ask("CreateIdentityProvider", `{`+id+`,"ProviderName":"Google","ProviderType":"Google","ProviderDetails":{"client_id":"a","client_secret":"b","authorize_scopes":"email"}}`)
	if inner(google, "IdentityProvider", "ProviderDetails", "oidc_issuer") != "https://accounts.google.com" {
		t.Errorf("provider = %v", google)
	}
	first := c.ask("ListIdentityProviders", `{`+id+`,"MaxResults":1}`)
	second := c.ask("ListIdentityProviders", `{`+id+`,"MaxResults":1,"NextToken":"`+text(first["NextToken"])+`"}`)
	if !has(first, parsed(t, `{"Providers":[{"ProviderName":"Corp","ProviderType":"OIDC"}]}`)) || !has(second, parsed(t, `{"Providers":[{"ProviderName":"Google"}]}`)) || second["NextToken"] != nil {
		t.Errorf("pages: %v, %v", first, second)
	}
	c.ask("DeleteIdentityProvider", `{`+id+`,"ProviderName":"Google"}`)
	c.no("DescribeIdentityProvider", `{`+id+`,"ProviderName":"Google"}`, "ResourceNotFoundException", "does not exist")

	// Linked identities.
	c.ask("AdminCreateUser", `{`+id+`,"Username":"erin","MessageAction":"SUPPRESS"}`)
	link := `"SourceUser":{"ProviderName":"Corp","ProviderAttributeName":"Cognito_Subject","ProviderAttributeValue":"e-1"}`
	c.ask("AdminLinkProviderForUser", `{`+id+`,"DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"erin"},`+link+`}`)
	erin := c.ask("AdminGetUser", `{`+id+`,"Username":"erin"}`)
	if !strings.Contains(strings.Join(values(erin["UserAttributes"]), " "), `"userId":"e-1"`) {
		t.Errorf("user = %v", erin)
	}
	c.no("AdminLinkProviderForUser", `{`+id+`,"DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"nobody"},`+link+`}`, "UserNotFoundException", "")
	c.ask("AdminDisableProviderForUser", `{`+id+`,"User":{"ProviderName":"Corp","ProviderAttributeName":"Cognito_Subject","ProviderAttributeValue":"e-1"}}`)

	// Terms, styles, policies.
	term := c.ask("CreateTerms", `{`+client+`,"TermsName":"terms-of-use","TermsSource":"LINK","Enforcement":"NONE","Links":{"cognito:default":"https://example.com/terms"}}`)
	termID := text(inner(term, "Terms", "TermsId"))
	c.no("CreateTerms", `{`+client+`,"TermsName":"terms-of-use","TermsSource":"LINK","Enforcement":"NONE"}`, "TermsExistsException", "")
	c.ask("UpdateTerms", `{`+id+`,"TermsId":"`+termID+`","Links":{"cognito:default":"https://example.com/new"}}`)
	if got := c.ask("DescribeTermsByClient", `{`+client+`,"TermsName":"terms-of-use"}`); inner(got, "Terms", "Links", "cognito:default") != "https://example.com/new" {
		t.Errorf("terms = %v", got)
	}
	if got := c.ask("ListTerms", `{`+id+`}`); !has(got, parsed(t, `{"Terms":[{"TermsId":"`+termID+`","TermsName":"terms-of-use","Enforcement":"NONE"}]}`)) {
		t.Errorf("terms = %v", got)
	}
	c.ask("DescribeTerms", `{`+id+`,"TermsId":"`+termID+`"}`)
	c.ask("DeleteTerms", `{`+id+`,"TermsId":"`+termID+`"}`)

	style := c.ask("CreateManagedLoginBranding", `{`+client+`,"Settings":{"components":{"form":{"borderRadius":8}}}}`)
	styleID := text(inner(style, "ManagedLoginBranding", "ManagedLoginBrandingId"))
	c.no("CreateManagedLoginBranding", `{`+client+`,"UseCognitoProvidedValues":true}`, "ManagedLoginBrandingExistsException", "")
	if got := c.ask("DescribeManagedLoginBrandingByClient", `{`+client+`}`); !has(got, parsed(t, `{"ManagedLoginBranding":{"UseCognitoProvidedValues":false,"Settings":{"components":{"form":{"borderRadius":8}}}}}`)) {
		t.Errorf("style = %v", got)
	}
	c.ask("UpdateManagedLoginBranding", `{`+id+`,"ManagedLoginBrandingId":"`+styleID+`","Settings":{}}`)
	c.ask("DescribeManagedLoginBranding", `{`+id+`,"ManagedLoginBrandingId":"`+styleID+`"}`)
	c.ask("DeleteManagedLoginBranding", `{`+id+`,"ManagedLoginBrandingId":"`+styleID+`"}`)

	policy := c.ask("CreateCIMDPolicy", `{`+client+`,"PolicyName":"tools","URLPatterns":["https://tools.example.com/*"]}`)
	policyID := `"CIMDPolicyId":"` + text(inner(policy, "CIMDPolicy", "CIMDPolicyId")) + `"`
	c.ask("UpdateCIMDPolicy", `{`+client+`,`+policyID+`,"URLPatterns":["https://other.example.com/*"]}`)
	if got := c.ask("DescribeCIMDPolicy", `{`+id+`,`+policyID+`}`); !has(got, parsed(t, `{"CIMDPolicy":{"PolicyName":"tools","CacheDuration":86400,"URLPatterns":["https://other.example.com/*"],"ClientId":"`+app+`"}}`)) {
		t.Errorf("policy = %v", got)
	}
	c.ask("ListCIMDPolicies", `{`+id+`}`)
	c.ask("ListClientMetadataURLs", `{`+id+`,`+policyID+`}`)
	c.no("UpdateClientMetadataURLState", `{`+id+`,`+policyID+`,"URL":"https://other.example.com/client","Action":"REFRESH"}`, "CachedCIMDURLDoesNotExistException", "")
	c.ask("DeleteCIMDPolicy", `{`+id+`,`+policyID+`}`)

	// One of a pool or of a client.
	c.ask("SetRiskConfiguration", `{`+client+`,"RiskExceptionConfiguration":{"BlockedIPRangeList":["192.0.2.0/24"]}}`)
	if got := c.ask("DescribeRiskConfiguration", `{`+client+`}`); !has(got, parsed(t, `{"RiskConfiguration":{"ClientId":"`+app+`","RiskExceptionConfiguration":{"BlockedIPRangeList":["192.0.2.0/24"]}}}`)) {
		t.Errorf("risk = %v", got)
	}
	if got := c.ask("DescribeRiskConfiguration", `{`+id+`}`); !has(got, parsed(t, `{"RiskConfiguration":{"UserPoolId":"`+pool+`"}}`)) {
		t.Errorf("risk = %v", got)
	}
	logs := `"LogConfigurations":[{"LogLevel":"ERROR","EventSource":"userNotification","CloudWatchLogsConfiguration":{"LogGroupArn":"arn:aws:logs:eu-west-1:123456789012:log-group:x"}}]`
	if got := c.ask("GetLogDeliveryConfiguration", `{`+id+`}`); !has(got, parsed(t, `{"LogDeliveryConfiguration":{"UserPoolId":"`+pool+`","LogConfigurations":[]}}`)) {
		t.Errorf("logs = %v", got)
	}
	if got := c.ask("SetLogDeliveryConfiguration", `{`+id+`,`+logs+`}`); !has(got, parsed(t, `{"LogDeliveryConfiguration":{`+logs+`}}`)) {
		t.Errorf("logs = %v", got)
	}
	c.no("SetUICustomization", `{`+client+`,"CSS":".x{}"}`, "InvalidParameterException", "There has to be an existing domain associated with this user pool")
	c.ask("CreateUserPoolDomain", `{`+id+`,"Domain":"documents","ManagedLoginVersion":1}`)
	if got := c.ask("GetUICustomization", `{`+client+`}`); !has(got, parsed(t, `{"UICustomization":{}}`)) {
		t.Errorf("customization = %v", got)
	}
	c.ask("SetUICustomization", `{`+id+`,"CSS":".x{}","ImageFile":"aGVsbG8="}`)
	if got := c.ask("GetUICustomization", `{`+client+`}`); inner(got, "UICustomization", "CSS") != ".x{}" || !strings.HasPrefix(text(inner(got, "UICustomization", "ImageUrl")), "https://") {
		t.Errorf("customization = %v", got)
	}
	if got := c.ask("GetUICustomization", `{`+client+`}`); inner(got, "UICustomization", "ClientId") != "ALL" {
		t.Errorf("customization = %v, want that of all clients", got)
	}
	c.ask("SetUICustomization", `{`+client+`,"CSS":".y{}"}`)
	if got := c.ask("GetUICustomization", `{`+client+`}`); !has(got, parsed(t, `{"UICustomization":{"ClientId":"`+app+`","CSS":".y{}"}}`)) {
		t.Errorf("customization = %v", got)
	}
	for _, whose := range []string{client, id + `,"ClientId":"ALL"`} { // nothing is what there is after nothing
		c.ask("SetUICustomization", `{`+whose+`}`)
	}
	if got := c.ask("GetUICustomization", `{`+client+`}`); len(got["UICustomization"].(map[string]any)) > 0 {
		t.Errorf("customization = %v, want none", got)
	}
	if got := c.ask("DescribeUserPoolDomain", `{"Domain":"documents"}`); !has(got, parsed(t, `{"DomainDescription":{"CustomDomainConfig":{}}}`)) {
		t.Errorf("domain = %v", got)
	}
	c.ask("UpdateUserPoolDomain", `{`+id+`,"Domain":"documents","ManagedLoginVersion":2}`)
	if got := c.ask("DescribeUserPoolDomain", `{"Domain":"documents"}`); inner(got, "DomainDescription", "ManagedLoginVersion") != 2.0 {
		t.Errorf("domain = %v", got)
	}

	// Resource servers, tags, attributes.
	c.ask("CreateResourceServer", `{`+id+`,"Identifier":"orders","Name":"Orders","Scopes":[{"ScopeName":"read","ScopeDescription":"r"}]}`)
	c.ask("UpdateResourceServer", `{`+id+`,"Identifier":"orders","Name":"Other","Scopes":[{"ScopeName":"write","ScopeDescription":"w"}]}`)
	if got := c.ask("DescribeResourceServer", `{`+id+`,"Identifier":"orders"}`); !has(got, parsed(t, `{"ResourceServer":{"Name":"Other","Scopes":[{"ScopeName":"write","ScopeDescription":"w"}]}}`)) {
		t.Errorf("server = %v", got)
	}
	c.ask("DeleteResourceServer", `{`+id+`,"Identifier":"orders"}`)
	c.no("UpdateResourceServer", `{`+id+`,"Identifier":"orders","Name":"Other"}`, "ResourceNotFoundException", "")
	arn := `"ResourceArn":"` + text(inner(c.ask("DescribeUserPool", `{`+id+`}`), "UserPool", "Arn")) + `"`
	c.ask("TagResource", `{`+arn+`,"Tags":{"team":"blue","cost":"1"}}`)
	c.ask("UntagResource", `{`+arn+`,"TagKeys":["cost"]}`)
	if got := c.ask("ListTagsForResource", `{`+arn+`}`); !has(got, parsed(t, `{"Tags":{"team":"blue"}}`)) || !has(c.ask("DescribeUserPool", `{`+id+`}`), parsed(t, `{"UserPool":{"UserPoolTags":{"team":"blue"}}}`)) {
		t.Errorf("tags = %v", got)
	}
	c.no("ListTagsForResource", `{"ResourceArn":"arn:aws:cognito-idp:local:000000000000:userpool/local_Gone1"}`, "ResourceNotFoundException", "")
	c.ask("AddCustomAttributes", `{`+id+`,"CustomAttributes":[{"Name":"age","AttributeDataType":"Number","Mutable":true,"NumberAttributeConstraints":{"MinValue":"1","MaxValue":"9"}}]}`)
	c.no("AddCustomAttributes", `{`+id+`,"CustomAttributes":[{"Name":"age","AttributeDataType":"Number"}]}`, "InvalidParameterException", "custom:age: Existing attribute already has name custom:age.")

	// What is not set up answers so.
	if a, b := c.ask("GetSigningCertificate", `{`+id+`}`), c.ask("GetSigningCertificate", `{`+id+`}`); text(a["Certificate"]) == "" || a["Certificate"] != b["Certificate"] {
		t.Errorf("certificates %v, %v", a, b)
	}
	c.no("CreateUserPoolReplica", `{`+id+`,"RegionName":"eu-west-1"}`, "InvalidParameterException", "UPDATED")
	c.ask("ListUserPoolReplicas", `{`+id+`}`)
	c.no("AdminListUserAuthEvents", `{`+id+`,"Username":"erin"}`, "UserPoolAddOnNotEnabledException", "")
	if got := c.ask("GetProvisionedLimit", `{"LimitDefinition":{"LimitClass":"API_CATEGORY","Attributes":{"Category":"UserList"}}}`); !has(got, parsed(t, `{"Limit":{"ProvisionedLimitValue":30,"FreeLimitValue":30}}`)) {
		t.Errorf("limit = %v", got)
	}
	c.ask("UpdateProvisionedLimit", `{"LimitDefinition":{"LimitClass":"API_CATEGORY","Attributes":{"Category":"UserList"}},"RequestedLimitValue":60}`)
	c.no("InitiatePointInTimeRecovery", `{`+id+`,"RestoreTimestamp":1}`, "InvalidParameterException", "RestoreTimestamp")
	c.ask("ListPointInTimeRecoveries", `{`+id+`}`)
	lite := `"UserPoolId":"` + text(inner(c.ask("CreateUserPool", `{"PoolName":"lite","UserPoolTier":"LITE"}`), "UserPool", "Id")) + `"`
	c.no("SetUserPoolSessionConfiguration", `{`+lite+`,"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":2}}`, "FeatureUnavailableInTierException", "")
	c.no("UpdateUserPool", `{`+lite+`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}}`, "FeatureUnavailableInTierException", "The following features need to be disabled for the LITE pricing tier configured:")

	// Imports.
	header := c.ask("GetCSVHeader", `{`+id+`}`)
	job := c.ask("CreateUserImportJob", `{`+id+`,"JobName":"people","CloudWatchLogsRoleArn":"arn:aws:iam::123456789012:role/x","PasswordHashingAlgorithm":"SCRYPT"}`)
	to, jobID := text(inner(job, "UserImportJob", "PreSignedUrl")), `"JobId":"`+text(inner(job, "UserImportJob", "JobId"))+`"`
	if len(header["CSVHeader"].([]any)) != 22 || inner(job, "UserImportJob", "Status") != "Created" || !strings.HasPrefix(to, "http") {
		t.Errorf("header %v, job %v", header, job)
	}
	// N=2, of the password Passw0rd! and the salt "salt".
	file := "cognito:username,email,email_verified,phone_number_verified,custom:age,cognito:mfa_enabled,password_hash\nfrank,frank@example.com,TRUE,FALSE,7,FALSE,\ngrace,grace@example.com,true,,99,false,\nerin,erin@example.com,true,,,false,\nhenry,h@example.com,true,,,false,16384$8$1$73616c74$00\n"
	r, err := http.NewRequestWithContext(t.Context(), "PUT", c.url+to[strings.Index(to, "/"+pool):], strings.NewReader(file))
	c.ok(err)
	if put := c.send(r); put.status != 200 {
		t.Errorf("upload: %d %s", put.status, put.body)
	}
	c.ask("StartUserImportJob", `{`+id+`,`+jobID+`}`)
	if got := c.ask("DescribeUserImportJob", `{`+id+`,`+jobID+`}`); !has(got, parsed(t, `{"UserImportJob":{"Status":"Succeeded","ImportedUsers":2,"SkippedUsers":1,"FailedUsers":1}}`)) {
		t.Errorf("job = %v", got)
	}
	if got := c.ask("AdminGetUser", `{`+id+`,"Username":"frank"}`); got["UserStatus"] != "RESET_REQUIRED" || len(got["UserAttributes"].([]any)) != 4 || !slices.Contains(values(got["UserAttributes"]), "true") {
		t.Errorf("user = %v, want sub, email, email_verified and custom:age", got)
	}
	c.no("StopUserImportJob", `{`+id+`,`+jobID+`}`, "PreconditionNotMetException", "Succeeded")
	c.ask("ListUserImportJobs", `{`+id+`,"MaxResults":10}`)
}

// TestAPI_DocumentsThatAreNotThere: each kind says so, whatever is asked of it.
func TestAPI_DocumentsThatAreNotThere(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, "")
	const id = "12345678-1234-4234-8234-123456789012"
	for _, tt := range []struct{ operation, members string }{
		{"DescribeIdentityProvider", `"ProviderName":"X"`}, {"UpdateIdentityProvider", `"ProviderName":"X"`}, {"DeleteIdentityProvider", `"ProviderName":"X"`},
		{"GetIdentityProviderByIdentifier", `"IdpIdentifier":"x"`},
		{"DescribeTerms", `"TermsId":"` + id + `"`}, {"UpdateTerms", `"TermsId":"` + id + `"`}, {"DeleteTerms", `"TermsId":"` + id + `"`},
		{"DescribeTermsByClient", app + `,"TermsName":"terms-of-use"`},
		{"DescribeManagedLoginBranding", `"ManagedLoginBrandingId":"` + id + `"`}, {"UpdateManagedLoginBranding", `"ManagedLoginBrandingId":"` + id + `"`},
		{"DeleteManagedLoginBranding", `"ManagedLoginBrandingId":"` + id + `"`}, {"DescribeManagedLoginBrandingByClient", app},
		{"DescribeCIMDPolicy", `"CIMDPolicyId":"x"`}, {"DeleteCIMDPolicy", `"CIMDPolicyId":"x"`}, {"ListClientMetadataURLs", `"CIMDPolicyId":"x"`},
		{"UpdateCIMDPolicy", app + `,"CIMDPolicyId":"x","URLPatterns":["https://a.example.com/*"]`},
		{"UpdateUserPoolReplica", `"RegionName":"eu-west-1","Status":"ACTIVE"`}, {"DeleteUserPoolReplica", `"RegionName":"eu-west-1"`},
		{"DescribeUserImportJob", `"JobId":"import-x"`}, {"StartUserImportJob", `"JobId":"import-x"`}, {"StopUserImportJob", `"JobId":"import-x"`},
		{"DescribePointInTimeRecovery", `"RestoreId":"` + id + `"`}, {"StartPointInTimeRecovery", `"RestoreId":"` + id + `"`}, {"CancelPointInTimeRecovery", `"RestoreId":"` + id + `"`},
		{"UpdateResourceServer", `"Identifier":"x","Name":"x"`}, {"DeleteResourceServer", `"Identifier":"x"`},
	} {
		c.no(tt.operation, `{`+pool+`,`+tt.members+`}`, "ResourceNotFoundException", "does not exist")
		c.no(tt.operation, `{"UserPoolId":"local_Gone1",`+tt.members+`}`, "ResourceNotFoundException", "does not exist")
	}
}

// values are the values of attributes.
func values(list any) (out []string) {
	attributes, _ := list.([]any)
	for _, a := range attributes {
		m, _ := a.(map[string]any)
		out = append(out, text(m["Value"]))
	}
	return out
}
