package localpool_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// TestAPI_Passwordless: users without a password, from the sign-up to the tokens.
func TestAPI_Passwordless(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"AutoVerifiedAttributes":["email"],"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH"]`)
	up := c.ask("SignUp", `{`+app+`,"Username":"erin","UserAttributes":[{"Name":"email","Value":"erin@example.com"}]}`)
	code, _ := c.pool.LastCode("erin@example.com")
	confirmed := c.ask("ConfirmSignUp", `{`+app+`,"Username":"erin","ConfirmationCode":"`+code+`","Session":"`+text(up["Session"])+`"}`)
	in := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_AUTH","Session":"`+text(confirmed["Session"])+`","AuthParameters":{"USERNAME":"erin"}}`)
	token := text(inner(in, "AuthenticationResult", "AccessToken"))
	if token == "" {
		t.Fatalf("sign-in = %v", in)
	}
	// With one factor there is no menu.
	if asked := c.auth(app, ""); asked["ChallengeName"] != "EMAIL_OTP" {
		t.Errorf("asked = %v", asked)
	}
	c.ask("ChangePassword", `{"AccessToken":"`+token+`","ProposedPassword":"Passw0rd!"}`)
	c.no("ChangePassword", `{"AccessToken":"`+token+`","ProposedPassword":"Passw0rd!"}`, "InvalidParameterException", "Member must not be null")
	if a := c.auth(app, `,"PREFERRED_CHALLENGE":"PASSWORD","PASSWORD":"Passw0rd!"`); inner(a, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("sign-in with the first password = %v", a)
	}
	made := c.ask("AdminCreateUser", `{`+pool+`,"Username":"frank","UserAttributes":[{"Name":"email","Value":"frank@example.com"}]}`)
	if inner(made, "User", "UserStatus") != "CONFIRMED" {
		t.Errorf("user = %v", made)
	}
	other := c.made("")
	c.no("SignUp", `{`+c.app(other, "")+`,"Username":"erin"}`, "InvalidPasswordException", "")
}

// TestAPI_ConfirmSignUpWithoutSession: who has just confirmed themselves goes on to sign in, also
// with a client that keeps no session from the sign-up.
func TestAPI_ConfirmSignUpWithoutSession(t *testing.T) {
	for _, tt := range []struct {
		flows string
		goes  bool
	}{{`["ALLOW_USER_AUTH"]`, true}, {`["ALLOW_USER_PASSWORD_AUTH"]`, false}} {
		t.Run(tt.flows, func(t *testing.T) {
			c := newContract(t)
			pool := c.made(`,"AutoVerifiedAttributes":["email"]`)
			app := c.app(pool, `,"ExplicitAuthFlows":`+tt.flows)
			c.ask("SignUp", `{`+app+`,"Username":"erin","Password":"Passw0rd!","UserAttributes":[{"Name":"email","Value":"erin@example.com"}]}`)
			c.no("ConfirmSignUp", `{`+app+`,"Username":"erin","ConfirmationCode":"000000"}`, "CodeMismatchException", "")
			code, _ := c.pool.LastCode("erin@example.com")
			confirmed := c.ask("ConfirmSignUp", `{`+app+`,"Username":"erin","ConfirmationCode":"`+code+`"}`)
			session, ok := confirmed["Session"].(string)
			if ok != tt.goes {
				t.Fatalf("ConfirmSignUp = %v", confirmed)
			}
			if !ok {
				return
			}
			in := `{` + app + `,"AuthFlow":"USER_AUTH","Session":"` + session + `","AuthParameters":{"USERNAME":"erin"}}`
			if a := c.ask("InitiateAuth", in); inner(a, "AuthenticationResult", "AccessToken") == nil {
				t.Errorf("sign-in = %v", a)
			}
			c.no("InitiateAuth", in, "NotAuthorizedException", "") // it has been used
		})
	}
}

// TestAPI_CustomChallenges: functions ask what they like, and let people in.
func TestAPI_CustomChallenges(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_CUSTOM_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	begin := `{` + app + `,"AuthFlow":"CUSTOM_AUTH","AuthParameters":{"USERNAME":"erin"}}`
	c.no("InitiateAuth", begin, "InvalidParameterException", "Custom auth lambda trigger is not configured")
	id := strings.Trim(strings.TrimPrefix(pool, `"UserPoolId":`), `"`)
	set := func(name string, f func(request, response map[string]any) error) {
		c.ok(c.pool.SetTrigger(id, name, localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
			request, _ := event["request"].(map[string]any)
			response, _ := event["response"].(map[string]any)
			return f(request, response)
		}}))
	}
	set("DefineAuthChallenge", func(request, response map[string]any) error {
		rounds, _ := request["session"].([]any)
		response["challengeName"], response["issueTokens"], response["failAuthentication"] = "CUSTOM_CHALLENGE", false, false
		if len(rounds) == 0 {
			return nil
		}
		last, _ := rounds[len(rounds)-1].(map[string]any)
		response["issueTokens"] = last["challengeResult"] == true
		response["failAuthentication"] = len(rounds) > 1 && last["challengeResult"] != true
		return nil
	})
	set("CreateAuthChallenge", func(_, response map[string]any) error {
		response["publicChallengeParameters"], response["privateChallengeParameters"] = map[string]any{"question": "2+2"}, map[string]any{"answer": "4"}
		response["challengeMetadata"] = "SUM"
		return nil
	})
	set("VerifyAuthChallengeResponse", func(request, response map[string]any) error {
		private, _ := request["privateChallengeParameters"].(map[string]any)
		response["answerCorrect"] = private["answer"] == request["challengeAnswer"]
		return nil
	})
	asked := c.ask("InitiateAuth", begin)
	if asked["ChallengeName"] != "CUSTOM_CHALLENGE" || inner(asked, "ChallengeParameters", "question") != "2+2" || inner(asked, "ChallengeParameters", "answer") != nil {
		t.Fatalf("asked = %v", asked)
	}
	again := c.answered(app, asked, `"ANSWER":"5"`)
	if again.json["ChallengeName"] != "CUSTOM_CHALLENGE" {
		t.Fatalf("after a wrong answer: %s", again.body)
	}
	if a := c.answered(app, again.json, `"ANSWER":"4"`); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("after a right answer: %s", a.body)
	}
	if a := c.answered(app, again.json, `"ANSWER":"4"`); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("a second time: %s", a.body)
	}
	twice := c.answered(app, c.ask("InitiateAuth", begin), `"ANSWER":"5"`)
	if a := c.answered(app, twice.json, `"ANSWER":"5"`); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("two wrong answers: %s", a.body)
	}

	// People who come from elsewhere.
	c.ok(c.pool.SetTrigger(id, "UserMigration", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		request, _ := event["request"].(map[string]any)
		response, _ := event["response"].(map[string]any)
		if request["password"] != "0ld-Password" {
			return errors.New("no such user")
		}
		response["userAttributes"], response["finalUserStatus"] = map[string]any{"email": "grace@example.com", "email_verified": "true"}, "CONFIRMED"
		return nil
	}}))
	old := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	in := `{` + old + `,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"grace","PASSWORD":"`
	c.no("InitiateAuth", in+`wrong-Passw0rd"}}`, "UserNotFoundException", "")
	if a := c.ask("InitiateAuth", in+`0ld-Password"}}`); inner(a, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("migration = %v", a)
	}
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"grace"}`); got["UserStatus"] != "CONFIRMED" {
		t.Errorf("user = %v", got)
	}
}

// TestAPI_CustomChallengesAfterThePassword: functions are told of SRP_A, and decide whether the
// password is asked for.
func TestAPI_CustomChallengesAfterThePassword(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_CUSTOM_AUTH","ALLOW_USER_SRP_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	id := strings.Trim(strings.TrimPrefix(pool, `"UserPoolId":`), `"`)
	var told []string // what functions were told of, each time
	first := map[string]any{"challengeName": "PASSWORD_VERIFIER", "issueTokens": false, "failAuthentication": false}
	c.ok(c.pool.SetTrigger(id, "DefineAuthChallenge", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		request, _ := event["request"].(map[string]any)
		response, _ := event["response"].(map[string]any)
		rounds, _ := request["session"].([]any)
		names := make([]string, 0, len(rounds))
		for _, one := range rounds {
			r, _ := one.(map[string]any)
			names = append(names, fmt.Sprint(r["challengeName"], r["challengeResult"]))
		}
		told = append(told, strings.Join(names, " "))
		maps.Copy(response, first)
		if len(rounds) == 2 {
			maps.Copy(response, map[string]any{"challengeName": "CUSTOM_CHALLENGE"})
		}
		return nil
	}}))
	c.ok(c.pool.SetTrigger(id, "CreateAuthChallenge", localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		response, _ := event["response"].(map[string]any)
		response["publicChallengeParameters"], response["privateChallengeParameters"] = map[string]any{"question": "2+2"}, map[string]any{"answer": "4"}
		return nil
	}}))
	begun := 0
	c.ok(c.pool.SetTrigger(id, "PreAuthentication", localpool.Trigger{Func: func(context.Context, map[string]any) error {
		begun++
		return nil
	}}))
	s := newSRPClient(t)
	begin := `{` + app + `,"AuthFlow":"CUSTOM_AUTH","AuthParameters":{"USERNAME":"erin","CHALLENGE_NAME":"SRP_A","SRP_A":"` + s.public.Text(16) + `"}}`
	asked := c.ask("InitiateAuth", begin)
	if asked["ChallengeName"] != "PASSWORD_VERIFIER" || !slices.Equal(told, []string{"SRP_Atrue"}) || begun != 1 {
		t.Fatalf("asked = %v, told %q, begun %d times", asked, told, begun)
	}
	parameters := make(map[string]string)
	given, _ := asked["ChallengeParameters"].(map[string]any)
	for name, value := range given {
		parameters[name] = text(value)
	}
	var answer []string
	for name, value := range s.answer(t, id, "Passw0rd!", parameters, time.Now()) {
		answer = append(answer, fmt.Sprintf("%q:%q", name, value))
	}
	next := c.call("RespondToAuthChallenge", `{`+app+`,"ChallengeName":"PASSWORD_VERIFIER","ChallengeResponses":{`+strings.Join(answer, ",")+`}}`)
	if next.json["ChallengeName"] != "CUSTOM_CHALLENGE" || !slices.Equal(told, []string{"SRP_Atrue", "SRP_Atrue PASSWORD_VERIFIERtrue"}) {
		t.Errorf("after the password: %s, told %q", next.body, told)
	}
	first["failAuthentication"] = true
	c.no("InitiateAuth", begin, "NotAuthorizedException", "")
	first["failAuthentication"], first["challengeName"] = false, "CUSTOM_CHALLENGE"
	if asked := c.ask("InitiateAuth", begin); asked["ChallengeName"] != "CUSTOM_CHALLENGE" {
		t.Errorf("functions that ask themselves: %v", asked)
	}
	first["challengeName"] = "OTHER"
	c.no("InitiateAuth", begin, "InvalidLambdaResponseException", "")
}

// TestAPI_Devices: a device that is remembered stands in for a second factor.
func TestAPI_Devices(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"DeviceConfiguration":{"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":false}`)
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	user := pool + `,"Username":"erin"`
	c.ask("AdminSetUserPassword", `{`+user+`,"Password":"Passw0rd!","Permanent":true}`)
	in := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`)
	token := `"AccessToken":"` + text(inner(in, "AuthenticationResult", "AccessToken")) + `"`
	key, group := text(inner(in, "AuthenticationResult", "NewDeviceMetadata", "DeviceKey")), text(inner(in, "AuthenticationResult", "NewDeviceMetadata", "DeviceGroupKey"))
	if key == "" || group == "" {
		t.Fatalf("sign-in = %v", in)
	}
	if got := c.ask("ListDevices", `{`+token+`}`); len(got["Devices"].([]any)) != 0 {
		t.Errorf("devices that are not confirmed: %v", got)
	}

	// What a client makes of a password of its own (as AWS's SDKs do).
	n, ok := new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)
	if !ok {
		t.Fatal("the group")
	}
	g := big.NewInt(2)
	pad := func(x *big.Int) []byte {
		b := x.Bytes()
		if b[0] >= 0x80 {
			return append([]byte{0}, b...)
		}
		return b
	}
	hash := func(parts ...[]byte) *big.Int {
		h := sha256.New()
		for _, p := range parts {
			h.Write(p)
		}
		return new(big.Int).SetBytes(h.Sum(nil))
	}
	const password = "a password that the device made up"
	salt := new(big.Int).SetBytes([]byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x08})
	secret := sha256.Sum256([]byte(group + key + ":" + password))
	x := hash(pad(salt), secret[:])
	verifier := new(big.Int).Exp(g, x, n)
	confirmed := c.ask("ConfirmDevice", `{`+token+`,"DeviceKey":"`+key+`","DeviceName":"laptop","DeviceSecretVerifierConfig":{"PasswordVerifier":"`+base64.StdEncoding.EncodeToString(verifier.Bytes())+`","Salt":"`+base64.StdEncoding.EncodeToString(salt.Bytes())+`"}}`)
	if confirmed["UserConfirmationNecessary"] != false {
		t.Errorf("confirmed = %v", confirmed)
	}
	if got := c.ask("GetDevice", `{`+token+`,"DeviceKey":"`+key+`"}`); !strings.Contains(fmt.Sprint(got), "laptop") {
		t.Errorf("device = %v", got)
	}

	c.ask("AdminSetUserMFAPreference", `{`+user+`,"EmailMfaSettings":{"Enabled":true}}`)
	asked := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!","DEVICE_KEY":"`+key+`"}}`)
	if asked["ChallengeName"] != "DEVICE_SRP_AUTH" {
		t.Fatalf("asked = %v", asked)
	}
	own, err := rand.Int(rand.Reader, n)
	c.ok(err)
	public := new(big.Int).Exp(g, own, n)
	next := c.answered(app, asked, `"DEVICE_KEY":"`+key+`","SRP_A":"`+public.Text(16)+`"`).json
	if next["ChallengeName"] != "DEVICE_PASSWORD_VERIFIER" {
		t.Fatalf("next = %v", next)
	}
	theirs, _ := new(big.Int).SetString(text(inner(next, "ChallengeParameters", "SRP_B")), 16)
	k, u := hash(pad(n), pad(g)), hash(pad(public), pad(theirs))
	shared := new(big.Int).Sub(theirs, new(big.Int).Mul(k, verifier))
	shared.Exp(shared.Mod(shared, n), new(big.Int).Add(own, new(big.Int).Mul(u, x)), n)
	mac := func(key []byte, parts ...string) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return h.Sum(nil)
	}
	block := text(inner(next, "ChallengeParameters", "SECRET_BLOCK"))
	raw, err := base64.StdEncoding.DecodeString(block)
	c.ok(err)
	at := time.Now().UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	signature := mac(mac(mac(pad(u), string(pad(shared))), "Caldera Derived Key", "\x01")[:16], group+key, string(raw), at)
	proof := `"DEVICE_KEY":"` + key + `","PASSWORD_CLAIM_SECRET_BLOCK":"` + block + `","TIMESTAMP":"` + at + `","PASSWORD_CLAIM_SIGNATURE":"`
	done := c.answered(app, next, proof+base64.StdEncoding.EncodeToString(signature)+`"`)
	if inner(done.json, "AuthenticationResult", "AccessToken") == nil || inner(done.json, "AuthenticationResult", "NewDeviceMetadata") != nil {
		t.Errorf("proof: %s", done.body)
	}
	if a := c.answered(app, next, proof+base64.StdEncoding.EncodeToString(signature)+`"`); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("a proof is taken twice: %s", a.body)
	}

	c.ask("UpdateDeviceStatus", `{`+token+`,"DeviceKey":"`+key+`","DeviceRememberedStatus":"not_remembered"}`)
	if got := c.ask("AdminListDevices", `{`+user+`}`); !strings.Contains(fmt.Sprint(got), "not_remembered") {
		t.Errorf("devices = %v", got)
	}
	c.ask("AdminForgetDevice", `{`+user+`,"DeviceKey":"`+key+`"}`)
	c.no("AdminGetDevice", `{`+user+`,"DeviceKey":"`+key+`"}`, "ResourceNotFoundException", "Device does not exist.")
	c.no("ListDevices", `{"AccessToken":"`+*c.tokens().AccessToken+`"}`, "InvalidUserPoolConfigurationException", "")
}
