package localpool_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// secretHash is what a client proves itself by.
func secretHash(username, clientID, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(username + clientID))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// initiate begins a sign-in by the API.
func (c *contract) initiate(flow types.AuthFlowType, client string, parameters map[string]string) (*cip.InitiateAuthOutput, error) {
	return c.sdk().InitiateAuth(c.Context(), &cip.InitiateAuthInput{AuthFlow: flow, ClientId: aws.String(client), AuthParameters: parameters})
}

func (c *contract) byPassword(client, username, password string) (*cip.InitiateAuthOutput, error) {
	return c.initiate(types.AuthFlowTypeUserPasswordAuth, client, map[string]string{"USERNAME": username, "PASSWORD": password})
}

func (c *contract) respond(client string, challenge types.ChallengeNameType, session *string, responses map[string]string) (*cip.RespondToAuthChallengeOutput, error) {
	return c.sdk().RespondToAuthChallenge(c.Context(), &cip.RespondToAuthChallengeInput{
		ClientId: aws.String(client), ChallengeName: challenge, Session: session, ChallengeResponses: responses,
	})
}

// tokens signs carol in at the client app.
func (c *contract) tokens() *types.AuthenticationResultType {
	c.Helper()
	out, err := c.byPassword("app", "carol", "Passw0rd!")
	c.ok(err)
	return out.AuthenticationResult
}

func TestAPI_PasswordTokens(t *testing.T) {
	c := newContract(t)
	r := c.tokens()
	if r.AccessToken == nil || r.IdToken == nil || r.RefreshToken == nil || r.ExpiresIn != 3600 || *r.TokenType != "Bearer" || r.NewDeviceMetadata != nil {
		t.Fatalf("result = %+v", r)
	}
	accessHeader, access := c.claims(*r.AccessToken)
	idHeader, id := c.claims(*r.IdToken)
	if accessHeader["kid"] == idHeader["kid"] {
		t.Error("both tokens are signed with one key")
	}
	if access["scope"] != "aws.cognito.signin.user.admin" || access["client_id"] != "app" || access["username"] != "carol" || access["token_use"] != "access" {
		t.Errorf("access token = %v", access)
	}
	for _, name := range []string{"version", "aud", "email"} {
		if access[name] != nil {
			t.Errorf("the access token has %s", name)
		}
	}
	if id["email"] != "carol@example.com" || id["email_verified"] != true || id["custom:team"] != "blue" || id["aud"] != "app" || id["cognito:username"] != "carol" {
		t.Errorf("ID token = %v", id)
	}
	for _, name := range []string{"at_hash", "nonce", "scope"} {
		if id[name] != nil {
			t.Errorf("the ID token has %s", name)
		}
	}
	if id["origin_jti"] != access["origin_jti"] || id["sub"] != access["sub"] || id["auth_time"] != access["auth_time"] {
		t.Errorf("the tokens disagree: %v, %v", id, access)
	}
	if a := c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+*r.AccessToken); a.status != 401 {
		t.Errorf("userInfo takes a token without openid: %d", a.status)
	}
}

func TestAPI_PasswordRefusals(t *testing.T) {
	c := newContract(t)
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "erin", Email: "erin@example.com", Password: "Passw0rd!", Status: "UNCONFIRMED"}))
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "fay", Email: "fay@example.com", Password: "Passw0rd!", Status: "RESET_REQUIRED"}))
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "gus", Email: "gus@example.com", Password: "Passw0rd!", Disabled: true}))
	right := secretHash("carol", "web", secretOne)
	for _, tt := range []struct {
		name, client  string
		flow          types.AuthFlowType
		parameters    map[string]string
		kind, message string // empty: granted
	}{
		{"wrong password", "app", "", map[string]string{"USERNAME": "carol", "PASSWORD": "wrong"}, "NotAuthorizedException", "Incorrect username or password."},
		{"nobody", "app", "", map[string]string{"USERNAME": "nobody", "PASSWORD": "wrong"}, "NotAuthorizedException", "Incorrect username or password."},
		{"nobody, said openly", "legacy", "", map[string]string{"USERNAME": "nobody", "PASSWORD": "wrong"}, "UserNotFoundException", "User does not exist."},
		{"no password", "app", "", map[string]string{"USERNAME": "carol"}, "InvalidParameterException", "Missing required parameter PASSWORD"},
		{"no name", "app", "", map[string]string{"PASSWORD": "x"}, "InvalidParameterException", "Missing required parameter USERNAME"},
		{"not confirmed", "app", "", map[string]string{"USERNAME": "erin", "PASSWORD": "Passw0rd!"}, "UserNotConfirmedException", "User is not confirmed."},
		{"not confirmed, wrong password", "app", "", map[string]string{"USERNAME": "erin", "PASSWORD": "x"}, "NotAuthorizedException", "Incorrect username or password."},
		{"to be reset", "app", "", map[string]string{"USERNAME": "fay", "PASSWORD": "Passw0rd!"}, "PasswordResetRequiredException", "Password reset required for the user"},
		{"disabled", "app", "", map[string]string{"USERNAME": "gus", "PASSWORD": "Passw0rd!"}, "NotAuthorizedException", "User is disabled."},
		{"unknown client", "nobody", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!"}, "ResourceNotFoundException", "User pool client nobody does not exist."},
		{"flow that is not enabled", "spa", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!"}, "InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"},
		{"flow for administrators", "app", types.AuthFlowTypeAdminUserPasswordAuth, map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!"}, "InvalidParameterException", "Initiate Auth method not supported."},
		{"flow nobody has", "app", "USER_HORSE_AUTH", nil, "InvalidParameterException", "Value 'USER_HORSE_AUTH' at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set"},
		{"no hash", "web", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!"}, "NotAuthorizedException", "Client web is configured with secret but SECRET_HASH was not received"},
		{"wrong hash", "web", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!", "SECRET_HASH": secretHash("carol", "web", secretThree)}, "NotAuthorizedException", "Unable to verify secret hash for client web"},
		{"hash over another name", "web", "", map[string]string{"USERNAME": "carol@example.com", "PASSWORD": "Passw0rd!", "SECRET_HASH": right}, "NotAuthorizedException", "Unable to verify secret hash for client web"},
		{"hash of a client without secret", "app", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!", "SECRET_HASH": right}, "NotAuthorizedException", "Unable to verify secret hash for client app"},
		{"hash", "web", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!", "SECRET_HASH": right}, "", ""},
		{"hash over the alias", "web", "", map[string]string{"USERNAME": "carol@example.com", "PASSWORD": "Passw0rd!", "SECRET_HASH": secretHash("carol@example.com", "web", secretOne)}, "", ""},
		{"hash of the second secret", "web", "", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!", "SECRET_HASH": secretHash("carol", "web", secretTwo)}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			if tt.flow == "" {
				tt.flow = types.AuthFlowTypeUserPasswordAuth
			}
			out, err := c.initiate(tt.flow, tt.client, tt.parameters)
			if tt.kind != "" {
				c.refused(err, tt.kind, tt.message)
				return
			}
			c.ok(err)
			if out.AuthenticationResult == nil {
				t.Errorf("answer = %+v", out)
			}
		})
	}
	t.Run("locked", func(t *testing.T) {
		c := c.in(t)
		for range 5 {
			_, err := c.byPassword("app", "dave", "wrong")
			c.refused(err, "NotAuthorizedException", "Incorrect username or password.")
		}
		_, err := c.byPassword("app", "dave", "Temp0rary!")
		c.refused(err, "NotAuthorizedException", "Password attempts exceeded")
	})
}

func TestAPI_AdminPassword(t *testing.T) {
	c := newContract(t)
	initiate := func(pool, client string, flow types.AuthFlowType) (*cip.AdminInitiateAuthOutput, error) {
		return c.sdk().AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
			UserPoolId: aws.String(pool), ClientId: aws.String(client), AuthFlow: flow, AuthParameters: map[string]string{"USERNAME": "dave", "PASSWORD": "Temp0rary!"},
		})
	}
	out, err := initiate(shop, "app", types.AuthFlowTypeAdminUserPasswordAuth)
	c.ok(err)
	if out.ChallengeName != types.ChallengeNameTypeNewPasswordRequired {
		t.Fatalf("answer = %+v", out)
	}
	answered, err := c.sdk().AdminRespondToAuthChallenge(t.Context(), &cip.AdminRespondToAuthChallengeInput{
		UserPoolId: aws.String(shop), ClientId: aws.String("app"), ChallengeName: out.ChallengeName, Session: out.Session,
		ChallengeResponses: map[string]string{"USERNAME": "dave", "NEW_PASSWORD": "N3w-password"},
	})
	c.ok(err)
	if answered.AuthenticationResult == nil {
		t.Errorf("answer = %+v", answered)
	}
	_, err = initiate(shop, "legacy", types.AuthFlowTypeAdminUserPasswordAuth)
	c.refused(err, "InvalidParameterException", "Auth flow not enabled for this client")
	_, err = initiate("local_Other1", "app", types.AuthFlowTypeAdminUserPasswordAuth)
	c.refused(err, "ResourceNotFoundException", "User pool client app does not exist.")
	_, err = initiate("local_Gone1", "app", types.AuthFlowTypeAdminUserPasswordAuth)
	c.refused(err, "ResourceNotFoundException", "User pool local_Gone1 does not exist.")
}

func TestAPI_NewPasswordRequired(t *testing.T) {
	c := newContract(t)
	begin := func(client string) *cip.InitiateAuthOutput {
		t.Helper()
		out, err := c.initiate(types.AuthFlowTypeUserPasswordAuth, client, map[string]string{"USERNAME": "dave", "PASSWORD": "Temp0rary!", "SECRET_HASH": map[string]string{"web": secretHash("dave", "web", secretOne)}[client]})
		c.ok(err)
		if out.AuthenticationResult != nil || out.ChallengeName != types.ChallengeNameTypeNewPasswordRequired || len(aws.ToString(out.Session)) < 20 {
			t.Fatalf("answer = %+v", out)
		}
		return out
	}
	out := begin("web")
	var shown map[string]string
	c.ok(json.Unmarshal([]byte(out.ChallengeParameters["userAttributes"]), &shown))
	if out.ChallengeParameters["USER_ID_FOR_SRP"] != "dave" || out.ChallengeParameters["requiredAttributes"] != "[]" || shown["email"] != "dave@example.com" || shown["sub"] != "" {
		t.Errorf("parameters = %v", out.ChallengeParameters)
	}
	answer := func(session *string, changes map[string]string) (*cip.RespondToAuthChallengeOutput, error) {
		p := map[string]string{"USERNAME": "dave", "NEW_PASSWORD": "N3w-password", "SECRET_HASH": secretHash("dave", "web", secretOne), "userAttributes.name": "Dave D."}
		maps.Copy(p, changes)
		maps.DeleteFunc(p, func(_, value string) bool { return value == "" })
		return c.respond("web", out.ChallengeName, session, p)
	}
	for _, tt := range []struct {
		name          string
		session       *string
		changes       map[string]string
		kind, message string
	}{
		{"no name", out.Session, map[string]string{"USERNAME": ""}, "InvalidParameterException", "Missing required parameter USERNAME"},
		{"no password", out.Session, map[string]string{"NEW_PASSWORD": ""}, "InvalidParameterException", "Missing required parameter NEW_PASSWORD"},
		{"weak password", out.Session, map[string]string{"NEW_PASSWORD": "password"}, "InvalidPasswordException", "uppercase"},
		{"another name", out.Session, map[string]string{"USERNAME": "carol"}, "CodeMismatchException", "Invalid code or auth state for the user."},
		{"no hash", out.Session, map[string]string{"SECRET_HASH": ""}, "NotAuthorizedException", "SECRET_HASH was not received"},
		{"hash over another name", out.Session, map[string]string{"SECRET_HASH": secretHash("dave@example.com", "web", secretOne)}, "NotAuthorizedException", "SecretHash does not match for the client: web"},
		{"what only a code can say", out.Session, map[string]string{"userAttributes.email_verified": "true"}, "InvalidParameterException", "Cannot modify the non-mutable attribute email_verified"},
		{"session nobody has", aws.String(strings.Repeat("x", 40)), nil, "NotAuthorizedException", "Invalid session for the user."},
		{"session of another client", begin("app").Session, nil, "NotAuthorizedException", "Invalid session for the user."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			_, err := answer(tt.session, tt.changes)
			c.refused(err, tt.kind, tt.message)
		})
	}
	late := begin("web")
	c.ahead.Add(int64(2 * time.Minute))
	out = begin("web")
	c.ahead.Add(int64(time.Minute))
	_, err := answer(late.Session, nil)
	c.refused(err, "NotAuthorizedException", "session is expired")

	// Of answers at the same time one is taken.
	var wait sync.WaitGroup
	granted := make(chan struct{}, 10)
	for range 10 {
		wait.Go(func() {
			if done, err := answer(out.Session, nil); err == nil && done.AuthenticationResult != nil {
				granted <- struct{}{}
			}
		})
	}
	wait.Wait()
	if len(granted) != 1 {
		t.Errorf("%d answers were taken", len(granted))
	}
	if u, a := c.get("dave"); u.UserStatus != types.UserStatusTypeConfirmed || a["name"] != "Dave D." || a["email_verified"] != "false" {
		t.Errorf("user = %+v, %v", u, a)
	}
	_, err = answer(out.Session, nil)
	c.refused(err, "NotAuthorizedException", "session can only be used once")
	done, err := c.byPassword("app", "dave", "N3w-password")
	c.ok(err)
	if done.AuthenticationResult == nil {
		t.Errorf("sign-in with the new password: %+v", done)
	}
	_, err = c.respond("app", types.ChallengeNameTypeAdminNoSrpAuth, out.Session, map[string]string{"USERNAME": "dave"})
	c.refused(err, "InvalidParameterException", "ADMIN_NO_SRP_AUTH")
}

func TestAPI_Refresh(t *testing.T) {
	c := newContract(t)
	first := c.tokens()
	_, before := c.claims(*first.AccessToken)
	refresh := func(client string, p map[string]string) (*cip.InitiateAuthOutput, error) {
		return c.initiate(types.AuthFlowTypeRefreshTokenAuth, client, p)
	}
	c.ahead.Add(int64(time.Minute))
	c.ok(c.pool.RemoveFromGroup(shop, "carol", "admins"))
	out, err := refresh("app", map[string]string{"REFRESH_TOKEN": *first.RefreshToken})
	c.ok(err)
	r := out.AuthenticationResult
	if r.RefreshToken != nil || r.IdToken == nil {
		t.Errorf("result = %+v", r)
	}
	_, after := c.claims(*r.AccessToken)
	if after["origin_jti"] != before["origin_jti"] || after["auth_time"] != before["auth_time"] || after["jti"] == before["jti"] || before["cognito:groups"] == nil || after["cognito:groups"] != nil {
		t.Errorf("claims were %v, are %v", before, after)
	}
	// By the token endpoint too, and with what the API issues.
	a := c.do("POST", "/oauth2/token", map[string][]string{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {*first.RefreshToken}})
	if a.status != 200 || a.json["id_token"] == nil {
		t.Errorf("refresh at the token endpoint: %s", a.body)
	}

	out, err = c.initiate(types.AuthFlowTypeUserPasswordAuth, "web", map[string]string{"USERNAME": "carol@example.com", "PASSWORD": "Passw0rd!", "SECRET_HASH": secretHash("carol@example.com", "web", secretOne)})
	c.ok(err)
	confidential := *out.AuthenticationResult.RefreshToken
	_, err = refresh("web", map[string]string{"REFRESH_TOKEN": confidential, "SECRET_HASH": secretHash("carol", "web", secretOne)})
	c.ok(err)
	for _, tt := range []struct {
		name, client  string
		parameters    map[string]string
		kind, message string
	}{
		{"hash over the alias", "web", map[string]string{"REFRESH_TOKEN": confidential, "SECRET_HASH": secretHash("carol@example.com", "web", secretOne)}, "NotAuthorizedException", "SecretHash does not match for the client: web"},
		{"no hash", "web", map[string]string{"REFRESH_TOKEN": confidential}, "NotAuthorizedException", "SECRET_HASH was not received"},
		{"another client", "legacy", map[string]string{"REFRESH_TOKEN": *first.RefreshToken}, "NotAuthorizedException", "Invalid Refresh Token"},
		{"no token", "app", nil, "InvalidParameterException", "Missing required parameter REFRESH_TOKEN"},
		{"an access token", "app", map[string]string{"REFRESH_TOKEN": *first.AccessToken}, "NotAuthorizedException", "Invalid Refresh Token"},
		{"client that rotates", "rotating", map[string]string{"REFRESH_TOKEN": *first.RefreshToken}, "InvalidParameterException", "Auth flow not enabled for this client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			_, err := refresh(tt.client, tt.parameters)
			c.refused(err, tt.kind, tt.message)
		})
	}
	c.ok(c.pool.DisableUser(shop, "carol"))
	_, err = refresh("app", map[string]string{"REFRESH_TOKEN": *first.RefreshToken})
	c.refused(err, "NotAuthorizedException", "Refresh Token has been revoked")
	c.ok(c.pool.EnableUser(shop, "carol"))
	_, err = refresh("app", map[string]string{"REFRESH_TOKEN": *first.RefreshToken})
	c.refused(err, "NotAuthorizedException", "Refresh Token has been revoked")
	second := c.tokens()
	c.ahead.Add(int64(31 * 24 * time.Hour))
	_, err = refresh("app", map[string]string{"REFRESH_TOKEN": *second.RefreshToken})
	c.refused(err, "NotAuthorizedException", "Refresh Token has expired")
}

func TestAPI_GetTokensFromRefreshToken(t *testing.T) {
	c := newContract(t)
	get := func(client, token, secret string) (*types.AuthenticationResultType, error) {
		in := &cip.GetTokensFromRefreshTokenInput{ClientId: aws.String(client), RefreshToken: aws.String(token)}
		if secret != "" {
			in.ClientSecret = aws.String(secret)
		}
		out, err := c.sdk().GetTokensFromRefreshToken(t.Context(), in)
		if err != nil {
			return nil, err
		}
		return out.AuthenticationResult, nil
	}
	first, ok := c.redeem("rotating", c.code("rotating", nil), nil).json["refresh_token"].(string)
	if !ok {
		t.Fatal("no refresh token")
	}
	r, err := get("rotating", first, "")
	c.ok(err)
	if aws.ToString(r.RefreshToken) == "" || *r.RefreshToken == first {
		t.Errorf("result = %+v", r)
	}
	_, err = get("rotating", first, "") // within the grace
	c.ok(err)
	c.ahead.Add(int64(11 * time.Second))
	_, err = get("rotating", first, "")
	c.refused(err, "RefreshTokenReuseException", "")
	_, err = get("rotating", *r.RefreshToken, "")
	c.ok(err)

	out, err := c.initiate(types.AuthFlowTypeUserPasswordAuth, "web", map[string]string{"USERNAME": "carol", "PASSWORD": "Passw0rd!", "SECRET_HASH": secretHash("carol", "web", secretOne)})
	c.ok(err)
	kept := *out.AuthenticationResult.RefreshToken
	r, err = get("web", kept, secretTwo)
	c.ok(err)
	if r.RefreshToken != nil {
		t.Error("a client that does not rotate has another refresh token")
	}
	_, err = get("web", kept, secretThree)
	c.refused(err, "NotAuthorizedException", "Client secret does not match")
	_, err = get("web", kept, "")
	c.refused(err, "NotAuthorizedException", "Client secret does not match")
	_, err = get("nobody", kept, "")
	c.refused(err, "ResourceNotFoundException", "")
}

func TestAPI_RevokeToken(t *testing.T) {
	c := newContract(t)
	revoke := func(client, token, secret string) error {
		in := &cip.RevokeTokenInput{ClientId: aws.String(client), Token: aws.String(token)}
		if secret != "" {
			in.ClientSecret = aws.String(secret)
		}
		_, err := c.sdk().RevokeToken(t.Context(), in)
		return err
	}
	r, other := c.tokens(), c.tokens()
	c.refused(revoke("legacy", *r.RefreshToken, ""), "UnauthorizedException", "")
	c.refused(revoke("web", *r.RefreshToken, secretThree), "UnauthorizedException", "")
	c.refused(revoke("nobody", *r.RefreshToken, ""), "UnauthorizedException", "")
	c.refused(revoke("app", *r.AccessToken, ""), "UnsupportedTokenTypeException", "")
	c.refused(revoke("kept", *r.RefreshToken, ""), "UnsupportedOperationException", "")
	c.ok(revoke("app", "x", ""))
	for range 2 { // again is not an error
		c.ok(revoke("app", *r.RefreshToken, ""))
	}
	_, err := c.initiate(types.AuthFlowTypeRefreshTokenAuth, "app", map[string]string{"REFRESH_TOKEN": *r.RefreshToken})
	c.refused(err, "NotAuthorizedException", "Refresh Token has been revoked")
	_, err = c.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: r.AccessToken})
	c.refused(err, "NotAuthorizedException", "Access Token has been revoked")
	_, err = c.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: other.AccessToken})
	c.ok(err)
}
