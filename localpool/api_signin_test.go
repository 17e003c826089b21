package localpool_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// answered answers a challenge.
func (c *contract) answered(app string, asked map[string]any, responses string) answer {
	c.Helper()
	return c.call("RespondToAuthChallenge", `{`+app+`,"ChallengeName":"`+text(asked["ChallengeName"])+`","Session":"`+text(asked["Session"])+`","ChallengeResponses":{"USERNAME":"erin",`+responses+`}}`)
}

func (c *contract) auth(app, parameters string) map[string]any {
	c.Helper()
	return c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"erin"`+parameters+`}}`)
}

const erin = `"Username":"erin","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"erin@example.com"},{"Name":"phone_number","Value":"+4412345678"}]`

// TestAPI_Choice: sign-in by what the user prefers, or chooses.
func TestAPI_Choice(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP","SMS_OTP","WEB_AUTHN"]}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH"],"PreventUserExistenceErrors":"ENABLED"`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)

	menu := c.auth(app, "")
	if menu["ChallengeName"] != "SELECT_CHALLENGE" || !has(menu["AvailableChallenges"], parsed(t, `["PASSWORD_SRP","PASSWORD","EMAIL_OTP","SMS_OTP"]`)) {
		t.Errorf("menu = %v", menu)
	}
	if session := text(menu["Session"]); len(session) != 132 { // as docs/local-pool.md says
		t.Errorf("a session of %d characters", len(session))
	}
	chosen := c.answered(app, menu, `"ANSWER":"EMAIL_OTP"`).json
	if chosen["ChallengeName"] != "EMAIL_OTP" || inner(chosen, "ChallengeParameters", "CODE_DELIVERY_DESTINATION") != "e***@e***" || inner(chosen, "ChallengeParameters", "USER_ID_FOR_SRP") != nil {
		t.Errorf("chosen = %v", chosen)
	}
	code, _ := c.pool.LastCode("erin@example.com")
	if len(code) != 8 {
		t.Errorf("code %q, want eight digits", code)
	}
	if a := c.answered(app, chosen, `"EMAIL_OTP_CODE":"00000000"`); a.json["__type"] != "CodeMismatchException" {
		t.Errorf("a wrong code: %s", a.body)
	}
	if a := c.answered(app, chosen, `"EMAIL_OTP_CODE":"`+code+`"`); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("a right code: %s", a.body)
	}
	if got := c.ask("AdminGetUser", `{`+pool+`,"Username":"erin"}`); !strings.Contains(strings.Join(values(got["UserAttributes"]), " "), "true") {
		t.Errorf("the address is not verified: %v", got)
	}
	if a := c.auth(app, `,"PREFERRED_CHALLENGE":"PASSWORD","PASSWORD":"Passw0rd!"`); inner(a, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("a password at once: %v", a)
	}
	if a := c.answered(app, c.auth(app, ""), `"ANSWER":"PASSWORD","PASSWORD":"Passw0rd!"`); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("a password that was chosen: %s", a.body)
	}
	sms := c.auth(app, `,"PREFERRED_CHALLENGE":"SMS_OTP"`)
	if sms["ChallengeName"] != "SMS_OTP" || sms["AvailableChallenges"] == nil || inner(sms, "ChallengeParameters", "CODE_DELIVERY_DELIVERY_MEDIUM") != "SMS" {
		t.Errorf("preferred = %v", sms)
	}
	nobody := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"nobody","PREFERRED_CHALLENGE":"EMAIL_OTP"}}`)
	if nobody["ChallengeName"] != "EMAIL_OTP" || nobody["Session"] == nil {
		t.Errorf("nobody = %v", nobody)
	}
	c.no("RespondToAuthChallenge", `{`+app+`,"ChallengeName":"EMAIL_OTP","Session":"`+text(nobody["Session"])+`","ChallengeResponses":{"USERNAME":"nobody","EMAIL_OTP_CODE":"12345678"}}`, "CodeMismatchException", "")
	other := c.app(pool, "")
	c.no("InitiateAuth", `{`+other+`,"AuthFlow":"USER_AUTH","AuthParameters":{"USERNAME":"erin"}}`, "InvalidParameterException", "USER_AUTH is not enabled")
}

// TestAPI_SecondFactors: codes by e-mail and SMS after the password.
func TestAPI_SecondFactors(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	sms := `"SmsMfaConfiguration":{"SmsAuthenticationMessage":"Code {####}","SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::123456789012:role/sms"}}`
	set := `"MfaConfiguration":"OPTIONAL",` + sms + `,"EmailMfaConfiguration":{"Message":"Code {####}","Subject":"Code"},"SoftwareTokenMfaConfiguration":{"Enabled":true},"WebAuthnConfiguration":{"RelyingPartyId":"example.com"}`
	c.ask("SetUserPoolMfaConfig", `{`+pool+`,`+set+`}`)
	if got := c.ask("GetUserPoolMfaConfig", `{`+pool+`}`); !has(got, parsed(t, `{`+set+`}`)) || inner(got, "WebAuthnConfiguration", "UserVerification") != "preferred" {
		t.Errorf("MFA = %v", got)
	}
	if got := c.ask("DescribeUserPool", `{`+pool+`}`); inner(got, "UserPool", "SmsConfiguration", "SnsCallerArn") == nil || inner(got, "UserPool", "MfaConfiguration") != "OPTIONAL" {
		t.Errorf("pool = %v", got)
	}
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	user := pool + `,"Username":"erin"`
	c.ask("AdminSetUserMFAPreference", `{`+user+`,"EmailMfaSettings":{"Enabled":true},"SMSMfaSettings":{"Enabled":true}}`)
	password := `{` + app + `,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`
	asked := c.ask("InitiateAuth", password)
	if asked["ChallengeName"] != "SELECT_MFA_TYPE" || inner(asked, "ChallengeParameters", "MFAS_CAN_CHOOSE") != `["SMS_MFA","EMAIL_OTP"]` {
		t.Errorf("asked = %v", asked)
	}
	code := c.answered(app, asked, `"ANSWER":"EMAIL_OTP"`).json
	if inner(code, "ChallengeParameters", "USER_ID_FOR_SRP") != "erin" {
		t.Errorf("code = %v", code)
	}
	digits, _ := c.pool.LastCode("erin@example.com")
	if a := c.answered(app, code, `"EMAIL_OTP_CODE":"`+digits+`"`); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("code: %s", a.body)
	}
	c.ask("AdminSetUserMFAPreference", `{`+user+`,"SMSMfaSettings":{"Enabled":true,"PreferredMfa":true}}`)
	if asked := c.ask("InitiateAuth", password); asked["ChallengeName"] != "SMS_MFA" {
		t.Errorf("preferred = %v", asked)
	}
	if got := c.ask("AdminGetUserAuthFactors", `{`+user+`}`); got["PreferredMfaSetting"] != "SMS_MFA" || !has(got["ConfiguredUserAuthFactors"], parsed(t, `["PASSWORD"]`)) {
		t.Errorf("factors = %v", got)
	}
	c.no("AdminSetUserMFAPreference", `{`+pool+`,"Username":"nobody"}`, "UserNotFoundException", "")
	c.no("AdminDeleteSoftwareToken", `{`+user+`}`, "ResourceNotFoundException", "")
	c.no("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"ON"}`, "InvalidParameterException", "At least one of [SmsMfaConfiguration] or [SoftwareTokenMfaConfiguration] must be provided.")
	c.no("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{"Enabled":false}}`, "InvalidParameterException", "can't turn on MFA")
}

// key is an authenticator: what it answers is made by the rules of WebAuthn.
type key struct {
	private *ecdsa.PrivateKey
	id      []byte
	count   uint32
}

var b64url = base64.RawURLEncoding

func (k *key) data(rp string, flags byte) []byte {
	sum := sha256.Sum256([]byte(rp))
	k.count++
	return binary.BigEndian.AppendUint32(append(sum[:], flags), k.count)
}

func clientJSON(kind, challenge, origin string) string {
	b, _ := json.Marshal(map[string]string{"type": kind, "challenge": challenge, "origin": origin})
	return string(b)
}

// made registers: CBOR of {fmt: none, attStmt: {}, authData: …}.
func (k *key) made(t *testing.T, challenge, rp, origin string) string {
	t.Helper()
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := k.data(rp, 0x45)
	data = append(data, make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.id)))
	data = append(data, k.id...)
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	data = append(data, point[1:33]...)
	data = append(append(data, 0x22, 0x58, 0x20), point[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	object = append(object, data...)
	b, _ := json.Marshal(map[string]any{"id": b64url.EncodeToString(k.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64url.EncodeToString([]byte(clientJSON("webauthn.create", challenge, origin))), "attestationObject": b64url.EncodeToString(object), "transports": []string{"internal"},
	}})
	return string(b)
}

// What an authenticator says of the person.
const (
	present  = 0x01
	verified = 0x04
)

func (k *key) signed(t *testing.T, challenge, rp, origin string) string {
	t.Helper()
	return k.signedOf(t, present|verified, challenge, rp, origin)
}

func (k *key) signedOf(t *testing.T, person byte, challenge, rp, origin string) string {
	t.Helper()
	data, client := k.data(rp, person), clientJSON("webauthn.get", challenge, origin)
	of := sha256.Sum256([]byte(client))
	sum := sha256.Sum256(append(append([]byte{}, data...), of[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(map[string]any{"id": b64url.EncodeToString(k.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64url.EncodeToString([]byte(client)), "authenticatorData": b64url.EncodeToString(data), "signature": b64url.EncodeToString(signature),
	}})
	return string(b)
}

// TestS420_Passkeys: a passkey that was registered signs in, and nothing that is like one.
func TestS420_Passkeys(t *testing.T) {
	c := newContract(t)
	pool := c.made(`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","WEB_AUTHN"]}}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH","ALLOW_USER_PASSWORD_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	in := c.auth(app, `,"PREFERRED_CHALLENGE":"PASSWORD","PASSWORD":"Passw0rd!"`)
	token := `"AccessToken":"` + text(inner(in, "AuthenticationResult", "AccessToken")) + `"`
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	k := &key{private: private, id: []byte("credential-of-erin")}
	const origin = "http://localhost:8080"

	begin := func() string {
		return text(inner(c.ask("StartWebAuthnRegistration", `{`+token+`}`), "CredentialCreationOptions", "challenge"))
	}
	complete := func(credential string) answer {
		return c.call("CompleteWebAuthnRegistration", `{`+token+`,"Credential":`+credential+`}`)
	}
	for _, tt := range []struct{ what, credential, kind string }{
		{"another challenge", k.made(t, b64url.EncodeToString([]byte("x")), "localhost", origin), "WebAuthnChallengeNotFoundException"},
		{"another relying party", k.made(t, begin(), "example.com", origin), "WebAuthnRelyingPartyMismatchException"},
		{"another origin", k.made(t, begin(), "localhost", "https://evil.example.com"), "WebAuthnOriginNotAllowedException"},
	} {
		if a := complete(tt.credential); a.json["__type"] != tt.kind {
			t.Errorf("%s: %s", tt.what, a.body)
		}
	}
	if a := complete(k.made(t, begin(), "localhost", origin)); a.status != 200 {
		t.Fatalf("registration: %s", a.body)
	}
	listed := c.ask("ListWebAuthnCredentials", `{`+token+`}`)
	if !has(listed, parsed(t, `{"Credentials":[{"CredentialId":"`+b64url.EncodeToString(k.id)+`","RelyingPartyId":"localhost","AuthenticatorTransports":["internal"]}]}`)) {
		t.Errorf("passkeys = %v", listed)
	}

	asked := func() (map[string]any, string) {
		a := c.auth(app, `,"PREFERRED_CHALLENGE":"WEB_AUTHN"`)
		options, _ := parsed(t, text(inner(a, "ChallengeParameters", "CREDENTIAL_REQUEST_OPTIONS"))).(map[string]any)
		return a, text(options["challenge"])
	}
	sign := func(a map[string]any, credential string) answer {
		quoted, _ := json.Marshal(credential)
		return c.answered(app, a, `"CREDENTIAL":`+string(quoted))
	}
	a, challenge := asked()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.ok(err)
	for what, credential := range map[string]string{
		"another key":       (&key{private: other, id: k.id, count: 50}).signed(t, challenge, "localhost", origin),
		"another origin":    (&key{private: private, id: k.id, count: 50}).signed(t, challenge, "localhost", "https://evil.example.com"),
		"another challenge": (&key{private: private, id: k.id, count: 50}).signed(t, b64url.EncodeToString([]byte("x")), "localhost", origin),
		"a count of before": (&key{private: private, id: k.id}).signed(t, challenge, "localhost", origin),
	} {
		if got := sign(a, credential); got.json["__type"] != "NotAuthorizedException" {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	if got := sign(a, k.signed(t, challenge, "localhost", origin)); inner(got.json, "AuthenticationResult", "AccessToken") == nil {
		t.Errorf("sign-in: %s", got.body)
	}
	c.ask("DeleteWebAuthnCredential", `{`+token+`,"CredentialId":"`+b64url.EncodeToString(k.id)+`"}`)
}

// TestS420_PasskeyAsBothFactors: where a passkey spares the second factor, the authenticator
// must have verified the person, whatever the pool says of verification.
func TestS420_PasskeyAsBothFactors(t *testing.T) {
	for _, verification := range []string{"", "preferred", "required"} {
		t.Run("verification "+verification, func(t *testing.T) {
			c := newContract(t)
			pool := c.made(`,"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","WEB_AUTHN"]}}`)
			app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_AUTH"]`)
			c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
			c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
			const password = `,"PREFERRED_CHALLENGE":"PASSWORD","PASSWORD":"Passw0rd!"`
			token := `"AccessToken":"` + text(inner(c.auth(app, password), "AuthenticationResult", "AccessToken")) + `"`
			settings := `"RelyingPartyId":"localhost","FactorConfiguration":"MULTI_FACTOR_WITH_USER_VERIFICATION"`
			if verification != "" {
				settings += `,"UserVerification":"` + verification + `"`
			}
			c.ask("SetUserPoolMfaConfig", `{`+pool+`,"MfaConfiguration":"OPTIONAL","SoftwareTokenMfaConfiguration":{"Enabled":true},"WebAuthnConfiguration":{`+settings+`}}`)
			private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			c.ok(err)
			k := &key{private: private, id: []byte("credential-of-erin")}
			const origin = "http://localhost:8080"
			begun := text(inner(c.ask("StartWebAuthnRegistration", `{`+token+`}`), "CredentialCreationOptions", "challenge"))
			c.ask("CompleteWebAuthnRegistration", `{`+token+`,"Credential":`+k.made(t, begun, "localhost", origin)+`}`)
			id := text(parsed(t, `{`+pool+`}`).(map[string]any)["UserPoolId"])
			c.ok(c.pool.AddAuthenticator(id, "erin", true))
			if a := c.auth(app, password); a["ChallengeName"] != "SOFTWARE_TOKEN_MFA" {
				t.Errorf("a password: %v", a)
			}
			by := func(person byte) (answer, any) {
				a := c.auth(app, `,"PREFERRED_CHALLENGE":"WEB_AUTHN"`)
				options, _ := parsed(t, text(inner(a, "ChallengeParameters", "CREDENTIAL_REQUEST_OPTIONS"))).(map[string]any)
				quoted, _ := json.Marshal(k.signedOf(t, person, text(options["challenge"]), "localhost", origin))
				return c.answered(app, a, `"CREDENTIAL":`+string(quoted)), options["userVerification"]
			}
			if got, asked := by(present); got.json["__type"] != "NotAuthorizedException" || asked != "required" {
				t.Errorf("somebody was there: %s; the browser is asked for %v", got.body, asked)
			}
			if got, _ := by(present | verified); inner(got.json, "AuthenticationResult", "AccessToken") == nil {
				t.Errorf("a person who was verified: %s", got.body)
			}
		})
	}
}

// TestAPI_UserSessions: sessions are counted where the pool has it so.
func TestAPI_UserSessions(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`)
	if got := c.ask("GetUserPoolSessionConfiguration", `{`+pool+`}`); !has(got, parsed(t, `{"UserSessionTracking":"DISABLED","TokenSession":{"MaxPerUser":20}}`)) {
		t.Errorf("sessions = %v", got)
	}
	c.no("SetUserPoolClientSessionConfiguration", `{`+pool+`,`+app+`,"SSOSession":{"MaxValidityMinutes":5}}`, "InvalidParameterException", "tracking")
	c.ask("SetUserPoolSessionConfiguration", `{`+pool+`,"UserSessionTracking":"ENABLED","TokenSession":{"MaxPerUser":2}}`)
	c.ask("SetUserPoolClientSessionConfiguration", `{`+pool+`,`+app+`,"SSOSession":{"MaxValidityMinutes":5}}`)
	if got := c.ask("GetUserPoolClientSessionConfiguration", `{`+pool+`,`+app+`}`); !has(got, parsed(t, `{`+app+`,"SSOSession":{"MaxValidityMinutes":5}}`)) {
		t.Errorf("client's sessions = %v", got)
	}
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	in := func() (access, refresh string) {
		c.ahead.Add(int64(time.Second))
		a := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`)
		return `"AccessToken":"` + text(inner(a, "AuthenticationResult", "AccessToken")) + `"`, text(inner(a, "AuthenticationResult", "RefreshToken"))
	}
	first, _ := in()
	second, refresh := in()
	third, _ := in() // the first one ends
	c.no("GetUser", `{`+first+`}`, "NotAuthorizedException", "revoked")
	user := pool + `,"Username":"erin"`
	list, _ := c.ask("AdminListUserSessions", `{`+user+`}`)["Sessions"].([]any)
	own, _ := c.ask("ListUserSessions", `{`+third+`}`)["Sessions"].([]any)
	if len(list) != 2 || len(own) != 2 {
		t.Fatalf("sessions = %v, %v", list, own)
	}
	var current, other string
	for _, s := range own {
		session, _ := s.(map[string]any)
		id := text(session["SessionId"])
		if len(id) != 28 || !strings.HasPrefix(id, "tkn") || session["SessionType"] != "TOKEN" || session["DeviceType"] == "unknown" {
			t.Errorf("session = %v", session)
		}
		if session["IsCurrentSession"] == true {
			current = id
		} else {
			other = id
		}
	}
	c.no("RevokeUserSession", `{`+third+`,"SessionId":"`+current+`"}`, "InvalidParameterException", "current session")
	c.ask("RevokeUserSession", `{`+third+`,"SessionId":"`+other+`"}`)
	c.no("GetUser", `{`+second+`}`, "NotAuthorizedException", "revoked")
	c.no("InitiateAuth", `{`+app+`,"AuthFlow":"REFRESH_TOKEN_AUTH","AuthParameters":{"REFRESH_TOKEN":"`+refresh+`"}}`, "NotAuthorizedException", "")
	c.ask("AdminRevokeUserSession", `{`+user+`,"SessionId":"`+current+`"}`)
	c.no("AdminRevokeUserSession", `{`+user+`,"SessionId":"`+current+`"}`, "ResourceNotFoundException", "")
}

// TestAPI_TokensOfClients: tokens without a domain, and tokens for tokens.
func TestAPI_TokensOfClients(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	c.ask("CreateResourceServer", `{`+pool+`,"Identifier":"orders","Name":"Orders","Scopes":[{"ScopeName":"read","ScopeDescription":"r"},{"ScopeName":"write","ScopeDescription":"w"}]}`)
	machine := c.app(pool, `,"ClientSecret":"machine1secret2of3letters4","ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH"],"AllowedOAuthScopes":["orders/read","orders/write"]`)
	got := c.ask("GetClientToken", `{`+machine+`,"Secret":"machine1secret2of3letters4","Scopes":["orders/read"]}`)
	if _, claims := c.claims(text(inner(got, "ClientAuthenticationResult", "AccessToken"))); claims["scope"] != "orders/read" || claims["username"] != nil {
		t.Errorf("claims = %v", claims)
	}
	all := c.ask("GetClientToken", `{`+machine+`,"Secret":"machine1secret2of3letters4"}`)
	if _, claims := c.claims(text(inner(all, "ClientAuthenticationResult", "AccessToken"))); claims["scope"] != "orders/read orders/write" {
		t.Errorf("claims = %v", claims)
	}
	c.no("GetClientToken", `{`+machine+`,"Secret":"another1secret2of3letters4"}`, "NotAuthorizedException", "")

	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	exchange := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_TOKEN_EXCHANGE_DELEGATION","ALLOW_USER_PASSWORD_AUTH"]`)
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	in := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`)
	token := text(inner(in, "AuthenticationResult", "AccessToken"))
	c.no("GetDerivedToken", `{`+exchange+`,"SubjectToken":"`+token+`","SubjectTokenType":"ACCESS_TOKEN"}`, "NotAuthorizedException", "TOKEN_EXCHANGE_IMPERSONATION")
	derived := c.ask("GetDerivedToken", `{`+exchange+`,"SubjectToken":"`+token+`","SubjectTokenType":"ACCESS_TOKEN","ActorToken":"`+token+`","ActorTokenType":"ACCESS_TOKEN","Audiences":["https://orders.example.com"]}`)
	_, claims := c.claims(text(derived["IssuedToken"]))
	if claims["aud"] != "https://orders.example.com" || inner(claims, "act", "client_id") == nil || claims["username"] != "erin" || derived["TokenType"] != "Bearer" || derived["RefreshToken"] != nil {
		t.Errorf("derived = %v, %v", derived, claims)
	}
	// Of a client with a secret, a signature counts in its place.
	secret := c.app(pool, `,"GenerateSecret":true,"ExplicitAuthFlows":["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"]`)
	const signed = "AWS4-HMAC-SHA256 Credential=local/20261130/eu-west-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=0"
	asked := `{` + secret + `,"SubjectToken":"` + token + `","SubjectTokenType":"ACCESS_TOKEN"`
	c.no("GetDerivedToken", asked+`}`, "NotAuthorizedException", "Client secret does not match")
	if a := c.call("GetDerivedToken", asked+`}`, "Authorization", signed); a.status != 200 || a.json["IssuedToken"] == nil {
		t.Errorf("with credentials: %d %s", a.status, a.body)
	}
	if a := c.call("GetDerivedToken", asked+`,"ClientSecret":"another1secret2of3letters4"}`, "Authorization", signed); a.status != 400 {
		t.Errorf("with credentials and another secret: %d %s", a.status, a.body)
	}
	c.no("GetDerivedToken", `{`+exchange+`,"SubjectToken":"a.b.c","SubjectTokenType":"ACCESS_TOKEN","ActorToken":"`+token+`","ActorTokenType":"ACCESS_TOKEN"}`, "NotAuthorizedException", "")
}

// TestAPI_WritesPause: while a recovery is looked at nothing is changed.
func TestAPI_WritesPause(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	c.ask("AdminCreateUser", `{`+pool+`,`+erin+`}`)
	c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"erin","Password":"Passw0rd!","Permanent":true}`)
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	c.ahead.Add(int64(time.Hour))
	in := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`)
	token := `"AccessToken":"` + text(inner(in, "AuthenticationResult", "AccessToken")) + `"`
	at, _ := json.Marshal(time.Now().Add(30 * time.Minute).Unix())
	r := c.ask("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`)
	id := `"RestoreId":"` + text(inner(r, "Restoration", "RestoreId")) + `"`
	if inner(r, "Restoration", "RestoreStatus") != "PREVIEW_GENERATED" {
		t.Errorf("recovery = %v", r)
	}
	c.no("AdminDisableUser", `{`+pool+`,"Username":"erin"}`, "OperationNotEnabledException", "")
	c.no("AddCustomAttributes", `{`+pool+`,"CustomAttributes":[{"Name":"x","AttributeDataType":"String"}]}`, "OperationNotEnabledException", "")
	c.no("GetUserAttributeVerificationCode", `{`+token+`,"AttributeName":"email"}`, "OperationNotEnabledException", "")
	const device = `"DeviceKey":"eu-west-1_00000000-0000-4000-8000-000000000000"`
	c.no("AdminForgetDevice", `{`+pool+`,"Username":"erin",`+device+`}`, "OperationNotEnabledException", "")
	c.no("ForgetDevice", `{`+token+`,`+device+`}`, "OperationNotEnabledException", "")
	c.no("UpdateDeviceStatus", `{`+token+`,`+device+`,"DeviceRememberedStatus":"remembered"}`, "OperationNotEnabledException", "")
	c.ask("AdminGetUser", `{`+pool+`,"Username":"erin"}`)
	c.no("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`, "LimitExceededException", "")
	c.ask("CancelPointInTimeRecovery", `{`+pool+`,`+id+`}`)
	c.ask("AdminDisableUser", `{`+pool+`,"Username":"erin"}`)
	c.no("StartPointInTimeRecovery", `{`+pool+`,`+id+`}`, "InvalidParameterException", "PREVIEW_CANCELLED")
	if got := c.ask("DescribePointInTimeRecovery", `{`+pool+`,`+id+`}`); inner(got, "Restoration", "RestoreStatus") != "PREVIEW_CANCELLED" {
		t.Errorf("recovery = %v", got)
	}
}
