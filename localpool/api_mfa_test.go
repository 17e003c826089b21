package localpool_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// totp is what an authenticator app shows (RFC 6238).
func totp(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&(1<<31-1)%1e6)
}

func TestTOTP(t *testing.T) {
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("12345678901234567890"))
	// RFC 6238, appendix B, without its first two digits.
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"} {
		if got := totp(t, secret, time.Unix(at, 0)); got != want {
			t.Errorf("totp at %d = %s, want %s", at, got, want)
		}
	}
}

// code is what carol's app shows, at the pool's time.
func (c *contract) totp(secret string) string {
	c.Helper()
	return totp(c.T, secret, time.Now().Add(time.Duration(c.ahead.Load())))
}

func (c *contract) setMFA(mode types.UserPoolMfaType) {
	c.Helper()
	_, err := c.sdk().SetUserPoolMfaConfig(c.Context(), &cip.SetUserPoolMfaConfigInput{
		UserPoolId: aws.String(shop), MfaConfiguration: mode, SoftwareTokenMfaConfiguration: &types.SoftwareTokenMfaConfigType{Enabled: true},
	})
	c.ok(err)
}

// later passes the time until the app shows another code.
func (c *contract) later() { c.ahead.Add(int64(30 * time.Second)) }

// registered sets up carol's app, without turning it on.
func (c *contract) registered() (secret string) {
	c.Helper()
	token := c.tokens().AccessToken
	out, err := c.sdk().AssociateSoftwareToken(c.Context(), &cip.AssociateSoftwareTokenInput{AccessToken: token})
	c.ok(err)
	verified, err := c.sdk().VerifySoftwareToken(c.Context(), &cip.VerifySoftwareTokenInput{AccessToken: token, UserCode: aws.String(c.totp(*out.SecretCode)), FriendlyDeviceName: aws.String("phone")})
	c.ok(err)
	if verified.Status != types.VerifySoftwareTokenResponseTypeSuccess || verified.Session != nil || out.Session != nil {
		c.Errorf("answers = %+v, %+v", out, verified)
	}
	c.later()
	return *out.SecretCode
}

func (c *contract) prefer(on bool) error {
	_, err := c.sdk().AdminSetUserMFAPreference(c.Context(), &cip.AdminSetUserMFAPreferenceInput{
		UserPoolId: aws.String(shop), Username: aws.String("carol"), SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: on, PreferredMfa: on},
	})
	return err
}

func TestAPI_SoftwareToken(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	token := c.tokens().AccessToken
	_, err := client.AssociateSoftwareToken(ctx, &cip.AssociateSoftwareTokenInput{AccessToken: token})
	c.refused(err, "SoftwareTokenMFANotFoundException", "Software Token MFA has not been enabled by the userPool")
	c.setMFA(types.UserPoolMfaTypeOptional)
	config, err := client.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	if config.MfaConfiguration != "OPTIONAL" || !config.SoftwareTokenMfaConfiguration.Enabled {
		t.Errorf("configuration = %+v", config)
	}
	verify := func(code string) error {
		_, err := client.VerifySoftwareToken(ctx, &cip.VerifySoftwareTokenInput{AccessToken: token, UserCode: aws.String(code), FriendlyDeviceName: aws.String("phone")})
		return err
	}
	c.refused(verify("123456"), "SoftwareTokenMFANotFoundException", "")
	c.refused(c.prefer(true), "InvalidParameterException", "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA")
	secret := c.registered()
	if len(secret) != 52 {
		t.Errorf("the secret has %d characters", len(secret))
	}
	if out, err := c.byPassword("app", "carol", "Passw0rd!"); err != nil || out.AuthenticationResult == nil {
		t.Errorf("before it is on: %+v, %v", out, err)
	}
	_, err = client.SetUserMFAPreference(ctx, &cip.SetUserMFAPreferenceInput{AccessToken: token, SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: true, PreferredMfa: true}})
	c.ok(err)
	_, err = client.SetUserMFAPreference(ctx, &cip.SetUserMFAPreferenceInput{AccessToken: token, SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true}})
	c.refused(err, "InvalidParameterException", "turn on SMS_MFA")
	u, err := client.GetUser(ctx, &cip.GetUserInput{AccessToken: token})
	c.ok(err)
	if admin, _ := c.get("carol"); aws.ToString(u.PreferredMfaSetting) != "SOFTWARE_TOKEN_MFA" || len(u.UserMFASettingList) != 1 || len(admin.UserMFASettingList) != 1 {
		t.Errorf("user = %+v, %+v", u, admin)
	}

	begin := func() *cip.InitiateAuthOutput {
		t.Helper()
		out, err := c.byPassword("app", "carol", "Passw0rd!")
		c.ok(err)
		if out.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa || out.Session == nil || out.AuthenticationResult != nil || out.ChallengeParameters["FRIENDLY_DEVICE_NAME"] != "phone" {
			t.Fatalf("answer = %+v", out)
		}
		return out
	}
	answer := func(session *string, code string) (*cip.RespondToAuthChallengeOutput, error) {
		return c.respond("app", types.ChallengeNameTypeSoftwareTokenMfa, session, map[string]string{"USERNAME": "carol", "SOFTWARE_TOKEN_MFA_CODE": code})
	}
	out := begin()
	_, err = answer(out.Session, "")
	c.refused(err, "InvalidParameterException", "Missing required parameter SOFTWARE_TOKEN_MFA_CODE")
	code := c.totp(secret)
	_, err = answer(out.Session, differs(code))
	c.refused(err, "CodeMismatchException", "Invalid code received for user")
	done, err := answer(out.Session, code) // the session survives a wrong code
	c.ok(err)
	if done.AuthenticationResult == nil {
		t.Errorf("answer = %+v", done)
	}
	_, err = answer(out.Session, code)
	c.refused(err, "NotAuthorizedException", "session can only be used once")
	_, err = answer(begin().Session, code)
	c.refused(err, "ExpiredCodeException", "Your software token has already been used once.")
	_, err = answer(begin().Session, totp(t, secret, time.Now().Add(time.Duration(c.ahead.Load())+30*time.Second)))
	c.ok(err) // a clock that is fast
	c.ahead.Add(int64(5 * time.Minute))
	_, err = answer(begin().Session, totp(t, secret, time.Now().Add(time.Duration(c.ahead.Load())-2*time.Minute)))
	c.refused(err, "CodeMismatchException", "")

	t.Run("by SRP", func(t *testing.T) {
		c := c.in(t)
		done, _, err := c.bySRP("app", shop, "carol", "Passw0rd!", nil)
		c.ok(err)
		if done.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa || done.AuthenticationResult != nil {
			t.Fatalf("answer = %+v", done)
		}
		_, err = answer(done.Session, c.totp(secret))
		c.ok(err)
		c.later()
	})
	t.Run("another app", func(t *testing.T) {
		c := c.in(t)
		out, err := client.AssociateSoftwareToken(ctx, &cip.AssociateSoftwareTokenInput{AccessToken: token})
		c.ok(err)
		_, err = answer(begin().Session, c.totp(secret)) // the old one works until the new one does
		c.ok(err)
		c.refused(verify(differs(c.totp(*out.SecretCode))), "EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA")
		c.ok(verify(c.totp(*out.SecretCode)))
		secret = *out.SecretCode
		c.later()
	})
	t.Run("too many codes", func(t *testing.T) {
		c := c.in(t)
		for range 5 {
			_, err := answer(begin().Session, differs(c.totp(secret))) // with the right password each time
			c.refused(err, "CodeMismatchException", "")
		}
		_, err := c.byPassword("app", "carol", "Passw0rd!")
		c.refused(err, "NotAuthorizedException", "Password attempts exceeded")
		c.later()
		_, err = answer(begin().Session, c.totp(secret))
		c.ok(err)
	})
	t.Run("off", func(t *testing.T) {
		c := c.in(t)
		c.setMFA(types.UserPoolMfaTypeOff)
		if out, err := c.byPassword("app", "carol", "Passw0rd!"); err != nil || out.AuthenticationResult == nil {
			t.Errorf("in a pool without MFA: %+v, %v", out, err)
		}
		c.setMFA(types.UserPoolMfaTypeOptional)
		c.ok(c.prefer(false))
		if out, err := c.byPassword("app", "carol", "Passw0rd!"); err != nil || out.AuthenticationResult == nil {
			t.Errorf("for a user who does not want it: %+v, %v", out, err)
		}
		c.setMFA(types.UserPoolMfaTypeOn)
		begin() // nobody is asked what they want
		_, err := client.SetUserPoolMfaConfig(ctx, &cip.SetUserPoolMfaConfigInput{UserPoolId: aws.String(shop), MfaConfiguration: types.UserPoolMfaTypeOn})
		c.refused(err, "InvalidParameterException", "")
	})
}

// differs is another code.
func differs(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func TestAPI_MFASetup(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	c.setMFA(types.UserPoolMfaTypeOn)
	begin := func() *cip.InitiateAuthOutput {
		t.Helper()
		out, err := c.byPassword("app", "carol", "Passw0rd!")
		c.ok(err)
		if out.ChallengeName != types.ChallengeNameTypeMfaSetup || out.ChallengeParameters["MFAS_CAN_SETUP"] != `["SOFTWARE_TOKEN_MFA"]` {
			t.Fatalf("answer = %+v", out)
		}
		return out
	}
	finish := func(session *string) (*cip.RespondToAuthChallengeOutput, error) {
		return c.respond("app", types.ChallengeNameTypeMfaSetup, session, map[string]string{"USERNAME": "carol"})
	}
	_, err := finish(begin().Session)
	c.refused(err, "NotAuthorizedException", "Invalid session for the user.")
	_, err = client.AssociateSoftwareToken(ctx, &cip.AssociateSoftwareTokenInput{Session: aws.String("nobody's session, and long enough")})
	c.refused(err, "NotAuthorizedException", "Invalid session for the user.")
	if a := c.call("AssociateSoftwareToken", `{}`); !strings.Contains(a.body, "Value at 'accessToken' failed to satisfy constraint: Member must not be null") {
		t.Errorf("nobody: %s", a.body)
	}

	out := begin()
	associated, err := client.AssociateSoftwareToken(ctx, &cip.AssociateSoftwareTokenInput{Session: out.Session})
	c.ok(err)
	verify := func(session *string, code string) (*cip.VerifySoftwareTokenOutput, error) {
		return client.VerifySoftwareToken(ctx, &cip.VerifySoftwareTokenInput{Session: session, UserCode: aws.String(code)})
	}
	code := c.totp(*associated.SecretCode)
	_, err = verify(out.Session, code)
	c.refused(err, "NotAuthorizedException", "session can only be used once")
	_, err = verify(associated.Session, differs(code))
	c.refused(err, "EnableSoftwareTokenMFAException", "")
	verified, err := verify(associated.Session, code)
	c.ok(err)
	done, err := finish(verified.Session)
	c.ok(err)
	if done.AuthenticationResult == nil {
		t.Errorf("answer = %+v", done)
	}
	again, err := c.byPassword("app", "carol", "Passw0rd!")
	c.ok(err)
	if again.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa {
		t.Errorf("answer = %+v", again)
	}
	if u, _ := c.get("carol"); aws.ToString(u.PreferredMfaSetting) != "SOFTWARE_TOKEN_MFA" {
		t.Errorf("user = %+v", u)
	}
	// First the password, then the rest.
	other, err := c.byPassword("app", "dave", "Temp0rary!")
	c.ok(err)
	chosen, err := c.respond("app", other.ChallengeName, other.Session, map[string]string{"USERNAME": "dave", "NEW_PASSWORD": "N3w-password"})
	c.ok(err)
	if chosen.ChallengeName != types.ChallengeNameTypeMfaSetup || chosen.Session == nil {
		t.Errorf("answer = %+v", chosen)
	}
}

var (
	challengeField = regexp.MustCompile(`name="challenge" value="([^"]+)"`)
	shownSecret    = regexp.MustCompile(`<code>([A-Z2-7]{52})</code>`)
)

// TestPages_MFA: the login pages ask for what the API asks for.
func TestPages_MFA(t *testing.T) {
	c := newContract(t)
	c.setMFA(types.UserPoolMfaTypeOn)
	send := func(page answer, code string) answer {
		t.Helper()
		token, csrf := challengeField.FindStringSubmatch(page.body), csrfField.FindStringSubmatch(page.body)
		if token == nil || csrf == nil {
			t.Fatalf("no form: %d %s", page.status, page.body)
		}
		return c.do("POST", "/mfa?"+query("spa", nil).Encode(), url.Values{"challenge": {token[1]}, "_csrf": {csrf[1]}, "code": {code}})
	}
	page := c.signIn("spa", "carol", "Passw0rd!", nil)
	secret := shownSecret.FindStringSubmatch(page.body)
	if secret == nil || !strings.Contains(page.body, "otpauth://totp/Local%20pool:") || !strings.Contains(page.body, "secret="+secret[1]) || !strings.Contains(page.body, `<svg role="img"`) {
		t.Fatalf("no secret: %d %s", page.status, page.body)
	}
	if again := send(page, differs(c.totp(secret[1]))); again.to != nil || !strings.Contains(again.body, secret[1]) || !strings.Contains(again.body, "Code mismatch") {
		t.Errorf("a wrong first code: %d %s", again.status, again.body)
	}
	if done := send(page, c.totp(secret[1])); done.to == nil || done.to.Query().Get("code") == "" {
		t.Errorf("the first code: %d %s", done.status, done.body)
	}
	if late := send(page, c.totp(secret[1])); late.to != nil || !strings.Contains(late.body, "session has expired") {
		t.Errorf("a form that was used: %d %s", late.status, late.body)
	}
	c.later()
	page = c.signIn("spa", "carol", "Passw0rd!", nil)
	if page.to != nil || shownSecret.MatchString(page.body) {
		t.Errorf("the second time: %d %s", page.status, page.body)
	}
	if again := send(page, differs(c.totp(secret[1]))); again.to != nil || !strings.Contains(again.body, "Invalid code received for user") {
		t.Errorf("a wrong code: %d %s", again.status, again.body)
	}
	if done := send(page, " "+c.totp(secret[1])); done.to == nil || done.to.Query().Get("code") == "" {
		t.Errorf("a code: %d %s", done.status, done.body)
	}
	if stray := c.do("GET", "/mfa?"+query("spa", nil).Encode(), nil); !strings.Contains(stray.body, "session has expired") {
		t.Errorf("out of the blue: %d %s", stray.status, stray.body)
	}
}

// TestPages_SecondFactors: codes by e-mail and SMS are asked for on the pages, too, and
// who has several factors chooses.
func TestPages_SecondFactors(t *testing.T) {
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `"`
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"},
		"SmsMfaConfiguration":{"SmsAuthenticationMessage":"Code {####}","SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}}}`)
	user := pool + `,"Username":"carol"`
	c.ask("AdminUpdateUserAttributes", `{`+user+`,"UserAttributes":[{"Name":"phone_number","Value":"+15550100"},{"Name":"phone_number_verified","Value":"true"}]}`)
	c.ask("AdminSetUserMFAPreference", `{`+user+`,"EmailMfaSettings":{"Enabled":true}}`)
	send := func(page answer, field, value string) answer {
		t.Helper()
		token, csrf := challengeField.FindStringSubmatch(page.body), csrfField.FindStringSubmatch(page.body)
		if token == nil || csrf == nil {
			t.Fatalf("no form: %d %s", page.status, page.body)
		}
		return c.do("POST", "/mfa?"+query("spa", nil).Encode(), url.Values{"challenge": {token[1]}, "_csrf": {csrf[1]}, field: {value}})
	}
	in := func(a answer) bool { return a.to != nil && a.to.Query().Get("code") != "" }

	page := c.signIn("spa", "carol", "Passw0rd!", nil)
	if in(page) || !strings.Contains(page.body, "sent to you") {
		t.Fatalf("with a code by e-mail: %d %s", page.status, page.body)
	}
	code := c.lastCode("carol@example.com")
	if again := send(page, "code", differs(code)); in(again) || !strings.Contains(again.body, "sent to you") {
		t.Errorf("a wrong code: %d %s", again.status, again.body)
	}
	if done := send(page, "code", code); !in(done) {
		t.Errorf("the code: %d %s", done.status, done.body)
	}

	c.ask("AdminSetUserMFAPreference", `{`+user+`,"SMSMfaSettings":{"Enabled":true}}`)
	page = c.signIn("spa", "carol", "Passw0rd!", nil)
	if in(page) || !strings.Contains(page.body, "Code by e-mail") || !strings.Contains(page.body, "Code by SMS") {
		t.Fatalf("with two factors: %d %s", page.status, page.body)
	}
	if other := send(page, "factor", "SOFTWARE_TOKEN_MFA"); in(other) || !strings.Contains(other.body, "Code by SMS") {
		t.Errorf("a factor that carol lacks: %d %s", other.status, other.body)
	}
	page = send(c.signIn("spa", "carol", "Passw0rd!", nil), "factor", "SMS_MFA")
	if in(page) || !in(send(page, "code", c.lastCode("+15550100"))) {
		t.Errorf("by SMS: %d %s", page.status, page.body)
	}
}
