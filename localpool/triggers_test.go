package localpool_test

import (
	"context"
	"errors"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// trigger sets a function at a trigger of the shop, in an event version.
func (c *contract) trigger(name, version string, f localpool.TriggerFunc) {
	c.Helper()
	c.ok(c.pool.SetTrigger(shop, name, localpool.Trigger{Func: f, Version: version}))
}

// watched has every trigger note why it was called.
func (c *contract) watched() (sources func() []string) {
	var mu sync.Mutex
	var seen []string
	for _, name := range []string{localpool.PreSignUp, localpool.PostConfirmation, localpool.PreAuthentication, localpool.PostAuthentication, localpool.PreTokenGeneration} {
		c.trigger(name, "V3_0", func(_ context.Context, event map[string]any) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, event["triggerSource"].(string))
			return nil
		})
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := seen
		seen = nil
		return out
	}
}

func refusing(text string) localpool.TriggerFunc {
	return func(context.Context, map[string]any) error { return errors.New(text) }
}

// responding answers every event alike.
func responding(response map[string]any) localpool.TriggerFunc {
	return func(_ context.Context, event map[string]any) error {
		event["response"] = response
		return nil
	}
}

func (c *contract) signUp(username string) (*cip.SignUpOutput, error) {
	return c.sdk().SignUp(c.Context(), &cip.SignUpInput{
		ClientId: aws.String("app"), Username: aws.String(username), Password: aws.String("Passw0rd!"),
		UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String(username + "@example.com")}},
		ValidationData: []types.AttributeType{{Name: aws.String("invitation"), Value: aws.String("i1")}},
		ClientMetadata: map[string]string{"from": "test"},
	})
}

func TestTriggers_SignUp(t *testing.T) {
	c := newContract(t)
	sdk := c.sdk()

	c.trigger(localpool.PreSignUp, "", refusing("Only by invitation"))
	_, err := c.signUp("erin")
	c.refused(err, "UserLambdaValidationException", "PreSignUp failed with error Only by invitation.")
	_, err = sdk.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(shop), Username: aws.String("erin")})
	c.refused(err, "UserLambdaValidationException", "PreSignUp failed with error Only by invitation.")
	_, err = sdk.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("erin")})
	c.refused(err, "UserNotFoundException", "")

	c.trigger(localpool.PreSignUp, "", responding(map[string]any{"autoConfirmUser": "yes"}))
	_, err = c.signUp("erin")
	c.refused(err, "InvalidLambdaResponseException", "Unrecognizable lambda output")
	c.trigger(localpool.PreSignUp, "", responding(map[string]any{"autoVerifyPhone": true}))
	_, err = c.signUp("erin")
	c.refused(err, "InvalidLambdaResponseException", "phone_number")

	events := make(chan map[string]any, 1)
	confirmed := make(chan string, 2)
	c.trigger(localpool.PreSignUp, "", func(_ context.Context, e map[string]any) error {
		events <- maps.Clone(e)
		e["response"] = map[string]any{"autoConfirmUser": true, "autoVerifyEmail": true}
		return nil
	})
	c.trigger(localpool.PostConfirmation, "", func(_ context.Context, e map[string]any) error {
		confirmed <- e["triggerSource"].(string) + " " + e["request"].(map[string]any)["userAttributes"].(map[string]any)["sub"].(string)
		return nil
	})
	out, err := c.signUp("erin")
	c.ok(err)
	event := <-events
	request, _ := event["request"].(map[string]any)
	if got, _ := request["validationData"].(map[string]any); got["invitation"] != "i1" {
		t.Errorf("event %v", event)
	}
	if got, _ := request["clientMetadata"].(map[string]any); got["from"] != "test" || event["userName"] != "erin" {
		t.Errorf("event %v", event)
	}
	if !out.UserConfirmed || out.CodeDeliveryDetails != nil {
		t.Errorf("answer = %+v", out)
	}
	if got, want := <-confirmed, "PostConfirmation_ConfirmSignUp "+aws.ToString(out.UserSub); got != want {
		t.Errorf("called for %s, want %s", got, want)
	}
	user, err := sdk.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("erin")})
	c.ok(err)
	if user.UserStatus != types.UserStatusTypeConfirmed || attributes(user.UserAttributes)["email_verified"] != "true" {
		t.Errorf("user = %+v", user)
	}
	if _, sent := c.pool.LastCode("erin@example.com"); sent {
		t.Error("a code was sent to a user who needs none")
	}

	// Who is confirmed stays so, whatever the function says.
	c.trigger(localpool.PreSignUp, "", nil)
	c.trigger(localpool.PostConfirmation, "", refusing("The mailing list is full"))
	_, err = c.signUp("frank")
	c.ok(err)
	code, _ := c.pool.LastCode("frank@example.com")
	_, err = sdk.ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: aws.String("app"), Username: aws.String("frank"), ConfirmationCode: aws.String(code)})
	c.refused(err, "UserLambdaValidationException", "PostConfirmation failed with error The mailing list is full.")
	if user, err = sdk.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("frank")}); err != nil || user.UserStatus != types.UserStatusTypeConfirmed {
		t.Errorf("user = %+v, %v", user, err)
	}
}

// Which triggers are called, and why, by what somebody does.
func TestTriggers_Sources(t *testing.T) {
	c := newContract(t)
	sdk, sources := c.sdk(), c.watched()
	expect := func(what, want string) {
		t.Helper()
		if got := strings.Join(sources(), " "); got != want {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	_, err := sdk.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(shop), Username: aws.String("gina")})
	c.ok(err)
	expect("AdminCreateUser", "PreSignUp_AdminCreateUser")
	_, err = c.signUp("erin")
	c.ok(err)
	expect("SignUp", "PreSignUp_SignUp")
	_, err = sdk.AdminConfirmSignUp(t.Context(), &cip.AdminConfirmSignUpInput{UserPoolId: aws.String(shop), Username: aws.String("erin")})
	c.ok(err)
	expect("AdminConfirmSignUp", "PostConfirmation_ConfirmSignUp")
	_, err = sdk.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: aws.String("app"), Username: aws.String("carol")})
	c.ok(err)
	code, _ := c.pool.LastCode("carol@example.com")
	_, err = sdk.ConfirmForgotPassword(t.Context(), &cip.ConfirmForgotPasswordInput{ClientId: aws.String("app"), Username: aws.String("carol"), ConfirmationCode: aws.String(code), Password: aws.String("Passw0rd!")})
	c.ok(err)
	expect("ConfirmForgotPassword", "PostConfirmation_ConfirmForgotPassword")

	out, err := c.byPassword("app", "carol", "Passw0rd!")
	c.ok(err)
	expect("USER_PASSWORD_AUTH", "PreAuthentication_Authentication PostAuthentication_Authentication TokenGeneration_Authentication")
	_, err = c.byPassword("app", "carol", "wrong")
	c.refused(err, "NotAuthorizedException", "")
	expect("a wrong password", "PreAuthentication_Authentication")
	_, err = c.byPassword("legacy", "nobody", "wrong")
	c.refused(err, "UserNotFoundException", "")
	expect("nobody, of a client that tells", "")
	_, err = c.byPassword("app", "nobody", "wrong")
	c.refused(err, "NotAuthorizedException", "")
	expect("nobody", "PreAuthentication_Authentication")
	if _, _, err = c.bySRP("app", shop, "carol", "Passw0rd!", nil); err != nil {
		t.Fatal(err)
	}
	expect("USER_SRP_AUTH", "PreAuthentication_Authentication PostAuthentication_Authentication TokenGeneration_Authentication")
	_, err = c.initiate(types.AuthFlowTypeRefreshTokenAuth, "app", map[string]string{"REFRESH_TOKEN": aws.ToString(out.AuthenticationResult.RefreshToken)})
	c.ok(err)
	expect("REFRESH_TOKEN_AUTH", "TokenGeneration_RefreshTokens")
	_, err = sdk.GetTokensFromRefreshToken(t.Context(), &cip.GetTokensFromRefreshTokenInput{ClientId: aws.String("app"), RefreshToken: out.AuthenticationResult.RefreshToken})
	c.ok(err)
	expect("GetTokensFromRefreshToken", "TokenGeneration_Authentication")
	asked, err := c.byPassword("app", "dave", "Temp0rary!")
	c.ok(err)
	_, err = c.respond("app", asked.ChallengeName, asked.Session, map[string]string{"USERNAME": "dave", "NEW_PASSWORD": "N3w-password"})
	c.ok(err)
	expect("NEW_PASSWORD_REQUIRED", "PreAuthentication_Authentication PostAuthentication_Authentication TokenGeneration_NewPasswordChallenge")

	granted := c.redeem("spa", c.code("spa", nil), nil)
	expect("the login page", "PreAuthentication_Authentication PostAuthentication_Authentication TokenGeneration_HostedAuth")
	if granted.status != 200 {
		t.Fatalf("status %d, %v", granted.status, granted.json)
	}
	c.redeem("spa", c.authorize("spa", nil).to.Query().Get("code"), nil)
	expect("a session on the login pages", "TokenGeneration_HostedAuth")
	c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {granted.json["refresh_token"].(string)}})
	expect("a refresh at the token endpoint", "TokenGeneration_RefreshTokens")
	c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_secret": {secretOne}, "scope": {"orders/read"}})
	expect("client credentials", "TokenGeneration_ClientCredentials")
	c.authorize("web", map[string]string{"response_type": "token"})
	expect("the implicit flow", "TokenGeneration_HostedAuth")
}

// What a trigger says is shown above the form, and, for who follows the link, by the
// app.
func TestTriggers_Pages(t *testing.T) {
	c := newContract(t)
	link := regexp.MustCompile(`href="(http://localhost:8080/[^"]+)"`)
	shows := func(a answer, text, query string) {
		t.Helper()
		if a.status != 200 || !strings.Contains(a.body, `<p class="alert" role="alert">`+text+`</p>`) || !csrfField.MatchString(a.body) {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		m := link.FindStringSubmatch(a.body)
		if m == nil || html.UnescapeString(m[1]) != "http://localhost:8080/cb?"+query {
			t.Errorf("the link goes to %v\nwant %s", m, query)
		}
	}
	c.trigger(localpool.PreSignUp, "", refusing("no <b>"))
	path := "/signup?" + query("web", nil).Encode()
	token := csrfField.FindStringSubmatch(c.do("GET", path, nil).body)[1]
	signUp := func(email string) answer {
		return c.do("POST", path, url.Values{"username": {email}, "password": {"Passw0rd!"}, "_csrf": {token}})
	}
	shows(signUp("erin@example.com"), "PreSignUp failed with error no &lt;b&gt;.", "error_description=PreSignUp+failed+with+error+no+%3Cb%3E.+&state=s+t&error=invalid_request")
	c.trigger(localpool.PreSignUp, "", responding(map[string]any{"autoConfirmUser": true}))
	if a := signUp("erin@example.com"); !strings.Contains(a.body, "Your account is confirmed") || !strings.Contains(a.body, `action="/login?`) {
		t.Errorf("a user whom the trigger confirms: %s", a.body)
	}
	for _, name := range []string{localpool.PreAuthentication, localpool.PostAuthentication} {
		c.trigger(name, "", refusing("Not today"))
		shows(c.signIn("web", "carol", "Passw0rd!", nil), name+" failed with error Not today.", "error_description="+name+"+failed+with+error+Not+today.+&state=s+t&error=invalid_request")
		c.trigger(name, "", nil)
	}
	if a := c.signIn("web", "carol", "wrong", nil); link.MatchString(a.body) {
		t.Error("an error of Cognito's own has the link")
	}
	c.trigger(localpool.PreTokenGeneration, "", refusing("No tokens"))
	a := c.signIn("web", "carol", "Passw0rd!", map[string]string{"response_type": "token"})
	if got, want := a.header.Get("Location"), "http://localhost:8080/cb#error_description=PreTokenGeneration+failed+with+error+No+tokens.+&state=s+t&error=invalid_request"; got != want {
		t.Errorf("the implicit flow: to %s, want %s", got, want)
	}
}

func TestTriggers_Tokens(t *testing.T) {
	c := newContract(t)
	c.trigger(localpool.PreTokenGeneration, "V1_0", responding(map[string]any{"claimsOverrideDetails": map[string]any{
		"claimsToAddOrOverride": map[string]any{"tenant": "t1", "sub": "evil", "iss": "evil", "token_use": "access", "cognito:username": "evil", "email": "c@example.com"},
		"claimsToSuppress":      []any{"name", "exp", "nonce"},
		"groupOverrideDetails":  map[string]any{"groupsToOverride": []any{"tenants"}, "iamRolesToOverride": []any{"arn:aws:iam::1:role/r"}, "preferredRole": "arn:aws:iam::1:role/r"},
	}}))
	granted := c.redeem("spa", c.code("spa", nil), nil)
	_, id := c.claims(granted.json["id_token"])
	_, access := c.claims(granted.json["access_token"])
	if id["tenant"] != "t1" || id["sub"] == "evil" || id["iss"] == "evil" || id["token_use"] != "id" || id["cognito:username"] != "carol" || id["email"] != "c@example.com" ||
		id["name"] != nil || id["exp"] == nil || id["nonce"] != "n" || id["cognito:preferred_role"] != "arn:aws:iam::1:role/r" {
		t.Errorf("ID token %v", id)
	}
	for _, claims := range []map[string]any{id, access} {
		if groups, _ := claims["cognito:groups"].([]any); !slices.Equal(groups, []any{any("tenants")}) {
			t.Errorf("groups %v", claims["cognito:groups"])
		}
	}
	if access["tenant"] != nil || access["scope"] != "openid email profile" {
		t.Errorf("access token %v", access)
	}

	c.trigger(localpool.PreTokenGeneration, "V2_0", responding(map[string]any{"claimsAndScopeOverrideDetails": map[string]any{
		"idTokenGeneration": map[string]any{"claimsToAddOrOverride": map[string]any{"limits": map[string]any{"orders": 3}}, "claimsToSuppress": []any{"email"}},
		"accessTokenGeneration": map[string]any{
			"claimsToAddOrOverride": map[string]any{"tenant": "t2", "aud": "spa", "client_id": "evil", "username": "evil", "scope": "evil", "version": 9},
			"scopesToAdd":           []any{"orders/read", "openid"}, "scopesToSuppress": []any{"profile"},
		},
		"groupOverrideDetails": map[string]any{},
	}}))
	refresh := func() answer {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {granted.json["refresh_token"].(string)}})
	}
	again := refresh()
	_, id = c.claims(again.json["id_token"])
	_, access = c.claims(again.json["access_token"])
	if limits, _ := id["limits"].(map[string]any); limits == nil || id["email"] != nil || id["cognito:groups"] != nil || id["aud"] != "spa" {
		t.Errorf("ID token %v", id)
	}
	if access["tenant"] != "t2" || access["aud"] != "spa" || access["client_id"] != "spa" || access["username"] != "carol" || access["scope"] != "openid email orders/read" ||
		access["cognito:groups"] != nil || access["version"] == nil || id["origin_jti"] != access["origin_jti"] {
		t.Errorf("access token %v", access)
	}
	out, err := c.byPassword("app", "carol", "Passw0rd!")
	c.ok(err)
	if _, access = c.claims(aws.ToString(out.AuthenticationResult.AccessToken)); access["tenant"] != "t2" || access["aud"] != nil {
		t.Errorf("access token of the JSON API %v", access) // aud is another client's
	}

	// A trigger that refuses costs the code, and leaves refresh tokens as they were.
	code := c.code("spa", nil)
	rotating := c.redeem("rotating", c.code("rotating", nil), nil).json["refresh_token"].(string)
	rotate := func() answer {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"rotating"}, "refresh_token": {rotating}})
	}
	c.trigger(localpool.PreTokenGeneration, "V2_0", refusing("Account on hold"))
	for name, a := range map[string]answer{"code": c.redeem("spa", code, nil), "refresh": refresh(), "rotation": rotate()} {
		if a.status != 400 || a.json["error"] != "invalid_request" || a.json["error_description"] != "PreTokenGeneration failed with error Account on hold." {
			t.Errorf("%s: status %d, %v", name, a.status, a.json)
		}
	}
	_, err = c.byPassword("app", "carol", "Passw0rd!")
	c.refused(err, "UserLambdaValidationException", "PreTokenGeneration failed with error Account on hold.")
	c.trigger(localpool.PreTokenGeneration, "", nil)
	if a := c.redeem("spa", code, nil); a.json["error"] != "invalid_grant" {
		t.Errorf("the code again: %v", a.json)
	}
	if a := refresh(); a.status != 200 {
		t.Errorf("refresh again: status %d, %v", a.status, a.json)
	}
	c.ahead.Add(int64(time.Minute)) // past any grace
	if a := rotate(); a.status != 200 {
		t.Errorf("rotation again: status %d, %v", a.status, a.json)
	}

	// Client credentials know the third version alone.
	machine := func(version string) map[string]any {
		c.trigger(localpool.PreTokenGeneration, version, responding(map[string]any{"claimsAndScopeOverrideDetails": map[string]any{
			"accessTokenGeneration": map[string]any{"claimsToAddOrOverride": map[string]any{"tenant": "t3", "sub": "evil"}, "scopesToAdd": []any{"orders/write"}},
		}}))
		a := c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_secret": {secretOne}, "scope": {"orders/read"}})
		_, claims := c.claims(a.json["access_token"])
		return claims
	}
	if claims := machine("V3_0"); claims["tenant"] != "t3" || claims["sub"] != "web" || claims["scope"] != "orders/read orders/write" {
		t.Errorf("client credentials, V3_0: %v", claims)
	}
	if claims := machine("V2_0"); claims["tenant"] != nil || claims["scope"] != "orders/read" {
		t.Errorf("client credentials, V2_0: %v", claims)
	}
}

// A trigger that takes its time delays nobody else, and no change that happens
// meanwhile is lost.
func TestTriggers_Slow(t *testing.T) {
	c := newContract(t)
	began, end := make(chan struct{}), make(chan struct{})
	c.trigger(localpool.PreTokenGeneration, "", func(_ context.Context, event map[string]any) error {
		if event["userName"] == "carol" {
			close(began)
			<-end
		}
		return nil
	})
	c.trigger(localpool.PreSignUp, "", func(context.Context, map[string]any) error {
		<-end
		return nil
	})
	code := c.code("spa", nil)
	slow, signedUp := make(chan answer), make(chan error)
	go func() { slow <- c.redeem("spa", code, nil) }()
	<-began
	go func() {
		_, err := c.signUp("dora")
		signedUp <- err
	}()
	_, err := c.byPassword("app", "dave", "Temp0rary!")
	c.ok(err)
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "dora", Email: "other@example.com"}))
	c.ok(c.pool.DisableUser(shop, "carol"))
	close(end)
	if a := <-slow; a.json["error"] != "invalid_grant" {
		t.Errorf("a person who was disabled meanwhile: status %d, %v", a.status, a.json)
	}
	c.refused(<-signedUp, "UsernameExistsException", "")
}

// A seed maps triggers, and the functions that LambdaConfig names, to URLs.
func TestTriggers_Seed(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"errorMessage":"` + r.URL.Path + `"}`))
	}))
	t.Cleanup(hook.Close)
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:gate"
	c := newContractOf(t, strings.ReplaceAll(`
functions: {"`+arn+`": HOOK/function}
pools:
  - id: local_Shop1
    clients: [{id: app}]
    triggers: {pre_sign_up: HOOK/seed, pre_token_generation_version: V2_0}
`, "HOOK", hook.URL))
	sdk := c.sdk()
	_, err := c.signUp("erin")
	c.refused(err, "UserLambdaValidationException", "PreSignUp failed with error /seed.")

	config := &types.LambdaConfigType{
		PreSignUp: aws.String(arn), CustomMessage: aws.String(arn),
		PreTokenGenerationConfig: &types.PreTokenGenerationVersionConfigType{LambdaArn: aws.String(arn), LambdaVersion: types.PreTokenGenerationLambdaVersionTypeV30},
	}
	made, err := sdk.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("made"), LambdaConfig: config})
	c.ok(err)
	id := made.UserPool.Id
	described := func() *types.UserPoolType {
		t.Helper()
		out, err := sdk.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: id})
		c.ok(err)
		return out.UserPool
	}
	if l := described().LambdaConfig; aws.ToString(l.PreSignUp) != arn || aws.ToString(l.CustomMessage) != arn || l.PreTokenGenerationConfig == nil || l.PreTokenGenerationConfig.LambdaVersion != "V3_0" || l.PostConfirmation != nil {
		t.Errorf("LambdaConfig = %+v", l)
	}
	create := func(name string) error {
		_, err := sdk.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: id, Username: aws.String(name)})
		return err
	}
	c.refused(create("erin"), "UserLambdaValidationException", "PreSignUp failed with error /function.")
	_, err = sdk.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: id, LambdaConfig: &types.LambdaConfigType{PreSignUp: aws.String(arn + "-elsewhere")}})
	c.ok(err)
	c.ok(create("erin")) // nobody knows what to call
	if p := described(); aws.ToString(p.LambdaConfig.PreSignUp) != arn+"-elsewhere" || p.LambdaConfig.CustomMessage != nil || aws.ToString(p.Name) != "made" {
		t.Errorf("updated: %+v", p)
	}
	_, err = sdk.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: id, LambdaConfig: &types.LambdaConfigType{PreSignUp: aws.String(hook.URL)}})
	c.refused(err, "InvalidParameterException", "lambdaConfig.preSignUp")

	_, err = localpool.ParseSeed([]byte(`
functions: {gate: "http://127.0.0.1:1/"}
pools:
  - id: local_Shop1
    clients: [{id: app}]
    triggers: {pre_sign_up: "arn:aws:lambda:eu-west-1:1:function:x", pre_token_generation_version: V9}
`))
	for _, want := range []string{"functions: a key is not an ARN", "pool \"local_Shop1\": trigger PreSignUp: it is not a URL", "V9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSeed() = %v, want %q in it", err, want)
		}
	}
	for name, trigger := range map[string]localpool.Trigger{"PreSignUp": {Version: "V9"}, "PostSignUp": {}, "PreAuthentication": {URL: "ftp://127.0.0.1/"}} {
		if err := c.pool.SetTrigger(shop, name, trigger); err == nil {
			t.Errorf("SetTrigger(%s, %+v) is not an error", name, trigger)
		}
	}
}
