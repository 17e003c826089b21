package localpool_test

import (
	"strings"
	"testing"
)

// TestSeedKeepsEmail: with keep_email_until_verified, a new address replaces the former one
// when its code was entered, and not before.
func TestSeedKeepsEmail(t *testing.T) {
	for _, keep := range []bool{false, true} {
		seed := "pools:\n  - id: local_Keep1\n    clients: [{id: app, auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]\n    users: [{username: erin, email: erin@example.com, password: Passw0rd!}]\n"
		if keep {
			seed += "    keep_email_until_verified: true\n"
		}
		c := newContractOf(t, seed)
		in := c.ask("InitiateAuth", `{"ClientId":"app","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"erin","PASSWORD":"Passw0rd!"}}`)
		token := `"AccessToken":"` + text(inner(in, "AuthenticationResult", "AccessToken")) + `"`
		address := func() string { return strings.Join(values(c.ask("GetUser", `{`+token+`}`)["UserAttributes"]), " ") }
		c.ask("UpdateUserAttributes", `{`+token+`,"UserAttributes":[{"Name":"email","Value":"new@example.com"}]}`)
		if got := address(); strings.Contains(got, "erin@example.com") != keep || strings.Contains(got, "new@example.com") == keep {
			t.Errorf("keep %v: before the code the person has %s", keep, got)
		}
		code, _ := c.pool.LastCode("new@example.com")
		c.ask("VerifyUserAttribute", `{`+token+`,"AttributeName":"email","Code":"`+code+`"}`)
		if got := address(); !strings.Contains(got, "new@example.com") || strings.Contains(got, "erin@example.com") {
			t.Errorf("keep %v: after the code the person has %s", keep, got)
		}
	}
}
