package localpool_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// message is what was sent last to somebody, as tests in any language read it.
func (c *contract) message(to string) (m struct{ Code, Subject, Text, Function string }) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), "GET", c.url+"/_pool/messages?to="+strings.ReplaceAll(to, "+", "%2B"), nil)
	c.ok(err)
	var list []struct{ Code, Subject, Text, Function string }
	c.ok(json.Unmarshal([]byte(c.send(r).body), &list))
	if len(list) == 0 {
		c.Fatalf("nothing was sent to %s", to)
	}
	return list[0]
}

const frank = `"Username":"frank","Password":"Passw0rd!","UserAttributes":[{"Name":"email","Value":"frank@example.com"}]`

// TestMessages_Templates: messages are in the words of the pool.
func TestMessages_Templates(t *testing.T) {
	c := newContract(t)
	for _, tt := range []struct{ name, pool, subject, text string }{
		{"Cognito's own", "", "Your verification code", "Your confirmation code is {####}"},
		{"the pool's", `,"EmailVerificationMessage":"Shop: {####}!","EmailVerificationSubject":"Shop"`, "Shop", "Shop: {####}!"},
		{"a template's", `,"VerificationMessageTemplate":{"EmailMessage":"T {####}","EmailSubject":"S"}`, "S", "T {####}"},
	} {
		pool := c.made(`,"AutoVerifiedAttributes":["email"]` + tt.pool)
		app := c.app(pool, "")
		c.ask("SignUp", `{`+app+`,`+frank+`}`)
		if m := c.message("frank@example.com"); m.Subject != tt.subject || m.Text != strings.Replace(tt.text, "{####}", m.Code, 1) {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
	pool := c.made(`,"AutoVerifiedAttributes":["email"],"AdminCreateUserConfig":{"InviteMessageTemplate":{"EmailMessage":"{username}, begin with {####}","EmailSubject":"Welcome","SMSMessage":"{username} {####}"}},"VerificationMessageTemplate":{"DefaultEmailOption":"CONFIRM_WITH_LINK","EmailMessageByLink":"Go {##here##}.","EmailSubjectByLink":"Link"}`)
	c.ask("AdminCreateUser", `{`+pool+`,"Username":"grace","UserAttributes":[{"Name":"email","Value":"grace@example.com"},{"Name":"phone_number","Value":"+15550101"}],"DesiredDeliveryMediums":["EMAIL"]}`)
	if m := c.message("grace@example.com"); m.Subject != "Welcome" || m.Text != "grace, begin with "+m.Code {
		t.Errorf("an invitation: %+v", m)
	}
	// A link confirms its user, once.
	app := c.app(pool, "")
	c.ask("SignUp", `{`+app+`,`+frank+`}`)
	m := c.message("frank@example.com")
	_, link, ok := strings.Cut(m.Text, `<a href="`+c.url)
	link, rest, closed := strings.Cut(link, `"`)
	if !ok || !closed || m.Subject != "Link" || rest != ">here</a>." {
		t.Fatalf("a link: %+v", m)
	}
	link = strings.ReplaceAll(link, "&amp;", "&")
	if a := c.do("GET", strings.Replace(link, m.Code, differs(m.Code), 1), nil); strings.Contains(a.body, "has been confirmed") {
		t.Errorf("another code: %s", a.body)
	}
	if a := c.do("GET", link, nil); a.status != 200 || !strings.Contains(a.body, "has been confirmed") {
		t.Errorf("the link: %s", a.body)
	}
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"frank"}`); got["UserStatus"] != "CONFIRMED" {
		t.Errorf("user = %v", got)
	}
	if a := c.do("GET", link, nil); strings.Contains(a.body, "has been confirmed") {
		t.Errorf("twice: %s", a.body)
	}
}

// TestMessages_CustomMessage: a function's words win; one that refuses is the caller's
// refusal; words without the code are not taken.
func TestMessages_CustomMessage(t *testing.T) {
	c := newContract(t)
	var got map[string]any
	answer := map[string]any{"emailMessage": "Use {####} now", "emailSubject": "From us", "smsMessage": "{####}"}
	c.trigger(localpool.CustomMessage, "", func(_ context.Context, event map[string]any) error {
		got, event["response"] = event, answer
		return nil
	})
	_, err := c.signUp("frank")
	c.ok(err)
	if m := c.message("frank@example.com"); m.Subject != "From us" || m.Text != "Use "+m.Code+" now" {
		t.Errorf("message = %+v", m)
	}
	if got["triggerSource"] != "CustomMessage_SignUp" || inner(got, "request", "codeParameter") != "{####}" || inner(got, "request", "usernameParameter") != nil || inner(got, "request", "userAttributes", "email") != "frank@example.com" {
		t.Errorf("event = %v", got)
	}
	for operation, source := range map[string]string{"ResendConfirmationCode": "CustomMessage_ResendCode"} {
		if c.ask(operation, `{"ClientId":"app","Username":"frank","ClientMetadata":{"k":"v"}}`); got["triggerSource"] != source || inner(got, "request", "clientMetadata", "k") != "v" || inner(got, "callerContext", "clientId") != "app" {
			t.Errorf("%s: %v", operation, got)
		}
	}
	c.ask("ForgotPassword", `{"ClientId":"app","Username":"carol"}`)
	if m := c.message("carol@example.com"); got["triggerSource"] != "CustomMessage_ForgotPassword" || m.Text != "Use "+m.Code+" now" {
		t.Errorf("%v: %+v", got["triggerSource"], m)
	}
	answer = map[string]any{"emailMessage": "no code"}
	c.ask("ForgotPassword", `{"ClientId":"app","Username":"carol"}`)
	if m := c.message("carol@example.com"); m.Text != "Your password reset code is "+m.Code {
		t.Errorf("words without the code: %+v", m)
	}
	answer = map[string]any{"emailMessage": 7}
	c.no("ForgotPassword", `{"ClientId":"app","Username":"carol"}`, "InvalidLambdaResponseException", "Unrecognizable")
	c.trigger(localpool.CustomMessage, "", refusing("Not today"))
	c.no("ForgotPassword", `{"ClientId":"app","Username":"carol"}`, "UserLambdaValidationException", "CustomMessage failed with error Not today.")
}

// TestMessages_Senders: functions that send are handed the code, sealed, and nothing is
// sent beside them.
func TestMessages_Senders(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	c := newContractOf(t, strings.Replace(behaviorSeed, "pools:", "sender_key: "+base64.StdEncoding.EncodeToString(key)+"\npools:", 1))
	var got map[string]any
	c.trigger(localpool.CustomEmailSender, "", func(_ context.Context, event map[string]any) error { got = event; return nil })
	c.trigger(localpool.CustomMessage, "", refusing("is not asked"))
	c.ask("ForgotPassword", `{"ClientId":"app","Username":"carol"}`)
	m := c.message("carol@example.com")
	if got["triggerSource"] != "CustomEmailSender_ForgotPassword" || inner(got, "request", "type") != "customEmailSenderRequestV1" || m.Function != "CustomEmailSender" {
		t.Errorf("event = %v, %+v", got, m)
	}
	raw, err := base64.StdEncoding.DecodeString(text(inner(got, "request", "code")))
	c.ok(err)
	block, err := aes.NewCipher(key)
	c.ok(err)
	gcm, err := cipher.NewGCM(block)
	c.ok(err)
	if code, err := gcm.Open(nil, raw[:12], raw[12:], nil); err != nil || string(code) != m.Code {
		t.Errorf("code = %q, %v, want %q", code, err, m.Code)
	}
	if _, err := localpool.ParseSeed([]byte("sender_key: c2hvcnQ=\n" + behaviorSeed)); err == nil {
		t.Error("a short key is taken")
	}
}
