package localpool_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestAPI_GoingBack: users and groups are what they were; who has changed the password since
// keeps it.
func TestAPI_GoingBack(t *testing.T) {
	c := newContract(t)
	pool := c.made("")
	app := c.app(pool, `,"ExplicitAuthFlows":["ALLOW_USER_PASSWORD_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]`)
	user := func(name string) string { return `{` + pool + `,"Username":"` + name + `"` }
	for _, name := range []string{"erin", "frank", "grace"} {
		c.ask("AdminCreateUser", user(name)+`,"MessageAction":"SUPPRESS","UserAttributes":[{"Name":"email","Value":"`+name+`@example.com"}]}`)
		c.ask("AdminSetUserPassword", user(name)+`,"Password":"Passw0rd!","Permanent":true}`)
	}
	c.ask("CreateGroup", `{`+pool+`,"GroupName":"staff","Description":"before"}`)
	c.ask("AdminAddUserToGroup", user("erin")+`,"GroupName":"staff"}`)
	sub := c.ask("AdminGetUser", user("frank")+`}`)
	c.ahead.Add(int64(30 * time.Minute))
	at, _ := json.Marshal(time.Now().Add(time.Duration(c.ahead.Load()) - time.Second).Unix())
	c.ahead.Add(int64(2 * time.Second))

	c.ask("AdminUpdateUserAttributes", user("erin")+`,"UserAttributes":[{"Name":"email","Value":"other@example.com"}]}`)
	c.ask("AdminDeleteUser", user("frank")+`}`)
	c.ask("AdminSetUserPassword", user("grace")+`,"Password":"N3wPassword!","Permanent":true}`)
	c.ask("AdminUpdateUserAttributes", user("grace")+`,"UserAttributes":[{"Name":"name","Value":"Grace"}]}`)
	c.ask("AdminCreateUser", user("henry")+`,"MessageAction":"SUPPRESS"}`)
	c.ask("DeleteGroup", `{`+pool+`,"GroupName":"staff"}`)
	c.ask("CreateGroup", `{`+pool+`,"GroupName":"later"}`)
	c.ask("AdminAddUserToGroup", user("grace")+`,"GroupName":"later"}`)
	c.ahead.Add(int64(time.Hour))

	r := c.ask("InitiatePointInTimeRecovery", `{`+pool+`,"RestoreTimestamp":`+string(at)+`}`)
	if !has(inner(r, "Restoration", "RestorePreview"), parsed(t, `[{"Entity":"Users","CreateCount":1,"UpdateCount":2,"DeleteCount":1},{"Entity":"Groups","CreateCount":1,"UpdateCount":0,"DeleteCount":1},{"Entity":"User MFAs"},{"Entity":"Passkeys"}]`)) {
		t.Errorf("preview = %v", r)
	}
	c.ask("StartPointInTimeRecovery", `{`+pool+`,"RestoreId":"`+text(inner(r, "Restoration", "RestoreId"))+`"}`)
	if got := c.ask("AdminGetUser", user("frank")+`}`); strings.Join(values(got["UserAttributes"]), " ") != strings.Join(values(sub["UserAttributes"]), " ") {
		t.Errorf("frank = %v, was %v", got, sub)
	}
	if got := c.ask("AdminGetUser", user("erin")+`}`); !strings.Contains(strings.Join(values(got["UserAttributes"]), " "), "erin@example.com") {
		t.Errorf("erin = %v", got)
	}
	if got := c.ask("ListUsers", `{`+pool+`,"Filter":"email = \"other@example.com\""}`); len(got["Users"].([]any)) != 0 {
		t.Errorf("an address that is nobody's is found: %v", got)
	}
	c.no("AdminGetUser", user("henry")+`}`, "UserNotFoundException", "")
	if got := c.ask("ListUsersInGroup", `{`+pool+`,"GroupName":"staff"}`); len(got["Users"].([]any)) != 1 {
		t.Errorf("members = %v", got)
	}
	c.no("GetGroup", `{`+pool+`,"GroupName":"later"}`, "ResourceNotFoundException", "")
	sign := func(name, password string) answer {
		return c.call("InitiateAuth", `{`+app+`,"AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"`+name+`","PASSWORD":"`+password+`"}}`)
	}
	for name, password := range map[string]string{"erin": "Passw0rd!", "frank": "Passw0rd!", "grace": "N3wPassword!"} {
		if a := sign(name, password); inner(a.json, "AuthenticationResult", "AccessToken") == nil {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if got := c.ask("ListUsers", `{`+pool+`}`); len(got["Users"].([]any)) != 3 {
		t.Errorf("users = %v", got)
	}
}
