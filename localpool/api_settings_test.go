package localpool_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/model"
)

// poolMembers is a value for every member of CreateUserPool.
var poolMembers = map[string]string{
	"PoolName":                    `"whole"`,
	"Policies":                    `{"PasswordPolicy":{"MinimumLength":10,"RequireUppercase":false,"RequireLowercase":true,"RequireNumbers":false,"RequireSymbols":true,"PasswordHistorySize":3,"TemporaryPasswordValidityDays":5},"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`,
	"DeletionProtection":          `"ACTIVE"`,
	"LambdaConfig":                `{"PreSignUp":"arn:aws:lambda:eu-west-1:123456789012:function:PreSignUp","CustomMessage":"arn:aws:lambda:eu-west-1:123456789012:function:CustomMessage","PostConfirmation":"arn:aws:lambda:eu-west-1:123456789012:function:PostConfirmation","PreAuthentication":"arn:aws:lambda:eu-west-1:123456789012:function:PreAuthentication","PostAuthentication":"arn:aws:lambda:eu-west-1:123456789012:function:PostAuthentication","DefineAuthChallenge":"arn:aws:lambda:eu-west-1:123456789012:function:DefineAuthChallenge","CreateAuthChallenge":"arn:aws:lambda:eu-west-1:123456789012:function:CreateAuthChallenge","VerifyAuthChallengeResponse":"arn:aws:lambda:eu-west-1:123456789012:function:VerifyAuthChallengeResponse","UserMigration":"arn:aws:lambda:eu-west-1:123456789012:function:UserMigration","PreTokenGeneration":"arn:aws:lambda:eu-west-1:123456789012:function:claims","PreTokenGenerationConfig":{"LambdaVersion":"V2_0","LambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:claims"},"KMSKeyID":"arn:aws:kms:eu-west-1:123456789012:key/a","CustomSMSSender":{"LambdaVersion":"V1_0","LambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:CustomSMSSender"},"CustomEmailSender":{"LambdaVersion":"V1_0","LambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:CustomEmailSender"},"InboundFederation":{"LambdaVersion":"V1_0","LambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:InboundFederation"}}`,
	"AutoVerifiedAttributes":      `["phone_number","email"]`,
	"AliasAttributes":             `["preferred_username","email"]`,
	"SmsVerificationMessage":      `"Code {####}"`,
	"EmailVerificationMessage":    `"Your code {####}"`,
	"EmailVerificationSubject":    `"Code"`,
	"VerificationMessageTemplate": `{"SmsMessage":"Code {####}","EmailMessage":"Your code {####}","EmailSubject":"Code","EmailMessageByLink":"Press {##here##}","EmailSubjectByLink":"Press","DefaultEmailOption":"CONFIRM_WITH_LINK"}`,
	"SmsAuthenticationMessage":    `"Sign in {####}"`,
	"MfaConfiguration":            `"OPTIONAL"`,
	"UserAttributeUpdateSettings": `{"AttributesRequireVerificationBeforeUpdate":["email"]}`,
	"DeviceConfiguration":         `{"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":false}`,
	"EmailConfiguration":          `{"SourceArn":"arn:aws:ses:eu-west-1:123456789012:identity/a@example.com","ReplyToEmailAddress":"b@example.com","EmailSendingAccount":"DEVELOPER","From":"a@example.com","ConfigurationSet":"set"}`,
	"SmsConfiguration":            `{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms","ExternalId":"x","SnsRegion":"eu-west-1","EumsSms":{"CallerArn":"arn:aws:iam::123456789012:role/eums","ExternalId":"y","OriginationIdentity":"phone-1","ConfigurationSetName":"set","InEntityId":"1","InTemplateId":"2","Region":"eu-west-1"}}`,
	"UserPoolTags":                `{"team":"blue"}`,
	"AdminCreateUserConfig":       `{"AllowAdminCreateUserOnly":true,"UnusedAccountValidityDays":5,"InviteMessageTemplate":{"SMSMessage":"{username} {####}","EmailMessage":"{username} {####}","EmailSubject":"Welcome"}}`,
	"Schema":                      `[{"Name":"team","AttributeDataType":"String","DeveloperOnlyAttribute":false,"Required":false,"Mutable":true,"StringAttributeConstraints":{"MinLength":"2","MaxLength":"9"}},{"Name":"age","AttributeDataType":"Number","Mutable":true,"NumberAttributeConstraints":{"MinValue":"1","MaxValue":"99"}},{"Name":"email","AttributeDataType":"String","Required":true,"Mutable":true}]`,
	"UserPoolAddOns":              `{"AdvancedSecurityMode":"AUDIT","AdvancedSecurityAdditionalFlows":{"CustomAuthMode":"AUDIT"}}`,
	"DcrConfiguration":            `{"EnableStatus":"Disabled","OpenDcrEnabled":true,"AuthenticatedGrantTypes":["code","client_credentials"],"OpenDcrGrantTypes":["code"],"AllowedScopes":["openid"]}`,
	"UsernameConfiguration":       `{"CaseSensitive":false}`,
	"AccountRecoverySetting":      `{"RecoveryMechanisms":[{"Priority":1,"Name":"verified_phone_number"},{"Priority":2,"Name":"verified_email"}]}`,
	"UserPoolTier":                `"PLUS"`,
	"KeyConfiguration":            `{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-west-1:123456789012:key/a"}`,
	"IssuerConfiguration":         `{"Type":"ORIGINAL"}`,
	"AcrConfiguration":            `{"Level1":{"AcrValue":"low"},"Level2":{"AcrValue":"higher"},"Level3":{"AcrValue":"high"},"Level4":{"AcrValue":"highest"}}`,
}

// clientMembers is a value for every member of CreateUserPoolClient that is a setting.
var clientMembers = map[string]string{
	"ClientName":                               `"whole"`,
	"RefreshTokenValidity":                     `90`,
	"AccessTokenValidity":                      `10`,
	"IdTokenValidity":                          `20`,
	"TokenValidityUnits":                       `{"AccessToken":"minutes","IdToken":"minutes","RefreshToken":"hours"}`,
	"ReadAttributes":                           `["email","custom:team"]`,
	"WriteAttributes":                          `["email","name"]`,
	"ExplicitAuthFlows":                        `["ALLOW_USER_AUTH","ALLOW_USER_SRP_AUTH"]`,
	"SupportedIdentityProviders":               `["COGNITO"]`,
	"CallbackURLs":                             `["https://app.example.com/b","https://app.example.com/a"]`,
	"LogoutURLs":                               `["https://app.example.com/"]`,
	"DefaultRedirectURI":                       `"https://app.example.com/a"`,
	"AllowedOAuthFlows":                        `["code"]`,
	"AllowedOAuthScopes":                       `["openid","email"]`,
	"AllowedOAuthFlowsUserPoolClient":          `true`,
	"AnalyticsConfiguration":                   `{"ApplicationArn":"arn:aws:mobiletargeting:eu-west-1:123456789012:apps/a","RoleArn":"arn:aws:iam::123456789012:role/r","ExternalId":"e","UserDataShared":true}`,
	"PreventUserExistenceErrors":               `"ENABLED"`,
	"EnableTokenRevocation":                    `false`,
	"EnablePropagateAdditionalUserContextData": `true`,
	"AuthSessionValidity":                      `7`,
	"RefreshTokenRotation":                     `{"Feature":"ENABLED","RetryGracePeriodSeconds":5}`,
}

// elsewhere are members that are no settings, or that go with others: why.
var elsewhere = map[string]string{
	"UserPoolId": "names the pool", "ClientId": "names the client", "UsernameAttributes": "exclude AliasAttributes: below",
	"GenerateSecret": "is shown as the secret", "ClientSecret": "excludes GenerateSecret", "PublishSecretsInAWSSecretsManager": "is shown as an ARN",
}

func object(members map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if b.Len() > 0 {
			b.WriteString(",")
		}
		b.WriteString(`"` + name + `":` + members[name])
	}
	return "{" + b.String() + "}"
}

// has reports whether a value has all that another has.
func has(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, value := range want {
			ok = ok && has(g[name], value)
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !has(g[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestAPI_EverySettingIsGivenBack walks the model: no member that is accepted and not
// given back, by a pool or a client that is made, changed, or kept in a file.
func TestAPI_EverySettingIsGivenBack(t *testing.T) {
	c := newContract(t)
	made := c.call("CreateUserPool", object(poolMembers))
	if made.status != 200 {
		t.Fatalf("CreateUserPool: %s", made.body)
	}
	pool, _ := made.json["UserPool"].(map[string]any)
	id, _ := pool["Id"].(string)
	tried := make(coverage)
	compare := func(what, shape string, sent map[string]string, got map[string]any) {
		t.Helper()
		for _, name := range model.Members(shape) {
			value, given := sent[name]
			if !given {
				if elsewhere[name] == "" {
					t.Errorf("%s: %s is not tried", what, name)
				}
				continue
			}
			tried.mark(memberShape(shape, name), shape+"."+name, parsed(t, value))
			if name == "PoolName" {
				name = "Name"
			}
			if name == "Schema" {
				continue // below
			}
			if !has(got[name], parsed(t, value)) {
				t.Errorf("%s: %s = %v, sent %s", what, name, got[name], value)
			}
		}
	}
	described := func() map[string]any {
		p, _ := c.call("DescribeUserPool", `{"UserPoolId":"`+id+`"}`).json["UserPool"].(map[string]any)
		return p
	}
	compare("CreateUserPool", "CreateUserPoolRequest", poolMembers, pool)
	compare("DescribeUserPool", "CreateUserPoolRequest", poolMembers, described())

	schema := make(map[string]any)
	list, _ := pool["SchemaAttributes"].([]any)
	for _, a := range list {
		attribute, _ := a.(map[string]any)
		name, _ := attribute["Name"].(string)
		schema[name] = a
	}
	if !has(schema["custom:age"], parsed(t, `{"AttributeDataType":"Number","NumberAttributeConstraints":{"MinValue":"1","MaxValue":"99"}}`)) ||
		len(list) != 22 || !has(schema["custom:team"], parsed(t, `{"AttributeDataType":"String","Mutable":true,"Required":false,"DeveloperOnlyAttribute":false,"StringAttributeConstraints":{"MinLength":"2","MaxLength":"9"}}`)) ||
		!has(schema["email"], parsed(t, `{"Required":true}`)) || !has(schema["phone_number"], parsed(t, `{"Required":false}`)) {
		t.Errorf("schema = %v", list)
	}

	// What is named takes the place of what was; what was made with the pool stays, and
	// the rest goes back.
	if a := c.call("UpdateUserPool", `{"UserPoolId":"`+id+`","SmsAuthenticationMessage":"Other {####}"}`); a.status != 200 {
		t.Fatalf("UpdateUserPool: %s", a.body)
	}
	after := described()
	if !has(after, parsed(t, `{"SmsAuthenticationMessage":"Other {####}","DeletionProtection":"INACTIVE","AdminCreateUserConfig":{"AllowAdminCreateUserOnly":false},"AliasAttributes":["preferred_username","email"],"UsernameConfiguration":{"CaseSensitive":false},"UserPoolTags":{"team":"blue"},"UserPoolTier":"PLUS","MfaConfiguration":"OPTIONAL"}`)) ||
		after["AutoVerifiedAttributes"] != nil || after["DeviceConfiguration"] != nil || after["EmailVerificationMessage"] != nil || len(after["SchemaAttributes"].([]any)) != 22 {
		t.Errorf("after an update: %v", after)
	}
	update := maps.Clone(poolMembers)
	for _, name := range []string{"Schema", "AliasAttributes", "UsernameConfiguration"} {
		delete(update, name)
	}
	update["UserPoolId"] = `"` + id + `"`
	if a := c.call("UpdateUserPool", object(update)); a.status != 200 {
		t.Fatalf("UpdateUserPool: %s", a.body)
	}
	delete(update, "UserPoolId")
	compare("UpdateUserPool", "UpdateUserPoolRequest", update, described())

	phones := c.call("CreateUserPool", `{"PoolName":"phones","UsernameAttributes":["phone_number","email"]}`)
	if p, _ := phones.json["UserPool"].(map[string]any); !has(p["UsernameAttributes"], parsed(t, `["phone_number","email"]`)) {
		t.Errorf("UsernameAttributes: %s", phones.body)
	}

	// Clients.
	members := maps.Clone(clientMembers)
	members["UserPoolId"] = `"` + id + `"`
	client := c.call("CreateUserPoolClient", object(members))
	if client.status != 200 {
		t.Fatalf("CreateUserPoolClient: %s", client.body)
	}
	app, _ := client.json["UserPoolClient"].(map[string]any)
	clientID, _ := app["ClientId"].(string)
	describedClient := func() map[string]any {
		p, _ := c.call("DescribeUserPoolClient", `{"UserPoolId":"`+id+`","ClientId":"`+clientID+`"}`).json["UserPoolClient"].(map[string]any)
		return p
	}
	compare("CreateUserPoolClient", "CreateUserPoolClientRequest", members, app)
	compare("DescribeUserPoolClient", "CreateUserPoolClientRequest", members, describedClient())
	if a := c.call("UpdateUserPoolClient", `{"UserPoolId":"`+id+`","ClientId":"`+clientID+`"}`); a.status != 200 {
		t.Fatalf("UpdateUserPoolClient: %s", a.body)
	}
	bare := describedClient()
	for _, name := range []string{"CreationDate", "LastModifiedDate"} {
		delete(bare, name)
	}
	want := parsed(t, `{"UserPoolId":"`+id+`","ClientId":"`+clientID+`","ClientName":"whole","RefreshTokenValidity":30,"TokenValidityUnits":{},
		"AllowedOAuthFlowsUserPoolClient":false,"EnableTokenRevocation":true,"EnablePropagateAdditionalUserContextData":false,"AuthSessionValidity":3}`)
	if !reflect.DeepEqual(any(bare), want) {
		t.Errorf("a client that nobody has changed: %v,\nwant %v", bare, want)
	}
	members["ClientId"] = `"` + clientID + `"`
	if a := c.call("UpdateUserPoolClient", object(members)); a.status != 200 {
		t.Fatalf("UpdateUserPoolClient: %s", a.body)
	}
	compare("UpdateUserPoolClient", "UpdateUserPoolClientRequest", members, describedClient())
	for _, shape := range []string{"CreateUserPoolRequest", "UpdateUserPoolRequest", "CreateUserPoolClientRequest", "UpdateUserPoolClientRequest"} {
		tried.complete(t, shape, shape, map[string]string{
			"UserPoolId": elsewhere["UserPoolId"], "ClientId": elsewhere["ClientId"], "UsernameAttributes": elsewhere["UsernameAttributes"],
			"GenerateSecret": elsewhere["GenerateSecret"], "ClientSecret": elsewhere["ClientSecret"], "PublishSecretsInAWSSecretsManager": elsewhere["PublishSecretsInAWSSecretsManager"],
			"AnalyticsConfiguration.ApplicationId": "excludes ApplicationArn: TestAPI_ReadBack",
		})
	}
}

// TestAPI_PoolWithoutSettings: what AWS has where nothing was given, and nothing else.
func TestAPI_PoolWithoutSettings(t *testing.T) {
	c := newContract(t)
	pool, _ := c.call("CreateUserPool", `{"PoolName":"bare"}`).json["UserPool"].(map[string]any)
	if list, _ := pool["SchemaAttributes"].([]any); len(list) != 20 {
		t.Errorf("schema = %v", list)
	}
	for _, name := range []string{"Id", "Arn", "CreationDate", "LastModifiedDate", "SchemaAttributes"} {
		delete(pool, name)
	}
	want := parsed(t, `{"Name":"bare","EstimatedNumberOfUsers":0,"LambdaConfig":{},"UserPoolTags":{},"UserPoolTier":"ESSENTIALS","DeletionProtection":"INACTIVE","MfaConfiguration":"OFF",
		"Policies":{"PasswordPolicy":{"MinimumLength":8,"RequireUppercase":true,"RequireLowercase":true,"RequireNumbers":true,"RequireSymbols":true,"TemporaryPasswordValidityDays":7},
		"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD"]}},"VerificationMessageTemplate":{"DefaultEmailOption":"CONFIRM_WITH_CODE"},
		"EmailConfiguration":{"EmailSendingAccount":"COGNITO_DEFAULT"},"AdminCreateUserConfig":{"AllowAdminCreateUserOnly":false,"UnusedAccountValidityDays":7},"AccountRecoverySetting":{}}`)
	if !reflect.DeepEqual(any(pool), want) {
		t.Errorf("pool = %v,\nwant %v", pool, want)
	}
	twin, _ := c.call("CreateUserPool", `{"PoolName":"x","VerificationMessageTemplate":{"EmailMessage":"Code {####}","EmailSubject":"S"},"Policies":{"PasswordPolicy":{"MinimumLength":6,"TemporaryPasswordValidityDays":2}}}`).json["UserPool"].(map[string]any)
	if !has(twin, parsed(t, `{"EmailVerificationMessage":"Code {####}","EmailVerificationSubject":"S","AdminCreateUserConfig":{"UnusedAccountValidityDays":2},
		"Policies":{"PasswordPolicy":{"MinimumLength":6,"RequireUppercase":false,"RequireSymbols":false}}}`)) {
		t.Errorf("settings with two names: %v", twin)
	}
}
