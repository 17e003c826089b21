package localpool_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/localpool"
)

// told is what the tests look at in an event.
type told struct {
	Detail struct {
		EventName  string
		ErrorCode  string
		Parameters map[string]any        `json:"requestParameters"`
		Identity   struct{ Type string } `json:"userIdentity"`
		Extra      struct{ Sub string }  `json:"additionalEventData"`
	}
	secret string
}

// What an app's users do to themselves, and what is refused, is told of too, with
// nothing in it that a log should not have. Operations that change nothing, and the
// login pages, are not.
func TestEvents(t *testing.T) {
	events := make(chan told, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e told
		if err != nil || json.Unmarshal(body, &e) != nil {
			t.Errorf("%s, %v", body, err)
		}
		for _, secret := range []string{"Passw0rd!", "carol", "eyJ"} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s in %s", secret, body)
			}
		}
		e.secret = r.Header.Get("X-Codegrant-Secret")
		events <- e
	}))
	t.Cleanup(server.Close)
	c := newContractOf(t, "events: [{url: '"+server.URL+"', secret: 0123456789abcdef0123456789abcdef}]\n"+behaviorSeed)
	t.Cleanup(func() { _ = c.pool.Close() })
	expect := func(name, identity, fault string) told {
		t.Helper()
		select {
		case e := <-events:
			d := e.Detail
			if d.EventName != name || d.Identity.Type != identity || d.ErrorCode != fault || e.secret != "0123456789abcdef0123456789abcdef" || d.Parameters["userPoolId"] != shop {
				t.Errorf("event %+v, want %s", e, name)
			}
			return e
		case <-time.After(30 * time.Second):
			t.Fatalf("no event of %s", name)
			return told{}
		}
	}
	sdk := c.sdk()
	access := c.tokens().AccessToken
	c.code("web", nil)
	user, err := sdk.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol")})
	c.ok(err)
	sub := attributes(user.UserAttributes)["sub"]

	_, err = sdk.UpdateUserAttributes(t.Context(), &cip.UpdateUserAttributesInput{AccessToken: access, UserAttributes: []types.AttributeType{{Name: aws.String("name"), Value: aws.String("C.")}}})
	c.ok(err)
	if e := expect("UpdateUserAttributes", "Unknown", ""); e.Detail.Extra.Sub != sub {
		t.Errorf("event %+v", e)
	}
	_, err = sdk.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("admins")})
	c.refused(err, "GroupExistsException", "")
	if e := expect("CreateGroup", "IAMUser", "GroupExistsException"); e.Detail.Parameters["groupName"] != "admins" || e.Detail.Extra.Sub != "" {
		t.Errorf("event %+v", e)
	}
	_, err = sdk.DeleteUser(t.Context(), &cip.DeleteUserInput{AccessToken: access})
	c.ok(err)
	if e := expect("DeleteUser", "Unknown", ""); e.Detail.Extra.Sub != sub {
		t.Errorf("event %+v", e)
	}
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Email: "x@example.com", Username: "xavier"}))
	if e := expect("AdminCreateUser", "IAMUser", ""); e.Detail.Extra.Sub == "" || e.Detail.Parameters["username"] != "HIDDEN_DUE_TO_SECURITY_REASONS" {
		t.Errorf("event %+v", e)
	}
	if err := c.pool.SendEvents(localpool.EventsSeed{URL: "127.0.0.1:80"}); err == nil {
		t.Error("an address that is not a URL is taken")
	}
	if _, err := localpool.ParseSeed([]byte("events: [{url: 'http://127.0.0.1/', secret: \"a\\nb\"}]\n" + behaviorSeed)); err == nil || strings.Contains(err.Error(), "a\nb") {
		t.Errorf("ParseSeed() = %v", err)
	}
}
