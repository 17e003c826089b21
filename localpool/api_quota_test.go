package localpool_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

func (c *contract) quota(category string, perSecond float64) {
	c.Helper()
	c.ok(c.pool.SetQuota(category, perSecond))
}

func TestAPI_Quota(t *testing.T) {
	c := newContract(t)
	client, ctx := c.sdk(), t.Context()
	list := func() error {
		_, err := client.ListUsers(ctx, &cip.ListUsersInput{UserPoolId: aws.String(shop)})
		return err
	}
	members := func() error {
		_, err := client.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("admins")})
		return err
	}
	c.quota("UserList", 0.001) // which leaves one, whatever time the calls take
	c.ok(list())
	c.refused(list(), "TooManyRequestsException", "Rate exceeded")
	c.refused(members(), "TooManyRequestsException", "Rate exceeded")
	c.get("carol") // of another category
	if n := c.pool.Throttled("UserList"); n != 2 {
		t.Errorf("throttled %d", n)
	}
	a := c.call("ListUsers", `{"UserPoolId":"local_Shop1"}`)
	if a.status != 400 || a.json["__type"] != "TooManyRequestsException" {
		t.Errorf("status %d, %s", a.status, a.body)
	}
	c.ahead.Add(int64(1000 * time.Second))
	c.ok(members())
	c.quota("UserList", 0)
	for range 5 {
		c.ok(list())
	}
}

// TestAPI_QuotaOfChallenges: answers have three times the rate of sign-ins, and one
// that sets a password counts as recovery.
func TestAPI_QuotaOfChallenges(t *testing.T) {
	c := newContract(t)
	out, err := c.byPassword("app", "dave", "Temp0rary!")
	c.ok(err)
	answer := func(password string) error {
		_, err := c.respond("app", types.ChallengeNameTypeNewPasswordRequired, out.Session, map[string]string{"USERNAME": "dave", "NEW_PASSWORD": password})
		return err
	}
	c.quota("UserAccountRecovery", 0.001)
	c.refused(answer("weak"), "InvalidPasswordException", "")
	c.refused(answer("Perman3nt!"), "TooManyRequestsException", "Rate exceeded")
	c.quota("UserAccountRecovery", 0)
	c.ok(answer("Perman3nt!"))

	c.quota("UserAuthentication", 0.001)
	for range 2 { // one of their own, one of the sign-ins
		a := c.call("RespondToAuthChallenge", `{"ClientId":"app","ChallengeName":"SOFTWARE_TOKEN_MFA","Session":"x"}`)
		if a.json["__type"] == "TooManyRequestsException" {
			t.Error("an answer was refused")
		}
	}
	_, err = c.byPassword("app", "dave", "Perman3nt!")
	c.refused(err, "TooManyRequestsException", "Rate exceeded")
}

// TestQuota_OtherFaces: what people do on the pages counts as well.
func TestQuota_OtherFaces(t *testing.T) {
	c := newContract(t)
	c.quota("UserAuthentication", 0.001)
	c.quota("ClientAuthentication", 0.001)
	code := c.code("spa", nil)
	again := c.signIn("spa", "carol", "Passw0rd!", nil)
	if again.status != 429 || !strings.Contains(again.body, "Rate exceeded") {
		t.Errorf("status %d, %s", again.status, again.body)
	}
	tokens := c.redeem("spa", code, nil)
	if tokens.status != 200 {
		t.Fatalf("codes have a rate of their own: status %d, %s", tokens.status, tokens.body)
	}
	refresh, _ := tokens.json["refresh_token"].(string)
	machine := url.Values{"grant_type": {"client_credentials"}, "client_id": {"web"}, "client_secret": {secretOne}}
	for _, tt := range []struct {
		name   string
		form   url.Values
		status int
	}{
		{"a refresh is a sign-in", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {refresh}}, 429},
		{"another code", url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}}, 429},
		{"a machine", machine, 200},
		{"a machine again", machine, 429},
	} {
		if a := c.do("POST", "/oauth2/token", tt.form); a.status != tt.status || (a.status == 429 && a.json["error"] != "too_many_requests") {
			t.Errorf("%s: status %d, %s", tt.name, a.status, a.body)
		}
	}
}

func TestSeed_Quotas(t *testing.T) {
	c := newContractOf(t, behaviorSeed+"quotas: {UserRead: 0.001}\n")
	c.get("carol")
	_, err := c.sdk().AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol")})
	c.refused(err, "TooManyRequestsException", "")
	for _, tt := range []struct{ yaml, want string }{
		{"quotas: {UserLists: 3}", `quota "UserLists": there is no such category; there are ClientAuthentication, UserAccountRecovery`},
		{"quotas: {UserList: -3}", `quota "UserList": -3 is not a number of requests per second`},
	} {
		if _, err := localpool.ParseSeed([]byte(behaviorSeed + tt.yaml + "\n")); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.yaml, err)
		}
	}
	if err := c.pool.SetQuota("Horses", 1); err == nil {
		t.Error("a category that is not there was taken")
	}
	for category, perSecond := range localpool.DefaultQuotas() {
		c.quota(category, perSecond)
	}
}
