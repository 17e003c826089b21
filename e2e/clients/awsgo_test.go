package clients

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
)

// is reports whether an error is of a kind of the service's.
func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// TestAWSSDKForGo tells the story of AWS's SDK for Go: people who sign up, sign in and forget,
// and what administrators do to them. Codes are late and early: the pool's clock is the test's.
func TestAWSSDKForGo(t *testing.T) {
	w, ctx := newWorld(t, ""), t.Context()
	client := cip.New(cip.Options{
		Region: region, BaseEndpoint: aws.String(w.url), HTTPClient: w.client, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "none"}, nil
		}),
	})
	later := func(by time.Duration) { w.ahead.Add(int64(by)) }
	code := func() string {
		t.Helper()
		code, ok := w.pool.LastCode("gina@example.com")
		if !ok {
			t.Fatal("no code was sent")
		}
		return code
	}
	signIn := func(name, password string) (*cip.InitiateAuthOutput, error) {
		return client.InitiateAuth(ctx, &cip.InitiateAuthInput{
			ClientId: aws.String("spa"), AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password},
		})
	}
	refused := func(what string, err error, kind bool) {
		t.Helper()
		if !kind {
			t.Errorf("%s: %v", what, err)
		}
	}
	done := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}

	// A sign-up, whose code lives for a day.
	gina := aws.String("gina")
	_, err := client.SignUp(ctx, &cip.SignUpInput{
		ClientId: aws.String("spa"), Username: gina, Password: aws.String("Passw0rd!"), UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String("gina@example.com")}},
	})
	done("SignUp", err)
	_, err = signIn("gina", "Passw0rd!")
	refused("a sign-in before the address is confirmed", err, is[*types.UserNotConfirmedException](err))
	confirm := func(code string) error {
		_, err := client.ConfirmSignUp(ctx, &cip.ConfirmSignUpInput{ClientId: aws.String("spa"), Username: gina, ConfirmationCode: aws.String(code)})
		return err
	}
	first := code()
	err = confirm("000000")
	refused("another code", err, is[*types.CodeMismatchException](err))
	later(24*time.Hour + time.Minute)
	err = confirm(first)
	refused("a code of yesterday", err, is[*types.ExpiredCodeException](err))
	_, err = client.ResendConfirmationCode(ctx, &cip.ResendConfirmationCodeInput{ClientId: aws.String("spa"), Username: gina})
	done("ResendConfirmationCode", err)
	done("ConfirmSignUp", confirm(code()))

	// A password that was forgotten, whose code lives for an hour.
	forgot := func() {
		t.Helper()
		_, err := client.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: aws.String("spa"), Username: gina})
		done("ForgotPassword", err)
	}
	reset := func(code string) error {
		_, err := client.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: aws.String("spa"), Username: gina, ConfirmationCode: aws.String(code), Password: aws.String("An0ther-Passw0rd")})
		return err
	}
	forgot()
	first = code()
	later(time.Hour + time.Minute)
	err = reset(first)
	refused("a code of more than an hour ago", err, is[*types.ExpiredCodeException](err))
	forgot()
	done("ConfirmForgotPassword", reset(code()))
	err = reset(code())
	refused("a code twice", err, is[*types.ExpiredCodeException](err))

	// A sign-in, its refresh, and its end.
	_, err = signIn("gina", "Passw0rd!")
	refused("the password of before", err, is[*types.NotAuthorizedException](err))
	in, err := signIn("gina", "An0ther-Passw0rd")
	done("InitiateAuth", err)
	tokens := in.AuthenticationResult
	me, err := client.GetUser(ctx, &cip.GetUserInput{AccessToken: tokens.AccessToken})
	done("GetUser", err)
	if !slices.ContainsFunc(me.UserAttributes, func(a types.AttributeType) bool { return *a.Name == "email_verified" && *a.Value == "true" }) {
		t.Errorf("GetUser: %v", me.UserAttributes)
	}
	refresh := func() (*cip.InitiateAuthOutput, error) {
		return client.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: aws.String("spa"), AuthFlow: types.AuthFlowTypeRefreshTokenAuth, AuthParameters: map[string]string{"REFRESH_TOKEN": *tokens.RefreshToken}})
	}
	later(time.Hour + time.Minute)
	_, err = client.GetUser(ctx, &cip.GetUserInput{AccessToken: tokens.AccessToken})
	refused("an access token of more than an hour ago", err, is[*types.NotAuthorizedException](err))
	again, err := refresh()
	done("a refresh", err)
	_, err = client.GlobalSignOut(ctx, &cip.GlobalSignOutInput{AccessToken: again.AuthenticationResult.AccessToken})
	done("GlobalSignOut", err)
	_, err = refresh()
	refused("a refresh after GlobalSignOut", err, is[*types.NotAuthorizedException](err))

	// What administrators do.
	pool := aws.String(poolID)
	_, err = client.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: pool, Username: gina, GroupName: aws.String("analysts")})
	done("AdminAddUserToGroup", err)
	var members []string
	for pages := cip.NewListUsersInGroupPaginator(client, &cip.ListUsersInGroupInput{UserPoolId: pool, GroupName: aws.String("analysts"), Limit: aws.Int32(1)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		done("ListUsersInGroup", err)
		for _, u := range page.Users {
			members = append(members, *u.Username)
		}
	}
	if !slices.Equal(members, []string{"alice", "gina"}) {
		t.Errorf("members of analysts: %v", members)
	}
	_, err = client.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: pool, Username: gina})
	done("AdminDisableUser", err)
	_, err = signIn("gina", "An0ther-Passw0rd")
	refused("a sign-in of somebody who is disabled", err, is[*types.NotAuthorizedException](err) && strings.Contains(err.Error(), "User is disabled."))
	_, err = client.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: pool, Username: gina})
	done("AdminDeleteUser", err)
	_, err = client.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: pool, Username: gina})
	refused("somebody who is gone", err, is[*types.UserNotFoundException](err))

	// A temporary password, which is changed with the first sign-in.
	in, err = signIn("dave", "Temp0rary!")
	done("a temporary password", err)
	answered, err := client.RespondToAuthChallenge(ctx, &cip.RespondToAuthChallengeInput{
		ClientId: aws.String("spa"), ChallengeName: in.ChallengeName, Session: in.Session, ChallengeResponses: map[string]string{"USERNAME": "dave", "NEW_PASSWORD": "Passw0rd!"},
	})
	if err != nil || in.ChallengeName != types.ChallengeNameTypeNewPasswordRequired || answered.AuthenticationResult == nil {
		t.Errorf("%s: %v", in.ChallengeName, err)
	}
}

// TestLateAuthorizationCode: a browser that comes back after five minutes brings a code that is
// good for nothing, and the next sign-in is as any.
func TestLateAuthorizationCode(t *testing.T) {
	w := newWorld(t, "")
	browser := codegranttest.NewBrowser(t)
	browser.Client.Transport = w.client.Transport
	var code string
	browser.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != "localhost:8080" {
			return nil
		}
		code = r.URL.Query().Get("code")
		return http.ErrUseLastResponse
	}
	query := url.Values{"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}}
	browser.SignIn(w.url+"/login?"+query.Encode(), "alice@example.com", "Passw0rd!")
	w.ahead.Add(int64(5*time.Minute + time.Second))
	response, err := w.client.PostForm(w.url+"/oauth2/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {callback}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || code == "" || response.StatusCode != http.StatusBadRequest || strings.TrimSpace(string(b)) != `{"error":"invalid_grant"}` {
		t.Errorf("a late code %q: %s, %s", code, response.Status, b)
	}
	if tokens := w.granted(t); tokens["access_token"] == nil {
		t.Errorf("the next sign-in: %v", tokens)
	}
}
