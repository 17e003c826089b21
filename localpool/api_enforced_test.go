package localpool_test

import (
	"strings"
	"testing"
)

// made makes a pool of members, and returns the member that names it.
func (c *contract) made(members string) string {
	c.Helper()
	return `"UserPoolId":"` + text(inner(c.ask("CreateUserPool", `{"PoolName":"made"`+members+`}`), "UserPool", "Id")) + `"`
}

// app makes a client of members, and returns the member that names it.
func (c *contract) app(pool, members string) string {
	c.Helper()
	return `"ClientId":"` + text(inner(c.ask("CreateUserPoolClient", `{`+pool+`,"ClientName":"app"`+members+`}`), "UserPoolClient", "ClientId")) + `"`
}

// TestAPI_SettingsAreEnforced: each row is a pool, and what it refuses.
func TestAPI_SettingsAreEnforced(t *testing.T) {
	c := newContract(t)
	const schema = `,"Schema":[
		{"Name":"team","AttributeDataType":"String","Mutable":false,"StringAttributeConstraints":{"MinLength":"2","MaxLength":"4"}},
		{"Name":"age","AttributeDataType":"Number","Mutable":true,"NumberAttributeConstraints":{"MinValue":"18","MaxValue":"99"}},
		{"Name":"admin","AttributeDataType":"Boolean","Mutable":true},
		{"Name":"note","AttributeDataType":"String","Mutable":true,"DeveloperOnlyAttribute":true},
		{"Name":"family_name","AttributeDataType":"String","Mutable":true,"Required":true}]`
	const conform = "Attributes did not conform to the schema: "
	for _, tt := range []struct {
		name, pool      string
		operation, body string
		kind, message   string // empty: it is taken
	}{
		{"too long", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:team","Value":"purple"}]`, "InvalidParameterException", conform + "custom:team: String must be no longer than 4 characters"},
		{"too short", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:team","Value":"p"}]`, "InvalidParameterException", "no shorter than 2"},
		{"no number", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:age","Value":"old"}]`, "InvalidParameterException", conform},
		{"too large", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:age","Value":"100"}]`, "InvalidParameterException", "no larger than 99"},
		{"no boolean", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:admin","Value":"perhaps"}]`, "InvalidParameterException", conform},
		{"unknown", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"custom:horse","Value":"x"}]`, "InvalidParameterException", "Type for attribute {custom:horse} could not be determined"},
		{"for developers", schema, "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"dev:custom:note","Value":"x"}]`, "", ""},
		{"birthdate", "", "AdminCreateUser", `"Username":"a","UserAttributes":[{"Name":"birthdate","Value":"2001"}]`, "InvalidParameterException", conform},
		{"e-mail addresses as usernames", `,"UsernameAttributes":["email"]`, "AdminCreateUser", `"Username":"a"`, "InvalidParameterException", "Username should be an email."},
		{"phone numbers as usernames", `,"UsernameAttributes":["phone_number"]`, "AdminCreateUser", `"Username":"a@example.com"`, "InvalidParameterException", "Username should be a phone number."},
		{"either", `,"UsernameAttributes":["phone_number","email"]`, "AdminCreateUser", `"Username":"a"`, "InvalidParameterException", "Username should be either an email or a phone number."},
		{"a phone number", `,"UsernameAttributes":["phone_number"]`, "AdminCreateUser", `"Username":"+4412345678"`, "", ""},
		{"an address as a name, where it is not an alias", "", "AdminCreateUser", `"Username":"a@example.com"`, "", ""},
		{"an alias as a name", `,"AliasAttributes":["email"]`, "AdminCreateUser", `"Username":"a@example.com"`, "InvalidParameterException", "configured for email alias"},
		{"digits alone", `,"Policies":{"PasswordPolicy":{"MinimumLength":6}}`, "AdminCreateUser", `"Username":"a","TemporaryPassword":"123456"`, "", ""},
		{"upper case", `,"Policies":{"PasswordPolicy":{"MinimumLength":6,"RequireUppercase":true}}`, "AdminCreateUser", `"Username":"a","TemporaryPassword":"abc123"`, "InvalidPasswordException", "uppercase"},
		{"deletion protection", `,"DeletionProtection":"ACTIVE"`, "DeleteUserPool", ``, "InvalidParameterException", "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first."},
		{"a required attribute that a client cannot write", schema, "CreateUserPoolClient", `"ClientName":"a","WriteAttributes":["email"]`, "InvalidParameterException", "Invalid write attributes"},
		{"an attribute that there is not", schema, "CreateUserPoolClient", `"ClientName":"a","ReadAttributes":["custom:horse"]`, "InvalidParameterException", "Invalid read attributes"},
		{"old and new flows", "", "CreateUserPoolClient", `"ClientName":"a","ExplicitAuthFlows":["USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`, "InvalidParameterException", ""},
		{"tokens of clients with others", "", "CreateUserPoolClient", `"ClientName":"a","ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`, "InvalidParameterException", "ALLOW_CLIENT_TOKEN_AUTH"},
		{"choice in the cheapest plan", `,"UserPoolTier":"LITE"`, "CreateUserPoolClient", `"ClientName":"a","ExplicitAuthFlows":["ALLOW_USER_AUTH"]`, "FeatureUnavailableInTierException", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			body := `{` + strings.TrimSuffix(c.made(tt.pool)+","+tt.body, ",") + `}`
			if tt.kind == "" {
				c.ask(tt.operation, body)
				return
			}
			c.no(tt.operation, body, tt.kind, tt.message)
		})
	}
	for _, tt := range []struct{ name, members, kind, message string }{
		{"aliases and addresses", `,"AliasAttributes":["email"],"UsernameAttributes":["email"]`, "InvalidParameterException", "Only one of"},
		{"MFA without a way to send", `,"MfaConfiguration":"ON"`, "InvalidParameterException", "SMS configuration"},
		{"a required attribute of one's own", `,"Schema":[{"Name":"team","AttributeDataType":"String","Required":true}]`, "InvalidParameterException", "Required custom attributes are not supported currently."},
		{"another type of a standard one", `,"Schema":[{"Name":"email","AttributeDataType":"Number"}]`, "InvalidParameterException", "You can not change AttributeDataType"},
		{"twice", `,"Schema":[{"Name":"a","AttributeDataType":"String"},{"Name":"a","AttributeDataType":"String"}]`, "InvalidParameterException", "Existing attribute already has name custom:a."},
		{"bounds", `,"Schema":[{"Name":"a","AttributeDataType":"String","StringAttributeConstraints":{"MinLength":"5","MaxLength":"2"}}]`, "InvalidParameterException", "user.custom:a: Max length cannot be less than min length."},
		{"no bounds", `,"Schema":[{"Name":"updated_at","AttributeDataType":"Number","NumberAttributeConstraints":{"MaxValue":"x"}}]`, "InvalidParameterException", "Invalid NumberAttributeConstraints for schema attribute updated_at"},
		{"long bounds", `,"Schema":[{"Name":"email","AttributeDataType":"String","StringAttributeConstraints":{"MaxLength":"2049"}}]`, "InvalidParameterException", "user.email: String attributes cannot have a length of more than 2048"},
		{"a passkey alone", `,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["WEB_AUTHN"]}}`, "InvalidParameterException", "WEB_AUTHN"},
		{"levels of one name", `,"AcrConfiguration":{"Level1":{"AcrValue":"urn:cognito:loa:2"}}`, "InvalidParameterException", "unique"},
		{"administrators and others", `,"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"admin_only"},{"Priority":2,"Name":"verified_email"}]}`, "InvalidParameterException", "admin_only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.in(t).no("CreateUserPool", `{"PoolName":"x"`+tt.members+`}`, tt.kind, tt.message)
		})
	}
}

// TestAPI_OwnAttributes: what a user may write and read by an app client, and what waits
// for a code.
func TestAPI_OwnAttributes(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"AutoVerifiedAttributes":["email"],"UserAttributeUpdateSettings":{"AttributesRequireVerificationBeforeUpdate":["email"]},
		"Schema":[{"Name":"team","AttributeDataType":"String","Mutable":false},{"Name":"note","AttributeDataType":"String","Mutable":true,"DeveloperOnlyAttribute":true}],
		"Policies":{"PasswordPolicy":{"MinimumLength":6,"PasswordHistorySize":2}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["USER_PASSWORD_AUTH"],"ReadAttributes":["email"],"WriteAttributes":["email","custom:team"]`)
	c.no("SignUp", `{`+app+`,"Username":"erin","Password":"secret","UserAttributes":[{"Name":"name","Value":"Erin"}]}`, "NotAuthorizedException", "A client attempted to write unauthorized attribute")
	up := c.ask("SignUp", `{`+app+`,"Username":"erin","Password":"secret","UserAttributes":[{"Name":"email","Value":"erin@example.com"},{"Name":"custom:team","Value":"blue"}]}`)
	if inner(up, "CodeDeliveryDetails", "Destination") != "e***@e***" {
		t.Errorf("sign-up = %v", up)
	}
	code, _ := c.pool.LastCode("erin@example.com")
	c.ask("ConfirmSignUp", `{`+app+`,"Username":"erin","ConfirmationCode":"`+code+`"}`)
	in := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"secret"}}`)
	token := `"AccessToken":"` + text(inner(in, "AuthenticationResult", "AccessToken")) + `"`
	user := c.ask("GetUser", `{`+token+`}`)
	if list := user["UserAttributes"].([]any); len(list) != 2 { // sub and email
		t.Errorf("user = %v", user)
	}
	if _, id := c.claims(text(inner(in, "AuthenticationResult", "IdToken"))); id["custom:team"] != nil || id["email"] != "erin@example.com" {
		t.Errorf("ID token = %v", id)
	}
	c.no("UpdateUserAttributes", `{`+token+`,"UserAttributes":[{"Name":"custom:team","Value":"red"}]}`, "InvalidParameterException", "user.custom:team: Attribute cannot be updated.")
	c.no("UpdateUserAttributes", `{`+token+`,"UserAttributes":[{"Name":"dev:custom:note","Value":"x"}]}`, "NotAuthorizedException", "unauthorized attribute")

	sent := c.ask("UpdateUserAttributes", `{`+token+`,"UserAttributes":[{"Name":"email","Value":"new@example.com"}]}`)
	if !has(sent["CodeDeliveryDetailsList"], parsed(t, `[{"AttributeName":"email","Destination":"n***@e***"}]`)) || !strings.Contains(strings.Join(values(c.ask("GetUser", `{`+token+`}`)["UserAttributes"]), " "), "erin@example.com") {
		t.Errorf("before the code: %v", sent)
	}
	code, _ = c.pool.LastCode("new@example.com")
	c.ask("VerifyUserAttribute", `{`+token+`,"AttributeName":"email","Code":"`+code+`"}`)
	if got := c.ask("GetUser", `{`+token+`}`); !strings.Contains(strings.Join(values(got["UserAttributes"]), " "), "new@example.com") {
		t.Errorf("after the code: %v", got)
	}

	c.no("ChangePassword", `{`+token+`,"PreviousPassword":"secret","ProposedPassword":"secret"}`, "PasswordHistoryPolicyViolationException", "")
	c.ask("ChangePassword", `{`+token+`,"PreviousPassword":"secret","ProposedPassword":"secret2"}`)
	c.no("ChangePassword", `{`+token+`,"PreviousPassword":"secret2","ProposedPassword":"secret"}`, "PasswordHistoryPolicyViolationException", "")
	c.ask("ChangePassword", `{`+token+`,"PreviousPassword":"secret2","ProposedPassword":"secret3"}`)
	c.ask("ChangePassword", `{`+token+`,"PreviousPassword":"secret3","ProposedPassword":"secret"}`)
}

// TestAPI_Recovery: who is sent a code is what the pool says.
func TestAPI_Recovery(t *testing.T) {
	c := newContract(t)
	for _, tt := range []struct{ setting, want, kind string }{
		{``, "phone_number", ""},
		{`,"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":2,"Name":"verified_phone_number"},{"Priority":1,"Name":"verified_email"}]}`, "email", ""},
		{`,"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"admin_only"}]}`, "", "NotAuthorizedException"},
	} {
		pool := c.made(tt.setting)
		app := c.app(pool, "")
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"erin","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"erin@example.com"},{"Name":"email_verified","Value":"true"},{"Name":"phone_number","Value":"+4412345678"},{"Name":"phone_number_verified","Value":"true"}]}`)
		c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
		if tt.kind != "" {
			c.no("ForgotPassword", `{`+app+`,"Username":"erin"}`, tt.kind, "")
			continue
		}
		if got := c.ask("ForgotPassword", `{`+app+`,"Username":"erin"}`); inner(got, "CodeDeliveryDetails", "AttributeName") != tt.want {
			t.Errorf("%s: %v", tt.setting, got)
		}
	}
}

// TestAPI_RecoveryBesideCodes: where the pool says who is sent a code, nobody gets one at an
// address that a code of their second factor goes to.
func TestAPI_RecoveryBesideCodes(t *testing.T) {
	c := newContract(t)
	const phone, email = `{"Priority":1,"Name":"verified_phone_number"}`, `{"Priority":2,"Name":"verified_email"}`
	for _, tt := range []struct{ ways, mode, factor, want string }{
		{``, "OPTIONAL", "SMSMfaSettings", "phone_number"}, // as before there was the setting
		{phone + `,` + email, "OPTIONAL", "SMSMfaSettings", "email"},
		{phone + `,` + email, "OPTIONAL", "EmailMfaSettings", "phone_number"},
		{phone + `,` + email, "OFF", "SMSMfaSettings", "phone_number"},
		{phone + `,` + email, "ON", "", "email"}, // SMS comes first
		{phone, "OPTIONAL", "SMSMfaSettings", ""},
		{email, "OPTIONAL", "EmailMfaSettings", ""},
		{email, "OPTIONAL", "", "email"},
	} {
		setting := ""
		if tt.ways != "" {
			setting = `,"AccountRecoverySetting":{"RecoveryMechanisms":[` + tt.ways + `]}`
		}
		pool := c.made(setting)
		app := c.app(pool, "")
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"erin","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"erin@example.com"},{"Name":"email_verified","Value":"true"},{"Name":"phone_number","Value":"+4412345678"},{"Name":"phone_number_verified","Value":"true"}]}`)
		c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
		c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SmsMfaConfiguration":{"SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}},"EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}}`)
		if tt.factor != "" {
			c.ask("AdminSetUserMFAPreference", `{`+pool+`,"Username":"erin","`+tt.factor+`":{"Enabled":true,"PreferredMfa":true}}`)
		}
		if tt.mode != "OPTIONAL" {
			c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"`+tt.mode+`"`+map[string]string{"ON": `,"SmsMfaConfiguration":{"SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}},"EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}`}[tt.mode]+`}`)
		}
		if tt.want == "" {
			c.no("ForgotPassword", `{`+app+`,"Username":"erin"}`, "InvalidParameterException", "no registered/verified email or phone_number")
			continue
		}
		if got := c.ask("ForgotPassword", `{`+app+`,"Username":"erin"}`); inner(got, "CodeDeliveryDetails", "AttributeName") != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
