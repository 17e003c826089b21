package localpool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

func TestAPI_SignUp(t *testing.T) {
	c := newContractOf(t, behaviorSeed+morePools)
	client, ctx := c.sdk(), t.Context()
	in := func(username string, list ...types.AttributeType) *cip.SignUpInput {
		return &cip.SignUpInput{ClientId: aws.String("app"), Username: aws.String(username), Password: aws.String("Passw0rd!"), UserAttributes: list}
	}
	out, err := client.SignUp(ctx, in("erin", pair("email", "erin@example.com"), pair("name", "Erin")))
	c.ok(err)
	if d := out.CodeDeliveryDetails; out.UserConfirmed || *d.AttributeName != "email" || d.DeliveryMedium != "EMAIL" || *d.Destination != "e***@e***" {
		t.Errorf("answer = %+v", out)
	}
	if u, a := c.get("erin"); u.UserStatus != types.UserStatusTypeUnconfirmed || a["sub"] != *out.UserSub || a["email_verified"] != "false" {
		t.Errorf("user = %+v, %v", u, a)
	}
	first := c.lastCode("erin@example.com")
	again, err := client.ResendConfirmationCode(ctx, &cip.ResendConfirmationCodeInput{ClientId: aws.String("app"), Username: aws.String("erin")})
	c.ok(err)
	if *again.CodeDeliveryDetails.Destination != "e***@e***" {
		t.Errorf("answer = %+v", again)
	}
	confirm := func(client, username, code string) error {
		_, err := c.sdk().ConfirmSignUp(ctx, &cip.ConfirmSignUpInput{ClientId: aws.String(client), Username: aws.String(username), ConfirmationCode: aws.String(code)})
		return err
	}
	second := c.lastCode("erin@example.com")
	if first != second {
		c.refused(confirm("app", "erin", first), "CodeMismatchException", "Invalid verification code provided, please try again.")
	}
	c.refused(confirm("app", "nobody", second), "ExpiredCodeException", "Invalid code provided, please request a code again.")
	c.refused(confirm("legacy", "nobody", second), "UserNotFoundException", "Username/client id combination not found.")
	c.refused(confirm("app", "carol", second), "NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED")
	c.ok(confirm("app", "erin", second))
	if u, a := c.get("erin@example.com"); u.UserStatus != types.UserStatusTypeConfirmed || a["email_verified"] != "true" {
		t.Errorf("user = %+v, %v", u, a)
	}
	_, err = client.ResendConfirmationCode(ctx, &cip.ResendConfirmationCodeInput{ClientId: aws.String("app"), Username: aws.String("erin")})
	c.refused(err, "InvalidParameterException", "User is already confirmed.")
	pretended, err := client.ResendConfirmationCode(ctx, &cip.ResendConfirmationCodeInput{ClientId: aws.String("app"), Username: aws.String("nobody")})
	c.ok(err)
	if pretended.CodeDeliveryDetails.DeliveryMedium != "EMAIL" {
		t.Errorf("answer = %+v", pretended)
	}
	_, err = client.ResendConfirmationCode(ctx, &cip.ResendConfirmationCodeInput{ClientId: aws.String("legacy"), Username: aws.String("nobody")})
	c.refused(err, "UserNotFoundException", "")

	for _, tt := range []struct {
		name          string
		change        func(*cip.SignUpInput)
		kind, message string
	}{
		{"name that is taken", func(in *cip.SignUpInput) { in.Username = aws.String("Erin") }, "UsernameExistsException", "User already exists"},
		{"weak password", func(in *cip.SignUpInput) { in.Password = aws.String("short") }, "InvalidPasswordException", "Password did not conform with policy: Password not long enough"},
		{"no password", func(in *cip.SignUpInput) { in.Password = nil }, "InvalidPasswordException", "Password did not conform with policy"},
		{"no address", func(in *cip.SignUpInput) { in.UserAttributes = []types.AttributeType{pair("email", "x")} }, "InvalidParameterException", "Invalid email address format."},
		{"verified by themselves", func(in *cip.SignUpInput) {
			in.UserAttributes = append(in.UserAttributes, pair("email_verified", "true"))
		}, "InvalidParameterException", "Cannot modify the non-mutable attribute email_verified"},
		{"no hash", func(in *cip.SignUpInput) { in.ClientId = aws.String("web") }, "NotAuthorizedException", "SECRET_HASH was not received"},
		{"wrong hash", func(in *cip.SignUpInput) {
			in.ClientId, in.SecretHash = aws.String("web"), aws.String(secretHash("x", "web", secretOne))
		}, "NotAuthorizedException", "Unable to verify secret hash for client web"},
		{"closed pool", func(in *cip.SignUpInput) { in.ClientId = aws.String("closed") }, "NotAuthorizedException", "SignUp is not permitted for this user pool"},
		{"hash", func(in *cip.SignUpInput) {
			in.ClientId, in.SecretHash = aws.String("web"), aws.String(secretHash("fay", "web", secretTwo))
		}, "", ""},
		{"without address", func(in *cip.SignUpInput) { in.Username, in.UserAttributes = aws.String("gus"), nil }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			in := in("fay", pair("email", "fay@example.com"))
			tt.change(in)
			_, err := client.SignUp(ctx, in)
			if tt.kind != "" {
				c.refused(err, tt.kind, tt.message)
				return
			}
			c.ok(err)
		})
	}

	t.Run("an address that somebody has", func(t *testing.T) {
		c := c.in(t)
		_, err := client.SignUp(ctx, in("hal", pair("email", "erin@example.com")))
		c.ok(err)
		c.refused(confirm("app", "hal", c.lastCode("erin@example.com")), "AliasExistsException", "An account with the email already exists.")
		_, err = client.SignUp(ctx, in("ida", pair("email", "erin@example.com")))
		c.ok(err)
		_, err = client.ConfirmSignUp(ctx, &cip.ConfirmSignUpInput{ClientId: aws.String("app"), Username: aws.String("ida"), ConfirmationCode: aws.String(c.lastCode("erin@example.com")), ForceAliasCreation: true})
		c.ok(err)
		if u, _ := c.get("erin@example.com"); *u.Username != "ida" {
			t.Errorf("the address stands for %s", *u.Username)
		}
	})
	t.Run("by address", func(t *testing.T) {
		c := c.in(t)
		out, err := client.SignUp(ctx, &cip.SignUpInput{ClientId: aws.String("mail"), Username: aws.String("Jo@example.com"), Password: aws.String("Passw0rd!")})
		c.ok(err)
		c.ok(confirm("mail", "jo@example.com", c.lastCode("jo@example.com")))
		signedIn, err := c.byPassword("mail", "JO@example.com", "Passw0rd!")
		c.ok(err)
		if _, access := c.claims(*signedIn.AuthenticationResult.AccessToken); access["username"] != *out.UserSub {
			t.Errorf("username = %v, want the sub", access["username"])
		}
		_, err = client.SignUp(ctx, &cip.SignUpInput{ClientId: aws.String("mail"), Username: aws.String("jo@example.com"), Password: aws.String("Passw0rd!")})
		c.refused(err, "UsernameExistsException", "An account with the given email already exists.")
	})
	t.Run("too many guesses", func(t *testing.T) {
		c := c.in(t)
		_, err := client.SignUp(ctx, in("kim", pair("email", "kim@example.com")))
		c.ok(err)
		code := c.lastCode("kim@example.com")
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		for range 5 {
			c.refused(confirm("app", "kim", wrong), "CodeMismatchException", "")
		}
		c.refused(confirm("app", "kim", code), "LimitExceededException", "Attempt limit exceeded, please try after some time.")
	})
}

func TestAPI_ForgotPassword(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	forgot := func(app, username string) (*types.CodeDeliveryDetailsType, error) {
		out, err := client.ForgotPassword(ctx, &cip.ForgotPasswordInput{ClientId: aws.String(app), Username: aws.String(username)})
		if err != nil {
			return nil, err
		}
		return out.CodeDeliveryDetails, nil
	}
	confirm := func(app, username, code, password string) error {
		_, err := client.ConfirmForgotPassword(ctx, &cip.ConfirmForgotPasswordInput{ClientId: aws.String(app), Username: aws.String(username), ConfirmationCode: aws.String(code), Password: aws.String(password)})
		return err
	}
	c.refused(confirm("app", "carol", "123456", "N3w-password"), "ExpiredCodeException", "")
	d, err := forgot("app", "carol@example.com")
	c.ok(err)
	if *d.Destination != "c***@e***" {
		t.Errorf("sent to %s", *d.Destination)
	}
	code := c.lastCode("carol@example.com")
	c.refused(confirm("app", "carol", code, "password"), "InvalidPasswordException", "")
	c.refused(confirm("app", "nobody", code, "N3w-password"), "CodeMismatchException", "Invalid verification code provided, please try again.")
	c.refused(confirm("legacy", "nobody", code, "N3w-password"), "UserNotFoundException", "Username/client id combination not found.")
	c.refused(confirm("web", "carol", code, "N3w-password"), "NotAuthorizedException", "SECRET_HASH was not received")
	c.ok(confirm("app", "carol", code, "N3w-password"))
	_, err = c.byPassword("app", "carol", "N3w-password")
	c.ok(err)
	_, err = c.byPassword("app", "carol", "Passw0rd!")
	c.refused(err, "NotAuthorizedException", "")
	c.refused(confirm("app", "carol", code, "N3w-password"), "ExpiredCodeException", "")

	one, err := forgot("app", "nobody")
	c.ok(err)
	if two, err := forgot("app", "nobody"); err != nil || *two.Destination != *one.Destination || one.DeliveryMedium != "EMAIL" {
		t.Errorf("of nobody: %+v, then %+v, %v", one, two, err)
	}
	_, err = forgot("legacy", "nobody")
	c.refused(err, "UserNotFoundException", "Username/client id combination not found.")
	_, err = forgot("app", "dave")
	c.refused(err, "NotAuthorizedException", "User password cannot be reset in the current state.")
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "erin", Email: "erin@example.com", Unverified: true, Password: "Passw0rd!"}))
	_, err = forgot("app", "erin")
	c.ok(err)
	if _, sent := c.pool.LastCode("erin@example.com"); sent {
		t.Error("a code was sent to an address that nobody verified")
	}
	_, err = forgot("legacy", "erin")
	c.refused(err, "InvalidParameterException", "no registered/verified email")

	_, err = forgot("app", "carol")
	c.ok(err)
	c.ok(c.pool.DisableUser(shop, "carol"))
	c.refused(confirm("app", "carol", c.lastCode("carol@example.com"), "N3w-password"), "CodeMismatchException", "")
	_, err = forgot("app", "carol")
	c.ok(err)
	c.ok(c.pool.EnableUser(shop, "carol"))
	_, err = forgot("app", "carol")
	c.ok(err)
	c.ahead.Add(int64(61 * time.Minute))
	c.refused(confirm("app", "carol", c.lastCode("carol@example.com"), "N3w-password"), "ExpiredCodeException", "")
}

func TestAPI_OwnAccount(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	token := c.tokens().AccessToken
	hosted, ok := c.redeem("spa", c.code("spa", nil), nil).json["access_token"].(string)
	if !ok {
		t.Fatal("no access token")
	}
	u, err := client.GetUser(ctx, &cip.GetUserInput{AccessToken: token})
	c.ok(err)
	if a := attributes(u.UserAttributes); *u.Username != "carol" || a["email"] != "carol@example.com" || a["sub"] == "" {
		t.Errorf("user = %+v", u)
	}

	t.Run("password", func(t *testing.T) {
		c := c.in(t)
		change := func(from, to string) error {
			_, err := client.ChangePassword(ctx, &cip.ChangePasswordInput{AccessToken: token, PreviousPassword: aws.String(from), ProposedPassword: aws.String(to)})
			return err
		}
		c.refused(change("wrong", "N3w-password"), "NotAuthorizedException", "Incorrect username or password.")
		c.refused(change("Passw0rd!", "weak"), "InvalidPasswordException", "")
		c.ok(change("Passw0rd!", "N3w-password"))
		_, err := c.byPassword("app", "carol", "N3w-password")
		c.ok(err)
		c.ok(change("N3w-password", "Passw0rd!"))
	})
	t.Run("attributes", func(t *testing.T) {
		c := c.in(t)
		update := func(list ...types.AttributeType) ([]types.CodeDeliveryDetailsType, error) {
			out, err := client.UpdateUserAttributes(ctx, &cip.UpdateUserAttributesInput{AccessToken: token, UserAttributes: list})
			if err != nil {
				return nil, err
			}
			return out.CodeDeliveryDetailsList, nil
		}
		sent, err := update(pair("nickname", "C"), pair("phone_number", "+15550100"))
		c.ok(err)
		if len(sent) != 0 {
			t.Errorf("codes for %+v", sent)
		}
		_, err = update(pair("email_verified", "true"))
		c.refused(err, "InvalidParameterException", "Cannot modify the non-mutable attribute email_verified")
		_, err = update(pair("sub", "x"))
		c.refused(err, "InvalidParameterException", "sub")
		sent, err = update(pair("email", "c2@example.com"))
		c.ok(err)
		if len(sent) != 1 || *sent[0].AttributeName != "email" || *sent[0].Destination != "c***@e***" {
			t.Errorf("codes for %+v", sent)
		}
		verify := func(attribute, code string) error {
			_, err := client.VerifyUserAttribute(ctx, &cip.VerifyUserAttributeInput{AccessToken: token, AttributeName: aws.String(attribute), Code: aws.String(code)})
			return err
		}
		c.refused(verify("nickname", "123456"), "InvalidParameterException", "")
		c.refused(verify("phone_number", "123456"), "ExpiredCodeException", "")
		c.ok(verify("email", c.lastCode("c2@example.com")))
		_, err = client.GetUserAttributeVerificationCode(ctx, &cip.GetUserAttributeVerificationCodeInput{AccessToken: token, AttributeName: aws.String("phone_number")})
		c.ok(err)
		c.ok(verify("phone_number", c.lastCode("+15550100")))
		_, err = client.DeleteUserAttributes(ctx, &cip.DeleteUserAttributesInput{AccessToken: token, UserAttributeNames: []string{"nickname", "custom:team"}})
		c.ok(err)
		if _, a := c.get("c2@example.com"); a["email_verified"] != "true" || a["phone_number_verified"] != "true" || a["nickname"] != "" || a["custom:team"] != "" {
			t.Errorf("attributes = %v", a)
		}
	})
	t.Run("tokens", func(t *testing.T) {
		c := c.in(t)
		get := func(token string) error {
			_, err := client.GetUser(ctx, &cip.GetUserInput{AccessToken: aws.String(token)})
			return err
		}
		id := c.tokens().IdToken
		c.refused(get("x"), "NotAuthorizedException", "Invalid Access Token")
		c.refused(get("x y"), "InvalidParameterException", "Value at 'accessToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9-_=.]+")
		c.refused(get(*id), "NotAuthorizedException", "Invalid Access Token")
		c.refused(get((*token)[:len(*token)-8]+"AAAAAAAA"), "NotAuthorizedException", "Invalid Access Token")
		c.refused(get(hosted), "NotAuthorizedException", "Access Token does not have required scopes")
		if a := c.call("GetUser", `{}`); !strings.Contains(a.body, "Value at 'accessToken' failed to satisfy constraint: Member must not be null") {
			t.Errorf("no token: %s", a.body)
		}
		c.ok(c.pool.DisableUser(shop, "carol"))
		c.refused(get(*token), "NotAuthorizedException", "User is disabled.")
		c.ok(c.pool.EnableUser(shop, "carol"))
		c.refused(get(*token), "NotAuthorizedException", "Access Token has been revoked")
		token = c.tokens().AccessToken
		c.ahead.Add(int64(time.Hour + time.Second))
		c.refused(get(*token), "NotAuthorizedException", "Access Token has expired")
		token = c.tokens().AccessToken
	})
	t.Run("sign-out", func(t *testing.T) {
		c := c.in(t)
		first, second := c.tokens(), c.tokens()
		_, err := client.GlobalSignOut(ctx, &cip.GlobalSignOutInput{AccessToken: first.AccessToken})
		c.ok(err)
		_, err = client.GetUser(ctx, &cip.GetUserInput{AccessToken: second.AccessToken})
		c.refused(err, "NotAuthorizedException", "Access Token has been revoked")
		_, err = c.initiate(types.AuthFlowTypeRefreshTokenAuth, "app", map[string]string{"REFRESH_TOKEN": *second.RefreshToken})
		c.refused(err, "NotAuthorizedException", "Refresh Token has been revoked")
	})
	t.Run("the end", func(t *testing.T) {
		c := c.in(t)
		token := c.tokens().AccessToken
		_, err := client.DeleteUser(ctx, &cip.DeleteUserInput{AccessToken: token})
		c.ok(err)
		_, err = client.GetUser(ctx, &cip.GetUserInput{AccessToken: token})
		c.refused(err, "UserNotFoundException", "User does not exist.")
	})
}

// TestAPI_RolesOfGroups: the group with the lowest precedence is preferred.
func TestAPI_RolesOfGroups(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	group := func(name, role string, precedence *int32) {
		t.Helper()
		in := &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String(name), Precedence: precedence}
		if role != "" {
			in.RoleArn = aws.String("arn:aws:iam::111122223333:role/" + role)
		}
		_, err := client.CreateGroup(ctx, in)
		c.ok(err)
		c.ok(c.pool.AddToGroup(shop, "carol", name))
	}
	preferred := func() any {
		t.Helper()
		_, id := c.claims(*c.tokens().IdToken)
		if _, access := c.claims(*c.tokens().AccessToken); access["cognito:roles"] != nil || access["cognito:preferred_role"] != nil {
			t.Errorf("the access token has roles: %v", access)
		}
		if id["cognito:preferred_role"] == nil {
			return nil
		}
		return strings.TrimPrefix(id["cognito:preferred_role"].(string), "arn:aws:iam::111122223333:role/")
	}
	if got := preferred(); got != nil {
		t.Errorf("without roles: %v", got)
	}
	group("a", "a", nil)
	if got := preferred(); got != "a" {
		t.Errorf("one without precedence: %v", got)
	}
	group("b", "b", aws.Int32(5))
	group("b2", "b", aws.Int32(9))
	group("c", "c", aws.Int32(7))
	if got := preferred(); got != "b" {
		t.Errorf("with precedence: %v", got)
	}
	group("d", "d", aws.Int32(5))
	if got := preferred(); got != nil {
		t.Errorf("two of the same precedence: %v", got)
	}
	group("e", "e", aws.Int32(1))
	if got := preferred(); got != "e" {
		t.Errorf("a lower one: %v", got)
	}
}
