package localpool_test

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/model"
)

// coverage are the members that were sent, those in others too, by their path.
type coverage map[string]bool

func memberShape(shape, name string) string {
	for _, m := range model.ShapeOf(shape).Members {
		if m[0] == name {
			return m[1]
		}
	}
	return ""
}

// mark marks what a value of a shape has.
func (c coverage) mark(shape, path string, value any) {
	c[path] = true
	s := model.ShapeOf(shape)
	switch v := value.(type) {
	case map[string]any:
		for name, one := range v {
			switch item := memberShape(shape, name); {
			case s.Type == "map":
				c.mark(s.Item, path, one)
			case item != "":
				c.mark(item, path+"."+name, one)
			}
		}
	case []any:
		for _, one := range v {
			c.mark(s.Item, path, one)
		}
	}
}

// complete tells of each member of a shape that was not sent, but for those that elsewhere
// has a reason for.
func (c coverage) complete(t *testing.T, shape, path string, elsewhere map[string]string) {
	t.Helper()
	s := model.ShapeOf(shape)
	if s.Type == "list" || s.Type == "map" {
		c.complete(t, s.Item, path, elsewhere)
	}
	for _, m := range s.Members {
		at := path + "." + m[0]
		_, name, _ := strings.Cut(at, ".")
		if elsewhere[name] != "" {
			continue
		}
		if !c[at] {
			t.Errorf("%s is not tried", at)
			continue
		}
		c.complete(t, m[1], at, elsewhere)
	}
}

// TestAPI_EverythingElseIsGivenBack: what pools are told beside their own settings, with all
// that the model has in it.
func TestAPI_EverythingElseIsGivenBack(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"UserPoolTier":"PLUS","AutoVerifiedAttributes":["email"],"IssuerConfiguration":{"Type":"UPDATED"},"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/mrk-1"}`)
	client := pool + "," + c.app(pool, "")
	const mail = `{"Subject":"s","HtmlBody":"<p>text</p>","TextBody":"a text"}`
	const action = `{"Notify":true,"EventAction":"BLOCK"}`
	const sms = `{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms","ExternalId":"x","SnsRegion":"eu-west-1","EumsSms":{"CallerArn":"arn:aws:iam::123456789012:role/eums","ExternalId":"y","OriginationIdentity":"phone-1","ConfigurationSetName":"set","InEntityId":"1","InTemplateId":"2","Region":"eu-west-1"}}`
	const corp = `"ProviderName":"Corp"`
	oidc := func(id string) string {
		return `"ProviderDetails":{"client_id":"` + id + `","oidc_issuer":"https://id.example.com","authorize_scopes":"openid","attributes_request_method":"GET"},"AttributeMapping":{"email":"mail"},"IdpIdentifiers":["` + id + `.example.com"],"AcrMapping":{"Level3":"` + id + `"}`
	}
	asset := func(name string) string {
		return `"Settings":{"components":{"form":{"borderRadius":8}}},"Assets":[{"Category":"FORM_LOGO","ColorMode":"LIGHT","Extension":"PNG","Bytes":"aGVsbG8=","ResourceId":"` + name + `"}]`
	}
	tried := make(coverage)
	shapes := make(map[string]string) // of the requests, by operation
	made := make(map[string]string)   // the members that name what has an id, by what it is
	for _, row := range []struct{ set, with, sent, get, by, at, id string }{
		{"CreateIdentityProvider", pool, corp + `,"ProviderType":"OIDC",` + oidc("a"), "DescribeIdentityProvider", pool + "," + corp, "IdentityProvider", ""},
		{"UpdateIdentityProvider", pool, corp + `,` + oidc("b"), "DescribeIdentityProvider", pool + "," + corp, "IdentityProvider", ""},
		{"CreateResourceServer", pool, `"Identifier":"orders","Name":"Orders","Scopes":[{"ScopeName":"read","ScopeDescription":"r"}]`, "DescribeResourceServer", pool + `,"Identifier":"orders"`, "ResourceServer", ""},
		{"UpdateResourceServer", pool, `"Identifier":"orders","Name":"Other","Scopes":[{"ScopeName":"write","ScopeDescription":"w"}]`, "DescribeResourceServer", pool + `,"Identifier":"orders"`, "ResourceServer", ""},
		{"CreateGroup", pool, `"GroupName":"g","Description":"d","RoleArn":"arn:aws:iam::123456789012:role/g","Precedence":3`, "GetGroup", pool + `,"GroupName":"g"`, "Group", ""},
		{"UpdateGroup", pool, `"GroupName":"g","Description":"e","RoleArn":"arn:aws:iam::123456789012:role/h","Precedence":4`, "GetGroup", pool + `,"GroupName":"g"`, "Group", ""},
		{"CreateUserPoolDomain", pool, `"Domain":"auth.example.com","ManagedLoginVersion":1,"CustomDomainConfig":{"CertificateArn":"arn:aws:acm:us-east-1:123456789012:certificate/a","SecurityPolicy":"TLS_V1"},"Routing":{"Failover":{"SecondaryRegion":"us-east-1","PrimaryRoute53HealthCheckId":"a"}}`, "DescribeUserPoolDomain", `"Domain":"auth.example.com"`, "DomainDescription", ""},
		{"UpdateUserPoolDomain", pool, `"Domain":"auth.example.com","ManagedLoginVersion":2,"CustomDomainConfig":{"CertificateArn":"arn:aws:acm:us-east-1:123456789012:certificate/b","SecurityPolicy":"TLS_V1_3_2025"},"Routing":{"Failover":{"SecondaryRegion":"us-west-2","PrimaryRoute53HealthCheckId":"b"}}`, "DescribeUserPoolDomain", `"Domain":"auth.example.com"`, "DomainDescription", ""},
		{"CreateManagedLoginBranding", client, `"UseCognitoProvidedValues":false,` + asset("a"), "DescribeManagedLoginBrandingByClient", client, "ManagedLoginBranding", "ManagedLoginBrandingId"},
		{"UpdateManagedLoginBranding", pool, `"UseCognitoProvidedValues":false,` + asset("b"), "DescribeManagedLoginBranding", pool, "ManagedLoginBranding", ""},
		{"CreateTerms", client, `"TermsName":"terms-of-use","TermsSource":"LINK","Enforcement":"NONE","Links":{"cognito:default":"https://example.com/a"}`, "DescribeTerms", pool, "Terms", "TermsId"},
		{"UpdateTerms", pool, `"TermsName":"terms-of-use","TermsSource":"LINK","Enforcement":"NONE","Links":{"cognito:default":"https://example.com/b"}`, "DescribeTerms", pool, "Terms", ""},
		{"CreateCIMDPolicy", client, `"PolicyName":"a","CacheDuration":86401,"URLPatterns":["https://a.example.com/*"]`, "DescribeCIMDPolicy", pool, "CIMDPolicy", "CIMDPolicyId"},
		{"UpdateCIMDPolicy", client, `"PolicyName":"b","CacheDuration":86402,"URLPatterns":["https://b.example.com/*"]`, "DescribeCIMDPolicy", pool, "CIMDPolicy", ""},
		{"CreateUserImportJob", pool, `"JobName":"people","CloudWatchLogsRoleArn":"arn:aws:iam::123456789012:role/x","PasswordHashingAlgorithm":"SCRYPT"`, "DescribeUserImportJob", pool, "UserImportJob", "JobId"},
		{"CreateUserPoolReplica", pool, `"RegionName":"us-east-1"`, "ListUserPoolReplicas", pool, "UserPoolReplicas", ""},
		{"UpdateUserPoolReplica", pool, `"RegionName":"us-east-1","Status":"INACTIVE"`, "ListUserPoolReplicas", pool, "UserPoolReplicas", ""},
		{"SetRiskConfiguration", client, `"CompromisedCredentialsRiskConfiguration":{"EventFilter":["SIGN_IN"],"Actions":{"EventAction":"BLOCK"}},"RiskExceptionConfiguration":{"BlockedIPRangeList":["192.0.2.0/24"],"SkippedIPRangeList":["198.51.100.0/24"]},` +
			`"AccountTakeoverRiskConfiguration":{"NotifyConfiguration":{"From":"a@example.com","ReplyTo":"b@example.com","SourceArn":"arn:aws:ses:eu-west-1:123456789012:identity/a@example.com","BlockEmail":` + mail + `,"NoActionEmail":` + mail + `,"MfaEmail":` + mail + `},"Actions":{"LowAction":` + action + `,"MediumAction":` + action + `,"HighAction":` + action + `}}`,
			"DescribeRiskConfiguration", client, "RiskConfiguration", ""},
		{"SetLogDeliveryConfiguration", pool, `"LogConfigurations":[{"LogLevel":"ERROR","EventSource":"userNotification","CloudWatchLogsConfiguration":{"LogGroupArn":"arn:aws:logs:eu-west-1:123456789012:log-group:x"}},{"LogLevel":"INFO","EventSource":"userAuthEvents","S3Configuration":{"BucketArn":"arn:aws:s3:::bucket"}}]`, "GetLogDeliveryConfiguration", pool, "LogDeliveryConfiguration", ""},
		{"SetLogDeliveryConfiguration", pool, `"LogConfigurations":[{"LogLevel":"INFO","EventSource":"userAuthEvents","FirehoseConfiguration":{"StreamArn":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/x"}}]`, "GetLogDeliveryConfiguration", pool, "LogDeliveryConfiguration", ""},
		{"SetUICustomization", client, `"CSS":".x{}"`, "GetUICustomization", client, "UICustomization", ""},
		{"SetUserPoolSessionConfiguration", pool, `"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":7}`, "GetUserPoolSessionConfiguration", pool, "", ""},
		{"SetUserPoolClientSessionConfiguration", client, `"SSOSession":{"MaxValidityMinutes":60}`, "GetUserPoolClientSessionConfiguration", client, "", ""},
		{"SetUserPoolMfaConfig", pool, `"MfaConfiguration":"OPTIONAL","SoftwareTokenMfaConfiguration":{"Enabled":true},"EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"},"SmsMfaConfiguration":{"SmsAuthenticationMessage":"Sign in {####}","SmsConfiguration":` + sms + `},"WebAuthnConfiguration":{"RelyingPartyId":"example.com","UserVerification":"required","FactorConfiguration":"MULTI_FACTOR_WITH_USER_VERIFICATION"}`, "GetUserPoolMfaConfig", pool, "", ""},
	} {
		with, by := row.with, row.by
		if row.id == "" {
			with += made[row.at]
		}
		answer := c.ask(row.set, `{`+with+`,`+row.sent+`}`)
		if row.id != "" {
			made[row.at] = `,"` + row.id + `":"` + text(inner(answer, row.at, row.id)) + `"`
		}
		if by == pool {
			by += made[row.at]
		}
		var got any = c.ask(row.get, `{`+by+`}`)
		if row.at != "" {
			got = inner(got.(map[string]any), row.at)
		}
		sent := parsed(t, `{`+row.sent+`}`)
		want := sent
		if _, list := got.([]any); list {
			want = []any{sent}
		}
		if !has(got, want) {
			t.Errorf("%s: %v, sent %s", row.get, got, row.sent)
		}
		o, _ := model.Lookup(row.set)
		shapes[row.set] = o.Input
		all, _ := parsed(t, `{`+with+`,`+row.sent+`}`).(map[string]any)
		tried.mark(o.Input, row.set, all)
	}
	others := map[string]string{"CreateUserPool": "above", "UpdateUserPool": "above", "CreateUserPoolClient": "above", "UpdateUserPoolClient": "above"}
	// What is read by no operation, or read elsewhere.
	for _, name := range []string{"SetUserMFAPreference", "SetUserSettings", "UpdateAuthEventFeedback", "UpdateClientMetadataURLState", "UpdateDeviceStatus", "UpdateProvisionedLimit", "UpdateUserAttributes"} {
		others[name] = "no setting of a pool"
	}
	for _, name := range model.Operations() {
		if !strings.HasPrefix(name, "Create") && !strings.HasPrefix(name, "Update") && !strings.HasPrefix(name, "Set") || others[name] != "" {
			continue
		}
		if shapes[name] == "" {
			t.Errorf("%s is not tried", name)
			continue
		}
		tried.complete(t, shapes[name], name, map[string]map[string]string{
			"SetUICustomization":    {"ImageFile": "is a URL from then on: TestAPI_Documents"},
			"CreateUserPoolReplica": {"UserPoolTags": "no operation gives them back"},
		}[name])
	}
}
