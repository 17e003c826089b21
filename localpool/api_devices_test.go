package localpool_test

import (
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"
)

// deviceWorld is a pool that tracks devices, with erin, who signs in by SRP.
type deviceWorld struct {
	*contract
	pool, id, app, user string
}

func newDeviceWorld(t *testing.T, prompt string) *deviceWorld {
	c := newContract(t)
	pool := c.made(`,"DeviceConfiguration":{"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":` + prompt + `}`)
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"}}`)
	w := &deviceWorld{contract: c, pool: pool, app: c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_SRP_AUTH","ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`), user: pool + `,"Username":"erin"`}
	w.id = strings.Trim(strings.TrimPrefix(pool, `"UserPoolId":`), `"`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+w.user+`,"Password":"Passw0rd!","Permanent":true}`)
	return w
}

// signIn is one by SRP up to the answer to the proof, which names a device or none. proof is sent
// again by again.
func (w *deviceWorld) signIn(device string) (done answer, again func(device string) answer) {
	w.Helper()
	client := newSRPClient(w.T)
	asked := w.ask("InitiateAuth", `{`+w.app+`,"AuthFlow":"USER_SRP_AUTH","AuthParameters":{"USERNAME":"erin","SRP_A":"`+client.public.Text(16)+`"}}`)
	parameters := make(map[string]string)
	for name, value := range asked["ChallengeParameters"].(map[string]any) {
		parameters[name] = text(value)
	}
	proof := client.answer(w.T, w.id, "Passw0rd!", parameters, time.Now())
	again = func(device string) answer {
		w.Helper()
		responses := `"PASSWORD_CLAIM_SECRET_BLOCK":"` + proof["PASSWORD_CLAIM_SECRET_BLOCK"] + `","PASSWORD_CLAIM_SIGNATURE":"` + proof["PASSWORD_CLAIM_SIGNATURE"] + `","TIMESTAMP":"` + proof["TIMESTAMP"] + `"` + device
		return w.answered(w.app, map[string]any{"ChallengeName": "PASSWORD_VERIFIER", "Session": parameters["SECRET_BLOCK"]}, responses)
	}
	return again(device), again
}

// confirmed makes a device of a sign-in, with a verifier of a password that is nowhere, and returns
// its key and the access token.
func (w *deviceWorld) confirmed(done answer, wantAsk bool) (key, token string) {
	w.Helper()
	key, token = text(inner(done.json, "AuthenticationResult", "NewDeviceMetadata", "DeviceKey")), `"AccessToken":"`+text(inner(done.json, "AuthenticationResult", "AccessToken"))+`"`
	if key == "" {
		w.Fatalf("a sign-in: %s", done.body)
	}
	verifier := base64.StdEncoding.EncodeToString(new(big.Int).Lsh(big.NewInt(1), 3000).Bytes())
	confirm := `{` + token + `,"DeviceKey":"` + key + `","DeviceName":"phone","DeviceSecretVerifierConfig":{"PasswordVerifier":"` + verifier + `","Salt":"ESIzRFVmdwg="}}`
	if got := w.ask("ConfirmDevice", confirm); got["UserConfirmationNecessary"] != wantAsk {
		w.Errorf("ConfirmDevice = %v", got)
	}
	w.no("ConfirmDevice", confirm, "DeviceKeyExistsException", key)
	return key, token
}

// TestAPI_DeviceIsForgotten: clients name the device with the proof of the password. Where it is
// forgotten they are told so, and send the same proof without it (as AWS's do).
func TestAPI_DeviceIsForgotten(t *testing.T) {
	w := newDeviceWorld(t, "false")
	first, _ := w.signIn("")
	key, token := w.confirmed(first, false)
	named := `,"DEVICE_KEY":"` + key + `"`
	if asked, _ := w.signIn(named); asked.json["ChallengeName"] != "DEVICE_SRP_AUTH" {
		t.Errorf("a device that is remembered: %s", asked.body)
	}
	// pycognito answers without the session.
	bare := `{` + w.app + `,"ChallengeName":"DEVICE_SRP_AUTH","ChallengeResponses":{"USERNAME":"erin","DEVICE_KEY":"` + key + `","SRP_A":"` + newSRPClient(t).public.Text(16) + `"}}`
	if a := w.call("RespondToAuthChallenge", bare); a.json["ChallengeName"] != "DEVICE_PASSWORD_VERIFIER" {
		t.Errorf("without the session: %s", a.body)
	}
	if a := w.call("RespondToAuthChallenge", bare); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("without the session and without a challenge: %s", a.body)
	}
	w.ask("ForgetDevice", `{`+token+`,"DeviceKey":"`+key+`"}`)
	w.no("ForgetDevice", `{`+token+`,"DeviceKey":"`+key+`"}`, "ResourceNotFoundException", "Device does not exist.")
	done, again := w.signIn(named)
	if done.json["__type"] != "ResourceNotFoundException" || done.json["message"] != "Device does not exist." {
		t.Errorf("a device that is forgotten: %s", done.body)
	}
	next := again(`,"DEVICE_KEY":null`)
	other := text(inner(next.json, "AuthenticationResult", "NewDeviceMetadata", "DeviceKey"))
	if other == "" || other == key {
		t.Errorf("the same proof without the device: %s", next.body)
	}
	if a := again(""); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("the same proof twice: %s", a.body)
	}
	w.no("InitiateAuth", `{`+w.app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"`+named+`}}`, "ResourceNotFoundException", "Device does not exist.")
	w.no("InitiateAuth", `{`+w.app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Wr0ng-Passw0rd"`+named+`}}`, "NotAuthorizedException", "Incorrect username or password.")
}

// TestAPI_DevicePrompt: where people are asked, a device is remembered once they say so.
func TestAPI_DevicePrompt(t *testing.T) {
	w := newDeviceWorld(t, "true")
	w.ask("AdminSetUserMFAPreference", `{`+w.user+`,"EmailMfaSettings":{"Enabled":true}}`)
	enter := func() answer {
		t.Helper()
		asked, _ := w.signIn("")
		code, _ := w.contract.pool.LastCode("erin@example.com")
		return w.answered(w.app, asked.json, `"EMAIL_OTP_CODE":"`+code+`"`)
	}
	first := enter()
	key, token := w.confirmed(first, true)
	named := `,"DEVICE_KEY":"` + key + `"`
	if asked, _ := w.signIn(named); asked.json["ChallengeName"] != "EMAIL_OTP" {
		t.Errorf("a device that nobody said is to be remembered: %s", asked.body)
	}
	w.ask("UpdateDeviceStatus", `{`+token+`,"DeviceKey":"`+key+`","DeviceRememberedStatus":"remembered"}`)
	asked, _ := w.signIn(named)
	if asked.json["ChallengeName"] != "DEVICE_SRP_AUTH" {
		t.Fatalf("a device that is remembered: %s", asked.body)
	}
	// Who has the password and not the device's secret is stopped there.
	client := newSRPClient(t)
	next := w.answered(w.app, asked.json, `"DEVICE_KEY":"`+key+`","SRP_A":"`+client.public.Text(16)+`"`)
	if next.json["ChallengeName"] != "DEVICE_PASSWORD_VERIFIER" {
		t.Fatalf("its A: %s", next.body)
	}
	block := text(inner(next.json, "ChallengeParameters", "SECRET_BLOCK"))
	at := time.Now().UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	proof := `"DEVICE_KEY":"` + key + `","PASSWORD_CLAIM_SECRET_BLOCK":"` + block + `","TIMESTAMP":"` + at + `","PASSWORD_CLAIM_SIGNATURE":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"`
	if a := w.answered(w.app, next.json, proof); a.json["__type"] != "NotAuthorizedException" {
		t.Errorf("a made-up proof: %s", a.body)
	}
	asked, _ = w.signIn(named)
	if a := w.answered(w.app, asked.json, `"DEVICE_KEY":"eu-west-1_00000000-0000-4000-8000-000000000000","SRP_A":"`+client.public.Text(16)+`"`); a.json["__type"] != "ResourceNotFoundException" {
		t.Errorf("the A of another device: %s", a.body)
	}

	// The refresh token that the device was given is of no use without it, until it is forgotten.
	refresh := func(device string) string {
		t.Helper()
		return `{` + w.app + `,"AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":"` + text(inner(first.json, "AuthenticationResult", "RefreshToken")) + `"` + device + `}}`
	}
	w.no("InitiateAuth", refresh(""), "NotAuthorizedException", "Invalid Refresh Token")
	w.no("InitiateAuth", refresh(`,"DEVICE_KEY":"other_0"`), "NotAuthorizedException", "Invalid Refresh Token")
	renewed := w.ask("InitiateAuth", refresh(named))
	if _, claims := w.claims(inner(renewed, "AuthenticationResult", "AccessToken")); claims["device_key"] != key {
		t.Errorf("a refreshed token: %v", claims)
	}
	w.ask("AdminForgetDevice", `{`+w.user+`,"DeviceKey":"`+key+`"}`)
	w.ask("InitiateAuth", refresh(""))
	if a := w.ask("AdminListDevices", `{`+w.user+`}`); len(a["Devices"].([]any)) != 0 {
		t.Errorf("devices: %v", a)
	}
	if asked, _ := w.signIn(""); asked.json["ChallengeName"] != "EMAIL_OTP" {
		t.Errorf("without the device: %s", asked.body)
	}
}

// TestUserInfoFaults: each way in which userInfo refuses, in the form that Cognito has: the header
// without the scheme's name, and the same in the body.
func TestUserInfoFaults(t *testing.T) {
	c := newContract(t)
	ask := func(method string, header ...string) answer { return c.do(method, "/oauth2/userInfo", nil, header...) }
	refused := func(name string, a answer, status int, kind, description string) {
		t.Helper()
		want := `error="` + kind + `", error_description="` + description + `"`
		if a.status != status || a.json["error"] != kind || a.json["error_description"] != description || a.header.Get("WWW-Authenticate") != want {
			t.Errorf("%s: status %d, %s, WWW-Authenticate %s", name, a.status, a.body, a.header.Get("WWW-Authenticate"))
		}
	}
	const bad = "Bad OAuth2 request at UserInfo Endpoint"
	signedIn := func(scope string) (access, id string) {
		t.Helper()
		changes := map[string]string{"scope": scope}
		tokens := c.redeem("spa", c.code("spa", changes), nil).json
		return text(tokens["access_token"]), text(tokens["id_token"])
	}
	access, id := signedIn("openid email")
	for _, method := range []string{"GET", "POST"} {
		if a := ask(method, "Authorization", "bearer "+access); a.status != 200 || a.json["email"] != "carol@example.com" {
			t.Errorf("%s: status %d, %s", method, a.status, a.body)
		}
		refused(method+" without a token", ask(method), 400, "invalid_request", bad)
	}
	refused("another scheme", ask("GET", "Authorization", "Basic "+access), 400, "invalid_request", bad)
	refused("no scheme", ask("GET", "Authorization", access), 400, "invalid_request", bad)
	refused("no token behind the scheme", ask("GET", "Authorization", "Bearer "), 400, "invalid_request", bad)
	refused("an ID token", ask("GET", "Authorization", "Bearer "+id), 401, "invalid_token", "Access token is invalid")
	refused("a token that was changed", ask("GET", "Authorization", "Bearer "+access[:len(access)-6]+"AAAAAA"), 401, "invalid_token", "Access token is invalid")
	refused("a token of an API sign-in", ask("GET", "Authorization", "Bearer "+*c.tokens().AccessToken), 401, "invalid_token", "Access token does not contain openid scope")
	if a := ask("PUT", "Authorization", "Bearer "+access); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: status %d, Allow %s", a.status, a.header.Get("Allow"))
	}
	later, _ := signedIn("openid")
	c.pool.Advance(61 * time.Minute)
	refused("a token that has expired", ask("GET", "Authorization", "Bearer "+later), 401, "invalid_token", "Access token has expired")
	disabled, _ := signedIn("openid")
	c.ask("AdminDisableUser", `{"UserPoolId":"`+shop+`","Username":"carol"}`)
	refused("of somebody who is disabled", ask("GET", "Authorization", "Bearer "+disabled), 401, "invalid_token", "Access token has been revoked")
	c.ask("AdminDeleteUser", `{"UserPoolId":"`+shop+`","Username":"carol"}`)
	refused("of somebody who is gone", ask("GET", "Authorization", "Bearer "+disabled), 401, "invalid_token", "Access token has been revoked")
}
