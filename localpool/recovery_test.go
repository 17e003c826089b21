package localpool_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestAPI_GoingBack: users and groups are what they were; who has changed the password since
// keeps it.
func TestAPI_GoingBack(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`)
	user := func(name string) string { return `{` + pool + `,"Username":"` + name + `"` }
	for _, name := range []string{"erin", "frank", "grace"} {
		c.ask("AdminCreateUser", user(name)+`,"MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"`+name+`@example.com"}]}`)
		c.ask("AdminSetUserPassword", user(name)+`,"Password":"Passw0rd!","Permanent":true}`)
	}
	c.ask("CreateGroup", `{`+pool+`,"GroupName":"staff","Description":"before"}`)
	c.ask("AdminAddUserToGroup", user("erin")+`,"GroupName":"staff"}`)
	sub := c.ask("AdminGetUser", user("frank")+`}`)
	c.ahead.Add(int64(30 * time.Minute))
	at, _ := json.Marshal(time.Now().Add(time.Duration(c.ahead.Load()) - time.Second).Unix())
	c.ahead.Add(int64(2 * time.Second))

	c.ask("AdminUpdateUserAttributes", user("erin")+`,"UserAttributes":[{"Name":"email","Value":"other@example.com"}]}`)
	c.ask("AdminDeleteUser", user("frank")+`}`)
	c.ask("AdminSetUserPassword", user("grace")+`,"Password":"N3wPassword!","Permanent":true}`)
	c.ask("AdminUpdateUserAttributes", user("grace")+`,"UserAttributes":[{"Name":"name","Value":"Grace"}]}`)
	c.ask("AdminCreateUser", user("henry")+`,"MessageAction":"SUPPRESS"}`)
	c.ask("DeleteGroup", `{`+pool+`,"GroupName":"staff"}`)
	c.ask("CreateGroup", `{`+pool+`,"GroupName":"later"}`)
	c.ask("AdminAddUserToGroup", user("grace")+`,"GroupName":"later"}`)
	c.ahead.Add(int64(time.Hour))

	r := c.ask("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`)
	if !has(inner(r, "Restoration", "RestorePreview"), parsed(t, `[{"Entity":"Users","CreateCount":1,"UpdateCount":2,"DeleteCount":1},{"Entity":"Groups","CreateCount":1,"UpdateCount":0,"DeleteCount":1},{"Entity":"User MFAs"},{"Entity":"Passkeys"}]`)) {
		t.Errorf("preview = %v", r)
	}
	c.ask("StartPointInTimeRecovery", `{`+pool+`,"RestoreId":"`+text(inner(r, "Restoration", "RestoreId"))+`"}`)
	if got := c.ask("AdminGetUser", user("frank")+`}`); strings.Join(values(got["UserAttributes"]), " ") != strings.Join(values(sub["UserAttributes"]), " ") {
		t.Errorf("frank = %v, was %v", got, sub)
	}
	if got := c.ask("AdminGetUser", user("erin")+`}`); !strings.Contains(strings.Join(values(got["UserAttributes"]), " "), "erin@example.com") {
		t.Errorf("erin = %v", got)
	}
	if got := c.ask("ListUsers", `{`+pool+`,"Filter":"email = \"other@example.com\""}`); len(got["Users"].([]any)) != 0 {
		t.Errorf("an address that is nobody's is found: %v", got)
	}
	c.no("AdminGetUser", user("henry")+`}`, "UserNotFoundException", "")
	if got := c.ask("ListUsersInGroup", `{`+pool+`,"GroupName":"staff"}`); len(got["Users"].([]any)) != 1 {
		t.Errorf("members = %v", got)
	}
	c.no("GetGroup", `{`+pool+`,"GroupName":"later"}`, "ResourceNotFoundException", "")
	sign := func(name, password string) answer {
		return c.call("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"`+name+`","PASSWORD":"`+password+`"}}`)
	}
	for name, password := range map[string]string{"erin": "Passw0rd!", "frank": "Passw0rd!", "grace": "N3wPassword!"} {
		if a := sign(name, password); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if got := c.ask("ListUsers", `{`+pool+`}`); len(got["Users"].([]any)) != 3 {
		t.Errorf("users = %v", got)
	}
}

// TestAPI_ChallengesWhileWritesPause: of the sign-ins that go on during a recovery, those fail
// whose answer writes, and go on where it is over.
func TestAPI_ChallengesWhileWritesPause(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	for name, permanent := range map[string]string{"erin": "true", "frank": "false", "grace": "true"} {
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"`+name+`","MessageAction":"SUPPRESS"}`)
		c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"`+name+`","Password":"Passw0rd!","Permanent":`+permanent+`}`)
	}
	sign := func(name string) map[string]any {
		return c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"`+name+`","PASSWORD":"Passw0rd!"}}`)
	}
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SoftwareTokenMfaConfiguration":{"Enabled":true}}`)
	token := `"AccessToken":"` + text(inner(sign("grace"), "AuthenticationResult", "AccessToken")) + `"`
	secret := text(c.ask("AssociateSoftwareToken", `{`+token+`}`)["SecretCode"])
	c.ask("VerifySoftwareToken", `{`+token+`,"UserCode":"`+c.totp(secret)+`"}`)
	c.ask("AdminSetUserMFAPreference", `{`+pool+`,"Username":"grace","SoftwareTokenMfaSettings":{"Enabled":true,"PreferredMfa":true}}`)
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{"Enabled":true}}`)
	c.ahead.Add(int64(time.Hour))
	at, _ := json.Marshal(time.Now().Add(30 * time.Minute).Unix())
	r := c.ask("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`)

	var after []func()
	for _, row := range []struct{ name, challenge, responses string }{
		{"frank", "NEW_PASSWORD_REQUIRED", `"NEW_PASSWORD":"N3wPassword!"`},
		{"erin", "MFA_SETUP", ``},
		{"grace", "SOFTWARE_TOKEN_MFA", `"SOFTWARE_TOKEN_MFA_CODE":"` + c.totp(secret) + `"`},
	} {
		begun := sign(row.name)
		if begun["ChallengeName"] != row.challenge {
			t.Fatalf("%s: %v", row.name, begun)
		}
		session := `"Session":"` + text(begun["Session"]) + `"`
		if row.responses != "" {
			row.responses = "," + row.responses
		}
		body := `{` + app + `,` + session + `,"ChallengeName":"` + row.challenge + `","ChallengeResponses":{"USERNAME":"` + row.name + `"` + row.responses + `}}`
		c.no("RespondToAuthChallenge", body, "OperationNotEnabledException", "")
		if row.challenge == "MFA_SETUP" {
			c.no("AssociateSoftwareToken", `{`+session+`}`, "OperationNotEnabledException", "")
			continue // there is nothing to answer with
		}
		after = append(after, func() { c.ask("RespondToAuthChallenge", body) })
	}
	c.ask("CancelPointInTimeRecovery", `{`+pool+`,"RestoreId":"`+text(inner(r, "Restoration", "RestoreId"))+`"}`)
	for _, goOn := range after {
		goOn()
	}
}

// TestPages_WhileWritesPause: the login pages say that a change has to wait, and change nothing;
// who signs in and changes nothing is let in.
func TestPages_WhileWritesPause(t *testing.T) {
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `"`
	c.ask("CreateIdentityProvider", `{`+pool+`,"ProviderName":"Google","ProviderType":"Google","ProviderDetails":{"client_id":"a","client_secret":"b","authorize_scopes":"openid"},"AttributeMapping":{"email":"email","name":"name"}}`)
	c.support("COGNITO", "Google")
	if q := c.as("Google", map[string]string{"subject": "1", "name": "Kim"}); q.Get("code") == "" {
		t.Fatalf("before: %v", q)
	}
	c.ask("SignUp", `{"ClientId":"spa","Username":"zoe","Password":"Passw0rd!","UserAttributes":[{"Name":"email","Value":"zoe@example.com"}]}`)
	signUpCode := c.lastCode("zoe@example.com")
	c.ask("ForgotPassword", `{"ClientId":"spa","Username":"carol"}`)
	resetCode := c.lastCode("carol@example.com")
	page := c.loginPage()
	newPassword := c.post(page, "/login", map[string]string{"username": "dave", "password": "Temp0rary!"})
	if !strings.Contains(newPassword.body, "new password") {
		t.Fatalf("dave: %s", newPassword.body)
	}
	c.ahead.Add(int64(time.Hour))
	at, _ := json.Marshal(time.Now().Add(30 * time.Minute).Unix())
	r := c.ask("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`)
	newPassword = c.post(page, "/login", map[string]string{"username": "dave", "password": "Temp0rary!"})

	changes := []struct {
		path   string
		page   answer
		fields map[string]string
	}{
		{"/signup", page, map[string]string{"username": "yan@example.com", "password": "Passw0rd!"}},
		{"/confirm", page, map[string]string{"username": "zoe", "code": signUpCode}},
		{"/confirmforgotPassword", page, map[string]string{"username": "carol", "code": resetCode, "password": "N3wPassword!"}},
		{"/newpassword", newPassword, map[string]string{"password": "N3wPassword!", "again": "N3wPassword!"}},
		{"/passkeys/add", page, nil},
	}
	for _, row := range changes {
		if a := c.post(row.page, row.path, row.fields); a.status != 200 || !strings.Contains(a.body, "recovery of the user pool is in progress") {
			t.Errorf("%s: %d %s", row.path, a.status, a.body)
		}
	}
	if a := c.do("GET", "/confirmUser?client_id=spa&user_name=zoe&confirmation_code="+signUpCode, nil); !strings.Contains(a.body, "recovery of the user pool is in progress") {
		t.Errorf("the link of a message: %s", a.body)
	}
	for _, row := range []struct{ subject, name, fault string }{
		{"1", "Kim", ""}, {"1", "Kim Other", "recovery"}, {"2", "Lou", "recovery"},
	} {
		q := c.as("Google", map[string]string{"subject": row.subject, "name": row.name})
		if (q.Get("code") == "") != (row.fault != "") || !strings.Contains(q.Get("error_description"), row.fault) {
			t.Errorf("%s, %s, of a provider: %v", row.subject, row.name, q)
		}
	}
	if a := c.post(page, "/login", map[string]string{"username": "carol", "password": "Passw0rd!"}); !in(a) {
		t.Errorf("who changes nothing: %s", a.body)
	}
	c.ask("CancelPointInTimeRecovery", `{`+pool+`,"RestoreId":"`+text(inner(r, "Restoration", "RestoreId"))+`"}`)
	if a := c.post(page, "/signup", changes[0].fields); !strings.Contains(a.body, "We sent a code") {
		t.Errorf("afterwards: %s", a.body)
	}
}

// TestAPI_AttributesThatAreNotThere: who is not there is told of before what is not there, and
// all of it at once.
func TestAPI_AttributesThatAreNotThere(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	names := `,"UserAttributeNames":["nickname","custom:foo","custom:bar"]}`
	c.no("AdminDeleteUserAttributes", `{`+pool+`,"Username":"erin"`+names, "UserNotFoundException", "User does not exist.")
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.no("AdminDeleteUserAttributes", `{`+pool+`,"Username":"erin"`+names, "InvalidParameterException",
		"Invalid user attributes: user.custom:foo: Attribute does not exist in the schema.\nuser.custom:bar: Attribute does not exist in the schema.\n")
}
