package localpool_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

func userSeed(name string) localpool.UserSeed {
	return localpool.UserSeed{Username: name, Email: name + "@example.com", Password: "Passw0rd!"}
}

var inputName = regexp.MustCompile(`<input id="([^"]+)" name="[^"]+" type="([^"]+)"(?: (?:auto|mini|maxi|min|max)[a-z]*="[^"]*")*( required)?`)

// signingUp makes a pool with a client that has pages, and returns the query of its pages.
func (c *contract) signingUp(pool string) (id, query string) {
	c.Helper()
	made := c.ask("CreateUserPool", `{"PoolName":"strict",`+pool+`}`)
	id = text(inner(made, "UserPool", "Id"))
	client := c.ask("CreateUserPoolClient", `{"UserPoolId":"`+id+`","ClientName":"spa","CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid"],"AllowedOAuthFlowsUserPoolClient":true}`)
	return id, url.Values{"client_id": {text(inner(client, "UserPoolClient", "ClientId"))}, "response_type": {"code"}, "redirect_uri": {"http://localhost:8080/cb"}}.Encode()
}

// TestSignUpPage_RequiredAttributes: the page asks for each attribute that the pool
// requires, in the person's language, and what is wrong is said as the API says it.
func TestSignUpPage_RequiredAttributes(t *testing.T) {
	c := newContract(t)
	pool, query := c.signingUp(`"AutoVerifiedAttributes":["email"],"Schema":[` +
		`{"Name":"birthdate","Required":true},{"Name":"phone_number","Required":true},{"Name":"family_name","Required":true,"StringAttributeConstraints":{"MinLength":"2","MaxLength":"20"}},` +
		`{"Name":"updated_at","Required":true},{"Name":"website","Required":true},{"Name":"nickname"},{"Name":"plan","AttributeDataType":"String"}]`)
	page := c.do("GET", "/signup?"+query, nil)
	var fields []string
	for _, f := range inputName.FindAllStringSubmatch(page.body, -1) {
		fields = append(fields, f[1]+" "+f[2]+f[3])
	}
	want := []string{
		"username email required", "name text", "requiredAttributes[family_name] text required", "requiredAttributes[website] url required",
		"requiredAttributes[birthdate] date required", "requiredAttributes[phone_number] tel required", "requiredAttributes[updated_at] number required", "password password required",
	}
	if slices.Sort(fields); !slices.Equal(fields, slices.Sorted(slices.Values(want))) {
		t.Errorf("fields = %q, want %q", fields, want)
	}
	if !strings.Contains(page.body, `minlength="2" maxlength="20"`) || !strings.Contains(page.body, `min="0"`) {
		t.Errorf("bounds: %s", page.body)
	}
	for lang, label := range map[string]string{"de": "Geburtsdatum", "ja": "生年月日", "zh-TW": "電話號碼", "en": "Family name"} {
		if body := c.do("GET", "/signup?lang="+lang+"&"+query, nil).body; !strings.Contains(body, ">"+label+"</label>") {
			t.Errorf("%s: no %s", lang, label)
		}
	}
	form := map[string]string{
		"username": "erin@example.com", "password": "Passw0rd!", "requiredAttributes[birthdate]": "1990-02-03", "requiredAttributes[phone_number]": "+15550100",
		"requiredAttributes[family_name]": "Eriksen", "requiredAttributes[updated_at]": "17", "requiredAttributes[website]": "https://erin.example",
		"requiredAttributes[nickname]": "not asked for", "requiredAttributes[custom:plan]": "gold", "requiredAttributes[sub]": "me", "requiredAttributes[email_verified]": "true",
	}
	send := func(changed, value string) answer {
		values := url.Values{"_csrf": {csrfField.FindStringSubmatch(page.body)[1]}}
		for name, v := range form {
			values.Set(name, v)
		}
		if changed != "" {
			values.Set(changed, value)
		}
		return c.do("POST", "/signup?"+query, values)
	}
	for _, tt := range []struct{ field, value, said string }{
		{"requiredAttributes[birthdate]", "", "birthdate: The attribute is required"},
		{"requiredAttributes[birthdate]", "3 Feb", "birthdate: String must be no shorter than 10 characters"},
		{"requiredAttributes[phone_number]", "0170", "Invalid phone number format."},
		{"requiredAttributes[family_name]", "E", "family_name: String must be no shorter than 2 characters"},
		{"requiredAttributes[updated_at]", "today", "updated_at: Attribute value should be a number."},
		{"username", "nowhere", "Invalid email address format."},
	} {
		a := send(tt.field, tt.value)
		if !strings.Contains(a.body, tt.said) || !strings.Contains(a.body, `value="https://erin.example"`) || strings.Contains(a.body, "Passw0rd!") {
			t.Errorf("%s %q: %s", tt.field, tt.value, a.body)
		}
	}
	if a := send("", ""); !strings.Contains(a.body, "We sent a code to erin@example.com.") {
		t.Fatalf("sent: %s", a.body)
	}
	erin := c.ask("AdminGetUser", `{"UserPoolId":"`+pool+`","Username":"erin"}`)
	got := make(map[string]string)
	list, _ := erin["UserAttributes"].([]any)
	for _, a := range list {
		m, _ := a.(map[string]any)
		got[text(m["Name"])] = text(m["Value"])
	}
	if got["birthdate"] != "1990-02-03" || got["phone_number"] != "+15550100" || got["family_name"] != "Eriksen" || got["updated_at"] != "17" ||
		got["nickname"] != "" || got["custom:plan"] != "" || got["sub"] == "me" || got["email_verified"] == "true" {
		t.Errorf("attributes = %v", got)
	}
}

// TestSignUpPage_Phone: a pool whose people sign in by phone number asks for that, and one
// that takes both takes either.
func TestSignUpPage_Phone(t *testing.T) {
	c := newContract(t)
	for _, tt := range []struct{ pool, label, field, typed, attribute, other string }{
		{`"UsernameAttributes":["phone_number"],"AutoVerifiedAttributes":["phone_number"]`, "Phone number", `name="username" type="tel"`, "+15550101", "phone_number", ""},
		{`"UsernameAttributes":["email","phone_number"],"AutoVerifiedAttributes":["email","phone_number"]`, "E-mail address or phone number", `name="username" type="text"`, "+15550102", "phone_number", ""},
		{`"UsernameAttributes":["email","phone_number"],"AutoVerifiedAttributes":["email"],"Schema":[{"Name":"email","Required":true}]`, "E-mail address or phone number", `name="username" type="text"`, "frank@example.com", "email", ""},
		{`"AutoVerifiedAttributes":["phone_number"]`, "E-mail address", `name="requiredAttributes[phone_number]" type="tel"`, "gina@example.com", "email", "+15550103"},
	} {
		pool, query := c.signingUp(tt.pool)
		page := c.do("GET", "/signup?"+query, nil)
		if !strings.Contains(page.body, `<label for="username">`+tt.label+`</label>`) || !strings.Contains(page.body, tt.field) {
			t.Errorf("%s: %s", tt.pool, page.body)
			continue
		}
		form := url.Values{"_csrf": {csrfField.FindStringSubmatch(page.body)[1]}, "username": {tt.typed}, "password": {"Passw0rd!"}}
		if tt.other != "" {
			form.Set("requiredAttributes[phone_number]", tt.other)
		}
		a := c.do("POST", "/signup?"+query, form)
		sentTo := tt.typed
		if tt.other != "" {
			sentTo = tt.other
		}
		if !strings.Contains(strings.ReplaceAll(a.body, "&#43;", "+"), "We sent a code to "+sentTo+".") {
			t.Errorf("%s: %s", tt.pool, a.body)
		}
		users := c.call("ListUsers", `{"UserPoolId":"`+pool+`"}`)
		if !strings.Contains(users.body, `{"Name":"`+tt.attribute+`","Value":"`+tt.typed+`"}`) {
			t.Errorf("%s: users %s", tt.pool, users.body)
		}
	}
}
