package localpool_test

import (
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// TestSeedTexts: what looks like a number, and stands where a text does, is the text.
func TestSeedTexts(t *testing.T) {
	for _, written := range []string{"007", "7", "+15550100", "1.10", "1_000", "1e3", "0x1F", "0o17", "0b11", "-0", ".5", "12.", "true", "True", "yes", "no", "on", ".inf", "-.inf", ".nan", "1990-01-01", "1__0", "00", "9999999999999999999999", "'007'", `"1.10"`} {
		want := strings.Trim(written, `'"`)
		seed, err := localpool.ParseSeed([]byte(`
pools:
  - id: local_Texts1
    name: ` + written + ` # a comment
    password_length: 10
    groups: [{name: a` + `, description: ` + written + `}]
    resource_servers: [{identifier: ` + written + `, scopes: [` + written + `]}]
    clients:
      - {id: web, name: ` + written + `, secret: ` + written + `, access_token_validity: 5m}
    users:
      - username: ` + written + `
        password: ` + written + `
        name: ` + written + `
        attributes: {` + written + `: ` + written + `, "custom:n": ` + written + `}
`))
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		p, u := seed.Pools[0], seed.Pools[0].Users[0]
		for what, got := range map[string]string{
			"pool": p.Name, "group": p.Groups[0].Description, "server": p.ResourceServers[0].Identifier, "scope": p.ResourceServers[0].Scopes[0],
			"client": p.Clients[0].Name, "secret": p.Clients[0].Secret, "username": u.Username, "password": u.Password, "name": u.Name,
			"attribute": u.Attributes[want], "custom attribute": u.Attributes["custom:n"],
		} {
			if got != want {
				t.Errorf("%s: the %s is %q", written, what, got)
			}
		}
		if p.PasswordLength != 10 || p.Clients[0].AccessTokenValidity.Minutes() != 5 {
			t.Errorf("numbers that are some: %+v", p)
		}
	}
	one := func(user string) (localpool.UserSeed, error) {
		seed, err := localpool.ParseSeed([]byte("pools:\n  - id: local_Texts1\n    password_length: &n 010\n    clients: [{id: web}]\n    users:\n      - " + user + "\n"))
		if err != nil {
			return localpool.UserSeed{}, err
		}
		return seed.Pools[0].Users[0], nil
	}
	for user, want := range map[string]string{
		"{username: &u 007, password: *u}": "007",
		"{username: u, password: *n}":      "010",
		"{username: u, password: }":        "",
		"{username: u, password: \"\"}":    "",
	} {
		if got, err := one(user); err != nil || got.Password != want {
			t.Errorf("%s: password %q, %v", user, got.Password, err)
		}
	}
	for _, user := range []string{"{username: null}", "{username: ~, email: a@example.com}", "{username: u, password: !!str 007}", "{username: u, password: !!int '7'}", "{username: u, password: [1]}", "{username: u, attributes: {name: null}}"} {
		if _, err := one(user); err == nil || !strings.Contains(err.Error(), "[6:") {
			t.Errorf("%s: %v, which names no line", user, err)
		}
	}
}

// TestSeededURLs: a URL is one text, wherever it stands, with a port and without.
func TestSeededURLs(t *testing.T) {
	for _, written := range []string{"http://localhost:8080/cb", "http://127.0.0.1:3000", "https://app.example.com/cb", "http://[::1]:8080/cb", "myapp://cb", `"http://localhost:8080/cb"`} {
		want := strings.Trim(written, `"`)
		for _, clients := range []string{
			"[{id: web, callback_urls: [" + written + ", http://localhost:1/], scopes: [openid]}]",
			"\n      - {id: web, callback_urls: [" + written + "]}",
			"\n      - id: web\n        callback_urls: [" + written + "]",
			"\n      - id: web\n        callback_urls:\n          - " + written,
		} {
			seed, err := localpool.ParseSeed([]byte("pools:\n  - id: local_Urls1\n    clients: " + clients + "\n"))
			if err != nil {
				if !strings.Contains(written, "[::1]") { // whose brackets are YAML's
					t.Errorf("%s: %v", clients, err)
				}
				continue
			}
			if got := seed.Pools[0].Clients[0].CallbackURLs[0]; got != want {
				t.Errorf("%s: %q", clients, got)
			}
		}
	}
	if _, err := localpool.ParseSeed([]byte("pools:\n  - id: local_Urls1\n    clients: [{id: web, callback_urls: [http://localhost: 8080]}]\n")); err == nil {
		t.Error("a key and its value is taken for a URL")
	}
}

// TestSeededDates: what a seed makes has dates, and its clients have names.
func TestSeededDates(t *testing.T) {
	c := newContract(t)
	for operation, body := range map[string]string{
		"AdminListGroupsForUser": `{"UserPoolId":"local_Shop1","Username":"carol"}`, "ListGroups": `{"UserPoolId":"local_Shop1"}`, "GetGroup": `{"UserPoolId":"local_Shop1","GroupName":"admins"}`,
	} {
		if a := c.call(operation, body); !strings.Contains(a.body, `"CreationDate":1`) || strings.Contains(a.body, "Date\":-") {
			t.Errorf("%s: %s", operation, a.body)
		}
	}
	if a := c.call("DescribeUserPoolClient", `{"UserPoolId":"local_Shop1","ClientId":"spa"}`); !strings.Contains(a.body, `"ClientName":"spa"`) {
		t.Errorf("a client that the seed has no name for: %s", a.body)
	}
}
