package localpool_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// to is how many messages went to an address.
func (c *contract) to(address string) int {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), "GET", c.url+"/_pool/messages", nil)
	c.ok(err)
	var list []struct{ To string }
	c.ok(json.Unmarshal([]byte(c.send(r).body), &list))
	n := 0
	for _, m := range list {
		if m.To == address {
			n++
		}
	}
	return n
}

// TestAPI_MigrationAnswer has a row for each member of the answer of a function that brings
// a user.
func TestAPI_MigrationAnswer(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"AliasAttributes":["email"],"MfaConfiguration":"OPTIONAL","SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}`)
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SmsMfaConfiguration":{"SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}}}`)
	id := text(parsed(t, `{`+pool+`}`).(map[string]any)["UserPoolId"])
	var answer map[string]any
	c.ok(c.pool.SetTrigger(id, "UserMigration", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		response, _ := event["response"].(map[string]any)
		maps.Copy(response, answer)
		return nil
	}}))
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	signIn := func(name, response string) string {
		answer, _ = parsed(t, response).(map[string]any)
		return `{` + app + `,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"` + name + `","PASSWORD":"old"}}`
	}
	c.ask("AdminCreateUser", `{`+pool+`,"Username":"ann","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"team@example.com"},{"Name":"email_verified","Value":"true"}]}`)

	for name, row := range map[string]struct {
		answer       string
		refused      string
		mails, texts int
	}{
		"bea":  {answer: `{"userAttributes":{"email":"bea@example.com","phone_number":"+15550111"}}`, texts: 1},
		"cleo": {answer: `{"userAttributes":{"email":"cleo@example.com"}}`},
		"dan":  {answer: `{"userAttributes":{"email":"dan@example.com","phone_number":"+15550113"},"desiredDeliveryMediums":["EMAIL","SMS"]}`, mails: 1, texts: 1},
		"eve":  {answer: `{"userAttributes":{"email":"eve@example.com","phone_number":"+15550114"},"desiredDeliveryMediums":["EMAIL"],"messageAction":"SUPPRESS"}`},
		"fay":  {answer: `{"userAttributes":{"email":"team@example.com","email_verified":"true"}}`, refused: "UserNotFoundException"},
		"gus":  {answer: `{"userAttributes":{"email":"gus@example.com","team":"x"}}`, refused: "UserNotFoundException"},
		"hal":  {answer: `{"userAttributes":{"email":"hal@example.com"},"enableSMSMFA":true}`, refused: "UserNotFoundException"},
		"ike":  {answer: `{"userAttributes":{"email":"ike@example.com"},"messageAction":"HORSE"}`, refused: "InvalidLambdaResponseException"},
		"joe":  {answer: `{"userAttributes":{"email":"joe@example.com"},"desiredDeliveryMediums":["PIGEON"]}`, refused: "InvalidLambdaResponseException"},
	} {
		in := signIn(name, row.answer)
		if row.refused != "" {
			c.no("InitiateAuth", in, row.refused, "")
			c.no("AdminGetUser", `{`+pool+`,"Username":"`+name+`"}`, "UserNotFoundException", "")
			continue
		}
		if a := c.ask("InitiateAuth", in); inner(a, "AuthenticationResult", "AccessToken") == nil {
			t.Errorf("%s: %v", name, a)
		}
		phone := text(inner(answer, "userAttributes", "phone_number"))
		if mails, texts := c.to(name+"@example.com"), c.to(phone); mails != row.mails || texts != row.texts {
			t.Errorf("%s: %d by e-mail and %d by SMS, want %d and %d", name, mails, texts, row.mails, row.texts)
		}
	}
	if m := c.message("dan@example.com"); m.Text != "Your username is dan and temporary password is ********" {
		t.Errorf("welcome = %+v, which is not to have the person's own password", m)
	}

	// By force, the address is that of the new user.
	c.ask("InitiateAuth", signIn("fay", `{"userAttributes":{"email":"team@example.com","email_verified":"true"},"forceAliasCreation":true,"messageAction":"SUPPRESS"}`))
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"team@example.com"}`); got["Username"] != "fay" {
		t.Errorf("team@example.com is %v, want fay", got["Username"])
	}
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"ann"}`); !slices.Contains(values(got["UserAttributes"]), "false") {
		t.Errorf("ann = %v", got)
	}

	// With SMS as the second factor, which is asked for at once.
	asked := c.ask("InitiateAuth", signIn("kim", `{"userAttributes":{"email":"kim@example.com","phone_number":"+15550120"},"enableSMSMFA":true,"messageAction":"SUPPRESS"}`))
	if asked["ChallengeName"] != "SMS_MFA" || c.to("+15550120") != 1 {
		t.Errorf("challenge = %v", asked)
	}
}

// TestAPI_InvitationMediums: an invitation goes to each medium that is asked for, which the
// user has to have, and to the phone number where nobody asked.
func TestAPI_InvitationMediums(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	make := func(name, more string, attributes ...string) string {
		in := `{` + pool + `,"Username":"` + name + `","UserAttributes":[`
		for i := 0; i < len(attributes); i += 2 {
			if i > 0 {
				in += ","
			}
			in += `{"Name":"` + attributes[i] + `","Value":"` + attributes[i+1] + `"}`
		}
		return in + `]` + more + `}`
	}
	c.ask("AdminCreateUser", make("a", "", "email", "a@example.com", "phone_number", "+15550131"))
	c.ask("AdminCreateUser", make("b", "", "email", "b@example.com"))
	c.ask("AdminCreateUser", make("c", `,"DesiredDeliveryMediums":["SMS","EMAIL"]`, "email", "c@example.com", "phone_number", "+15550133"))
	for to, want := range map[string]int{"a@example.com": 0, "+15550131": 1, "b@example.com": 1, "c@example.com": 1, "+15550133": 1} {
		if got := c.to(to); got != want {
			t.Errorf("%d messages to %s, want %d", got, to, want)
		}
	}
	c.no("AdminCreateUser", make("d", `,"DesiredDeliveryMediums":["EMAIL"]`, "phone_number", "+15550134"), "InvalidParameterException", "No email provided but desired delivery medium was Email")
	c.no("AdminCreateUser", make("d", `,"DesiredDeliveryMediums":["EMAIL","SMS"]`, "email", "d@example.com"), "InvalidParameterException", "No phone number provided but desired delivery medium was Sms")
	c.no("AdminGetUser", `{`+pool+`,"Username":"d"}`, "UserNotFoundException", "")
	c.ask("AdminCreateUser", make("d", `,"DesiredDeliveryMediums":["EMAIL"],"MessageAction":"SUPPRESS"`))
	c.ask("AdminCreateUser", make("a", `,"DesiredDeliveryMediums":["EMAIL"],"MessageAction":"RESEND"`))
	if got := c.to("a@example.com"); got != 1 {
		t.Errorf("%d messages to a@example.com, want that which was sent again", got)
	}
}

// TestAPI_InvitationWithoutPassword: who signs in by code is told of no password.
func TestAPI_InvitationWithoutPassword(t *testing.T) {
	c := newContract(t)
	signIn := `"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`
	for name, row := range map[string]struct{ template, subject, text string }{
		"amy": {"", "Your account", "Your username is amy"},
		"ben": {`{"EmailSubject":"Hello","EmailMessage":"You are {username}, with {####}","SMSMessage":"You are {username}, with {####}"}`, "Your account", "Your username is ben"},
		"cal": {`{"EmailSubject":"Hello","EmailMessage":"You are {username}."}`, "Hello", "You are cal."},
	} {
		more := `,` + signIn
		if row.template != "" {
			more += `,"AdminCreateUserConfig":{"InviteMessageTemplate":` + row.template + `}`
		}
		pool := c.made(more)
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"`+name+`","UserAttributes":[{"Name":"email","Value":"`+name+`@example.com"},{"Name":"email_verified","Value":"true"}]}`)
		if m := c.message(name + "@example.com"); m.Subject != row.subject || m.Text != row.text || m.Code != "" {
			t.Errorf("%s: invitation = %+v, want %q, %q", name, m, row.subject, row.text)
		}
	}
}

// TestAPI_SignInCodes: a wrong code is the same refusal however often, whether there is such
// a user or not, and with a temporary password there is no code.
func TestAPI_SignInCodes(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH"],"PreventUserExistenceErrors":"ENABLED"`)
	address := func(name string) string {
		return `"UserAttributes":[{"Name":"email","Value":"` + name + `@example.com"},{"Name":"email_verified","Value":"true"}]`
	}
	c.ask("AdminCreateUser", `{`+pool+`,"Username":"leo",`+address("leo")+`,"MessageAction":"SUPPRESS"}`)
	c.ask("AdminCreateUser", `{`+pool+`,"Username":"mia",`+address("mia")+`,"MessageAction":"SUPPRESS","TemporaryPassword":"Passw0rd!"}`)
	begin := func(name string) string {
		return `{` + app + `,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"` + name + `","PREFERRED_CHALLENGE":"EMAIL_OTP"}}`
	}
	if got := c.ask("InitiateAuth", begin("mia")); !has(got, parsed(t, `{"ChallengeName":"SELECT_CHALLENGE","AvailableChallenges":["PASSWORD_SRP","PASSWORD"]}`)) {
		t.Errorf("with a temporary password: %v", got)
	}
	enter := func(name, session, code string) string {
		return `{` + app + `,"ChallengeName":"EMAIL_OTP","Session":"` + session + `","ChallengeResponses":{"USERNAME":"` + name + `","EMAIL_OTP_CODE":"` + code + `"}}`
	}
	for _, name := range []string{"leo", "nobody"} {
		asked := c.ask("InitiateAuth", begin(name))
		if asked["ChallengeName"] != "EMAIL_OTP" {
			t.Fatalf("%s: %v", name, asked)
		}
		session := text(asked["Session"])
		for range 8 {
			c.no("RespondToAuthChallenge", enter(name, session, "00000000"), "CodeMismatchException", "Invalid code or auth state for the user.")
		}
		if name != "leo" {
			continue
		}
		code := c.message("leo@example.com").Code
		if got := c.ask("RespondToAuthChallenge", enter(name, session, code)); inner(got, "AuthenticationResult", "IdToken") == nil {
			t.Errorf("sign-in = %v", got)
		}
		c.no("RespondToAuthChallenge", enter(name, session, code), "NotAuthorizedException", "Invalid session for the user, session can only be used once.")
	}
}
