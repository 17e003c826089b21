package localpool_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// TestAPI_Migration: a function brings people who sign in, and people who say that they
// forgot their password; the pool takes of its answer what Cognito takes.
func TestAPI_Migration(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	id := text(parsed(t, `{`+pool+`}`).(map[string]any)["UserPoolId"])
	status := ""
	var asked map[string]any
	c.ok(c.pool.SetTrigger(id, "UserMigration", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		asked = maps.Clone(event)
		request, _ := event["request"].(map[string]any)
		if event["userName"] == "nobody" || request["password"] == "wrong" {
			return errors.New("not one of ours")
		}
		response, _ := event["response"].(map[string]any)
		response["userAttributes"] = map[string]any{"email": text(event["userName"]) + "@example.com", "email_verified": "true"}
		if status != "" {
			response["finalUserStatus"] = status
		}
		return nil
	}}))
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	quiet := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"],"PreventUserExistenceErrors":"ENABLED"`)
	signIn := func(app, name, password string) string {
		return `{` + app + `,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"` + name + `","PASSWORD":"` + password + `"},"ClientMetadata":{"from":"app"}}`
	}

	// At a sign-in, with the password, which need not follow the policy.
	if a := c.ask("InitiateAuth", signIn(app, "grace", "old")); inner(a, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("migration = %v", a)
	}
	if !has(asked, parsed(t, `{"triggerSource":"UserMigration_Authentication","userName":"grace","request":{"password":"old","validationData":{"from":"app"}}}`)) {
		t.Errorf("event = %v", asked)
	}
	status = "RESET_REQUIRED"
	c.no("InitiateAuth", signIn(app, "heidi", "old"), "PasswordResetRequiredException", "")
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"heidi"}`); got["UserStatus"] != "RESET_REQUIRED" {
		t.Errorf("user = %v", got)
	}
	status = ""

	// Where they forgot it.
	sent := c.ask("ForgotPassword", `{`+app+`,"Username":"ivan","ClientMetadata":{"from":"app"}}`)
	if !has(sent, parsed(t, `{"CodeDeliveryDetails":{"AttributeName":"email","Destination":"i***@e***","DeliveryMedium":"EMAIL"}}`)) {
		t.Errorf("sent = %v", sent)
	}
	request, _ := asked["request"].(map[string]any)
	if asked["triggerSource"] != "UserMigration_ForgotPassword" || request["password"] != nil || !has(request, parsed(t, `{"clientMetadata":{"from":"app"}}`)) {
		t.Errorf("event = %v", asked)
	}
	code := c.message("ivan@example.com").Code
	c.ask("ConfirmForgotPassword", `{`+app+`,"Username":"ivan","ConfirmationCode":"`+code+`","Password":"Passw0rd!"}`)
	if a := c.ask("InitiateAuth", signIn(app, "ivan", "Passw0rd!")); inner(a, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("sign-in = %v", a)
	}

	// Whom the function does not know either.
	for _, name := range []string{"nobody", "judy"} {
		c.no("InitiateAuth", signIn(app, name, "wrong"), "UserNotFoundException", "Exception migrating user in app client")
		c.no("InitiateAuth", signIn(quiet, name, "wrong"), "NotAuthorizedException", "Incorrect username or password.")
	}
	c.no("ForgotPassword", `{`+app+`,"Username":"nobody"}`, "UserNotFoundException", "")
	c.ask("ForgotPassword", `{`+quiet+`,"Username":"nobody"}`)
	c.no("AdminGetUser", `{`+pool+`,"Username":"judy"}`, "UserNotFoundException", "")
}

// TestAPI_APasswordOfNobody: who asks to begin with a password learns nothing of whether
// there is such a user, from a client that is not to tell.
func TestAPI_APasswordOfNobody(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH"],"PreventUserExistenceErrors":"ENABLED"`)
	c.ask("AdminCreateUser", `{`+pool+`,"Username":"erin","UserAttributes":[{"Name":"email","Value":"erin@example.com"},{"Name":"email_verified","Value":"true"}],"TemporaryPassword":"Passw0rd!"}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	for _, name := range []string{"erin", "nobody"} {
		in := `{` + app + `,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"` + name + `","PREFERRED_CHALLENGE":"PASSWORD"`
		c.no("InitiateAuth", in+`,"PASSWORD":"wr0ng-Passw0rd"}}`, "NotAuthorizedException", "Incorrect username or password.")
		asked := c.ask("InitiateAuth", in+`}}`)
		if !has(asked, parsed(t, `{"ChallengeName":"PASSWORD","ChallengeParameters":{},"AvailableChallenges":["PASSWORD_SRP","PASSWORD","EMAIL_OTP"]}`)) {
			t.Errorf("%s: %v", name, asked)
		}
		c.no("RespondToAuthChallenge", `{`+app+`,"ChallengeName":"PASSWORD","Session":"`+text(asked["Session"])+`","ChallengeResponses":{"USERNAME":"`+name+`","PASSWORD":"wr0ng-Passw0rd"}}`,
			"NotAuthorizedException", "Incorrect username or password.")
	}
}

// TestAPI_PreSignUpIsWhatWasSent: the function that is asked about a new user is given what
// the app sent, and nothing that the pool adds.
func TestAPI_PreSignUpIsWhatWasSent(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"AutoVerifiedAttributes":["email"]`)
	id := text(parsed(t, `{`+pool+`}`).(map[string]any)["UserPoolId"])
	var asked any
	c.ok(c.pool.SetTrigger(id, "PreSignUp", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		asked = maps.Clone(event)["request"]
		return nil
	}}))
	app := c.app(pool, "")
	for sent, want := range map[string]string{
		`,"Username":"a","UserAttributes":[{"Name":"email","Value":"a@example.com"},{"Name":"phone_number","Value":"+15550100"}]`:                    `{"userAttributes":{"email":"a@example.com","phone_number":"+15550100"},"validationData":null}`,
		`,"Username":"b","UserAttributes":[{"Name":"name","Value":"B"}],"ValidationData":[{"Name":"v","Value":"1"}],"ClientMetadata":{"from":"app"}`: `{"userAttributes":{"name":"B"},"validationData":{"v":"1"},"clientMetadata":{"from":"app"}}`,
	} {
		c.ask("SignUp", `{`+app+`,"Password":"Passw0rd!"`+sent+`}`)
		if want := parsed(t, want); !has(asked, want) || !has(want, asked) {
			t.Errorf("request = %v, want %v", asked, want)
		}
	}
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"a"}`); len(values(got["UserAttributes"])) != 5 {
		t.Errorf("user = %v, want what was sent, two that say what is verified, and sub", got)
	}
}
