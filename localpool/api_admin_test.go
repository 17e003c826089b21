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

func pair(name, value string) types.AttributeType {
	return types.AttributeType{Name: aws.String(name), Value: aws.String(value)}
}

// get is what AdminGetUser says of a user.
func (c *contract) get(name string) (*cip.AdminGetUserOutput, map[string]string) {
	c.Helper()
	out, err := c.sdk().AdminGetUser(c.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String(name)})
	c.ok(err)
	return out, attributes(out.UserAttributes)
}

// lastCode is what Cognito would have sent to an address last.
func (c *contract) lastCode(to string) string {
	c.Helper()
	code, ok := c.pool.LastCode(to)
	if !ok {
		c.Fatalf("nothing was sent to %s", to)
	}
	return code
}

func (c *contract) create(in *cip.AdminCreateUserInput) (*types.UserType, error) {
	in.UserPoolId = aws.String(shop)
	out, err := c.sdk().AdminCreateUser(c.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.User, nil
}

func TestAPI_AdminCreateUser(t *testing.T) {
	c := newContract(t)
	u, err := c.create(&cip.AdminCreateUserInput{
		Username: aws.String("Erin"), UserAttributes: []types.AttributeType{pair("email", "Erin@example.com"), pair("email_verified", "true"), pair("custom:team", "red")},
		DesiredDeliveryMediums: []types.DeliveryMediumType{types.DeliveryMediumTypeEmail},
	})
	c.ok(err)
	a := attributes(u.Attributes)
	if *u.Username != "erin" || u.UserStatus != types.UserStatusTypeForceChangePassword || !u.Enabled || u.UserCreateDate == nil ||
		a["email"] != "erin@example.com" || a["custom:team"] != "red" || a["sub"] == "" {
		t.Errorf("user = %+v, %v", u, a)
	}
	first := c.lastCode("erin@example.com")
	if page := c.signIn("web", "erin", first, nil); page.status != 200 || page.to != nil {
		t.Errorf("the password that was sent is not taken for a first sign-in: %d %s", page.status, page.body)
	}
	for _, tt := range []struct {
		name          string
		in            cip.AdminCreateUserInput
		kind, message string
	}{
		{"name that is taken", cip.AdminCreateUserInput{Username: aws.String("ERIN")}, "UsernameExistsException", "User already exists"},
		{"name that is an address", cip.AdminCreateUserInput{Username: aws.String("a@example.com")}, "InvalidParameterException", "email format"},
		{"address that is taken", cip.AdminCreateUserInput{Username: aws.String("e2"), UserAttributes: []types.AttributeType{pair("email", "erin@example.com"), pair("email_verified", "true")}}, "AliasExistsException", "An account with the email already exists."},
		{"weak password", cip.AdminCreateUserInput{Username: aws.String("e2"), TemporaryPassword: aws.String("password")}, "InvalidPasswordException", "must have uppercase"},
		{"no address", cip.AdminCreateUserInput{Username: aws.String("e2"), UserAttributes: []types.AttributeType{pair("email", "at home")}}, "InvalidParameterException", "Invalid email address format."},
		{"no number", cip.AdminCreateUserInput{Username: aws.String("e2"), UserAttributes: []types.AttributeType{pair("phone_number", "555")}}, "InvalidParameterException", "Invalid phone number format."},
		{"attribute nobody has", cip.AdminCreateUserInput{Username: aws.String("e2"), UserAttributes: []types.AttributeType{pair("horse", "x")}}, "InvalidParameterException", "Attributes did not conform to the schema"},
		{"sub", cip.AdminCreateUserInput{Username: aws.String("e2"), UserAttributes: []types.AttributeType{pair("sub", "x")}}, "InvalidParameterException", "sub"},
		{"again, after the first sign-in", cip.AdminCreateUserInput{Username: aws.String("carol"), MessageAction: types.MessageActionTypeResend}, "UnsupportedUserStateException", "CONFIRMED"},
		{"again, somebody else", cip.AdminCreateUserInput{Username: aws.String("nobody"), MessageAction: types.MessageActionTypeResend}, "UserNotFoundException", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			_, err := c.create(&tt.in)
			c.refused(err, tt.kind, tt.message)
		})
	}

	t.Run("an address that nobody verified", func(t *testing.T) {
		c := c.in(t)
		_, err := c.create(&cip.AdminCreateUserInput{Username: aws.String("e3"), UserAttributes: []types.AttributeType{pair("email", "erin@example.com")}, MessageAction: types.MessageActionTypeSuppress})
		c.ok(err)
		if now := c.lastCode("erin@example.com"); now != first {
			t.Error("a suppressed message was sent")
		}
		if u, _ := c.get("erin@example.com"); *u.Username != "erin" {
			t.Errorf("the address now stands for %s", *u.Username)
		}
	})
	t.Run("an address by force", func(t *testing.T) {
		c := c.in(t)
		_, err := c.create(&cip.AdminCreateUserInput{Username: aws.String("e4"), ForceAliasCreation: true, UserAttributes: []types.AttributeType{pair("email", "erin@example.com"), pair("email_verified", "true")}})
		c.ok(err)
		if u, _ := c.get("erin@example.com"); *u.Username != "e4" {
			t.Errorf("the address stands for %s", *u.Username)
		}
		if _, a := c.get("erin"); a["email_verified"] != "false" {
			t.Errorf("who had it is left with %v", a)
		}
	})
	t.Run("expiry and resending", func(t *testing.T) {
		c := c.in(t)
		_, err := c.create(&cip.AdminCreateUserInput{Username: aws.String("fay"), TemporaryPassword: aws.String("Temp0rary!"), UserAttributes: []types.AttributeType{pair("email", "fay@example.com")}})
		c.ok(err)
		if got := c.lastCode("fay@example.com"); got != "Temp0rary!" {
			t.Errorf("sent %q", got)
		}
		c.ahead.Add(int64(8 * 24 * time.Hour))
		if page := c.signIn("web", "fay", "Temp0rary!", nil); !strings.Contains(page.body, "Temporary password has expired") {
			t.Errorf("after 8 days: %s", page.body)
		}
		_, err = c.create(&cip.AdminCreateUserInput{Username: aws.String("fay"), MessageAction: types.MessageActionTypeResend})
		c.ok(err)
		if page := c.signIn("web", "fay", c.lastCode("fay@example.com"), nil); strings.Contains(page.body, "expired") || strings.Contains(page.body, "Incorrect") {
			t.Errorf("after it was sent again: %s", page.body)
		}
	})
}

func TestAPI_AdminCreateUserByAddress(t *testing.T) {
	c := newContractOf(t, behaviorSeed+morePools)
	const pool = "local_Mail1"
	create := func(name string, list ...types.AttributeType) (*types.UserType, error) {
		out, err := c.sdk().AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(pool), Username: aws.String(name), UserAttributes: list})
		if err != nil {
			return nil, err
		}
		return out.User, nil
	}
	u, err := create("Gus@example.com")
	c.ok(err)
	if a := attributes(u.Attributes); *u.Username != a["sub"] || a["email"] != "gus@example.com" {
		t.Errorf("user = %s, %v", *u.Username, a)
	}
	_, err = create("gus@Example.com")
	c.refused(err, "UsernameExistsException", "An account with the given email already exists.")
	_, err = create("gus")
	c.refused(err, "InvalidParameterException", "Username should be an email.")
	second, err := create("hal@example.com")
	c.ok(err)
	change := func(list ...types.AttributeType) error {
		_, err := c.sdk().AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(pool), Username: second.Username, UserAttributes: list})
		return err
	}
	c.refused(change(pair("email", "GUS@example.com")), "AliasExistsException", "")
	c.refused(change(pair("email", "")), "InvalidParameterException", "")
	c.ok(change(pair("email", "ida@example.com")))
	found, err := c.sdk().AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(pool), Username: aws.String("ida@example.com")})
	c.ok(err)
	if *found.Username != *second.Username {
		t.Errorf("the new address stands for %s", *found.Username)
	}
	_, err = c.sdk().AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(pool), Username: aws.String("hal@example.com")})
	c.refused(err, "UserNotFoundException", "")
}

func TestAPI_AdminAttributes(t *testing.T) {
	c := newContract(t)
	change := func(list ...types.AttributeType) error {
		_, err := c.sdk().AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(shop), Username: aws.String("carol"), UserAttributes: list})
		return err
	}
	before, _ := c.get("carol")
	c.ahead.Add(int64(time.Minute))
	c.ok(change(pair("name", "Carol C."), pair("custom:team", "")))
	u, a := c.get("carol")
	if a["name"] != "Carol C." || a["email_verified"] != "true" || !u.UserLastModifiedDate.After(*before.UserLastModifiedDate) || !u.UserCreateDate.Equal(*before.UserCreateDate) {
		t.Errorf("user = %+v, %v", u, a)
	}
	if _, there := a["custom:team"]; there {
		t.Errorf("a blank attribute stays: %v", a)
	}

	c.ok(change(pair("email", "New@example.com")))
	if _, a := c.get("carol"); a["email"] != "new@example.com" || a["email_verified"] != "false" {
		t.Errorf("an address that was changed: %v", a)
	}
	c.lastCode("new@example.com")
	c.ok(change(pair("email", "newer@example.com"), pair("email_verified", "true")))
	if u, a := c.get("newer@example.com"); *u.Username != "carol" || a["email_verified"] != "true" {
		t.Errorf("an address that was changed as verified: %v", a)
	}
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "erin", Email: "erin@example.com"}))
	c.refused(change(pair("email", "erin@example.com"), pair("email_verified", "true")), "AliasExistsException", "")
	c.refused(change(pair("sub", "x")), "InvalidParameterException", "")

	remove := func(names ...string) error {
		_, err := c.sdk().AdminDeleteUserAttributes(t.Context(), &cip.AdminDeleteUserAttributesInput{UserPoolId: aws.String(shop), Username: aws.String("carol"), UserAttributeNames: names})
		return err
	}
	c.ok(remove("name", "nickname", "email"))
	if _, a := c.get("carol"); len(a) != 1 {
		t.Errorf("attributes = %v, want sub alone", a)
	}
	c.refused(remove("sub"), "InvalidParameterException", "")
	c.refused(change(pair("email_verified", "true")), "InvalidParameterException", "email is required")
}

func TestAPI_AdminStates(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	status := func(name, want string, enabled bool) {
		t.Helper()
		if u, _ := c.get(name); string(u.UserStatus) != want || u.Enabled != enabled {
			t.Errorf("%s is %s, enabled %v, want %s, %v", name, u.UserStatus, u.Enabled, want, enabled)
		}
	}
	carol := &cip.AdminDisableUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol")}
	_, err := client.AdminDisableUser(ctx, carol)
	c.ok(err)
	status("carol", "CONFIRMED", false)
	_, err = client.AdminEnableUser(ctx, (*cip.AdminEnableUserInput)(carol))
	c.ok(err)
	status("carol", "CONFIRMED", true)

	set := func(name, password string, permanent bool) error {
		_, err := client.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: aws.String(shop), Username: aws.String(name), Password: aws.String(password), Permanent: permanent})
		return err
	}
	c.ok(set("carol", "N3w-password", false))
	status("carol", "FORCE_CHANGE_PASSWORD", true)
	c.ok(set("carol", "N3w-password", true))
	status("carol", "CONFIRMED", true)
	if page := c.signIn("web", "carol", "N3w-password", nil); page.status != 302 {
		t.Errorf("sign-in with the new password: %d", page.status)
	}
	c.refused(set("carol", "short", true), "InvalidPasswordException", "not long enough")
	c.refused(set("nobody", "N3w-password", true), "UserNotFoundException", "User does not exist.")

	reset := func(name string) error {
		_, err := client.AdminResetUserPassword(ctx, &cip.AdminResetUserPasswordInput{UserPoolId: aws.String(shop), Username: aws.String(name)})
		return err
	}
	c.ok(reset("carol"))
	status("carol", "RESET_REQUIRED", true)
	c.lastCode("carol@example.com")
	c.refused(reset("dave"), "NotAuthorizedException", "cannot be reset in the current state")
	c.ok(set("dave", "N3w-password", true))
	c.refused(reset("dave"), "InvalidParameterException", "no registered/verified email")

	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "erin", Email: "erin@example.com", Status: "UNCONFIRMED"}))
	confirm := &cip.AdminConfirmSignUpInput{UserPoolId: aws.String(shop), Username: aws.String("erin")}
	_, err = client.AdminConfirmSignUp(ctx, confirm)
	c.ok(err)
	status("erin", "CONFIRMED", true)
	_, err = client.AdminConfirmSignUp(ctx, confirm)
	c.refused(err, "NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED")

	_, before := c.get("erin")
	remove := &cip.AdminDeleteUserInput{UserPoolId: aws.String(shop), Username: aws.String("erin")}
	_, err = client.AdminDeleteUser(ctx, remove)
	c.ok(err)
	_, err = client.AdminDeleteUser(ctx, remove)
	c.refused(err, "UserNotFoundException", "")
	_, err = c.create(&cip.AdminCreateUserInput{Username: aws.String("erin")})
	c.ok(err)
	if _, after := c.get("erin"); after["sub"] == before["sub"] {
		t.Error("a new user has the sub of one who was deleted")
	}
}

func TestAPI_AdminUserGlobalSignOut(t *testing.T) {
	c := newContract(t)
	tokens := c.redeem("spa", c.code("spa", nil), nil).json
	_, err := c.sdk().AdminUserGlobalSignOut(t.Context(), &cip.AdminUserGlobalSignOutInput{UserPoolId: aws.String(shop), Username: aws.String("carol")})
	c.ok(err)
	if a := c.do("POST", "/oauth2/token", map[string][]string{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {tokens["refresh_token"].(string)}}); a.json["error"] != "invalid_grant" {
		t.Errorf("refresh: %s", a.body)
	}
	if a := c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+tokens["access_token"].(string)); a.status != 401 {
		t.Errorf("userInfo: %d", a.status)
	}
}

func TestAPI_Groups(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	const role = "arn:aws:iam::111122223333:role/editor"
	out, err := client.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("éditeurs"), Precedence: aws.Int32(0), RoleArn: aws.String(role)})
	c.ok(err)
	if g := out.Group; *g.GroupName != "éditeurs" || *g.Precedence != 0 || *g.RoleArn != role || g.Description != nil || *g.UserPoolId != shop {
		t.Errorf("group = %+v", g)
	}
	_, err = client.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("éditeurs")})
	c.refused(err, "GroupExistsException", "A group with the name already exists.")
	_, err = client.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("two words")})
	c.refused(err, "InvalidParameterException", "'groupName' failed to satisfy constraint")
	_, err = client.CreateGroup(ctx, &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("x"), Precedence: aws.Int32(-1)})
	c.refused(err, "InvalidParameterException", "'precedence' failed to satisfy constraint")

	c.ahead.Add(int64(time.Minute))
	updated, err := client.UpdateGroup(ctx, &cip.UpdateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("éditeurs"), Description: aws.String("May write")})
	c.ok(err)
	if g := updated.Group; *g.Description != "May write" || *g.RoleArn != role || !g.LastModifiedDate.After(*g.CreationDate) {
		t.Errorf("group = %+v", g)
	}
	got, err := client.GetGroup(ctx, &cip.GetGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("éditeurs")})
	c.ok(err)
	if *got.Group.Description != "May write" {
		t.Errorf("group = %+v", got.Group)
	}

	member := &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(shop), Username: aws.String("dave"), GroupName: aws.String("éditeurs")}
	for range 2 { // again is not an error
		_, err = client.AdminAddUserToGroup(ctx, member)
		c.ok(err)
	}
	members := func() int {
		t.Helper()
		out, err := client.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("éditeurs")})
		c.ok(err)
		return len(out.Users)
	}
	if n := members(); n != 1 {
		t.Errorf("%d members", n)
	}
	for range 2 {
		_, err = client.AdminRemoveUserFromGroup(ctx, (*cip.AdminRemoveUserFromGroupInput)(member))
		c.ok(err)
	}
	if n := members(); n != 0 {
		t.Errorf("%d members are left", n)
	}
	_, err = client.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(shop), Username: aws.String("dave"), GroupName: aws.String("nobody")})
	c.refused(err, "ResourceNotFoundException", "Group not found.")
	_, err = client.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(shop), Username: aws.String("nobody"), GroupName: aws.String("admins")})
	c.refused(err, "UserNotFoundException", "User does not exist.")

	remove := &cip.DeleteGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("admins")}
	_, err = client.DeleteGroup(ctx, remove)
	c.ok(err)
	_, err = client.DeleteGroup(ctx, remove)
	c.refused(err, "ResourceNotFoundException", "Group not found.")
	left, err := client.AdminListGroupsForUser(ctx, &cip.AdminListGroupsForUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol")})
	c.ok(err)
	if len(left.Groups) != 0 {
		t.Errorf("carol is left in %v", left.Groups)
	}
}

// TestAPI_VerifiedInAnyCase: what an administrator wrote as True is true in the token.
func TestAPI_VerifiedInAnyCase(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH"]`)
	for _, value := range []string{"true", "True", "TRUE", "FALSE"} {
		name := "user-" + value
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"`+name+`","MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"`+name+`@example.com"},{"Name":"email_verified","Value":"`+value+`"}]}`)
		c.ask("AdminSetUserPassword", `{`+pool+`,"Username":"`+name+`","Password":"Passw0rd!","Permanent":true}`)
		got := c.ask("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"`+name+`","PASSWORD":"Passw0rd!"}}`)
		if _, claims := c.claims(inner(got, "AuthenticationResult", "IdToken")); claims["email_verified"] != (value != "FALSE") {
			t.Errorf("%s: email_verified = %v in the token", value, claims["email_verified"])
		}
	}
}
