package localpool_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// register has a client register itself, with an access token or without.
func (c *contract) register(path, token, body string) answer {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), "POST", c.url+path, strings.NewReader(body))
	c.ok(err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return c.send(r)
}

// TestS532_Registration: clients register themselves within what the pool allows.
func TestS532_Registration(t *testing.T) {
	c := newContract(t)
	discovery := func() string {
		return text(c.do("GET", "/"+shop+"/.well-known/openid-configuration", nil).json["registration_endpoint"])
	}
	const some = `{"redirect_uris":["http://localhost:8080/cb"],"token_endpoint_auth_method":"none"}`
	if a := c.register("/oauth2/register", "", some); a.status != 404 || discovery() != "" {
		t.Errorf("where it is off: %d %s", a.status, a.body)
	}
	set := func(members string) {
		c.ask("UpdateUserPool", `{"UserPoolId":"`+shop+`","DcrConfiguration":{`+members+`}}`)
	}
	set(`"AllowedScopes":["orders/read","aws.cognito/dcr/register"]`)
	path := strings.TrimPrefix(discovery(), c.url)
	if !strings.HasPrefix(path, "/oauth2/register") {
		t.Fatalf("registration_endpoint = %q", path)
	}
	if a := c.register(path, "", some); a.status != 401 {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	machine := c.app(`"UserPoolId":"`+shop+`"`, `,"ClientSecret":"machine1secret2of3letters4","AllowedOAuthFlows":["client_credentials"],"AllowedOAuthScopes":["orders/read","aws.cognito/dcr/register"],"AllowedOAuthFlowsUserPoolClient":true`)
	id := text(parsed(t, `{`+machine+`}`).(map[string]any)["ClientId"])
	token := func(scope string) string {
		t.Helper()
		a := c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {"machine1secret2of3letters4"}, "scope": {scope}})
		return text(a.json["access_token"])
	}
	initial := token("aws.cognito/dcr/register")
	if a := c.register(path, token("orders/read"), some); a.status != 401 {
		t.Errorf("a token of another scope: %d %s", a.status, a.body)
	}
	if a := c.register(path, "a.b.c", some); a.status != 401 {
		t.Errorf("no token: %d %s", a.status, a.body)
	}
	a := c.register(path, initial, `{"redirect_uris":["http://localhost:8080/cb"],"grant_types":["authorization_code","client_credentials","refresh_token"],"client_name":"Agent"}`)
	if a.status != 201 || a.json["client_secret"] == nil || a.json["client_secret_expires_at"] != 0.0 || a.json["scope"] != "openid email phone profile orders/read" || a.json["client_name"] != "Agent" {
		t.Fatalf("registered: %d %s", a.status, a.body)
	}
	made := text(a.json["client_id"])
	if got := c.ask("DescribeUserPoolClient", `{"UserPoolId":"`+shop+`","ClientId":"`+made+`"}`); inner(got, "UserPoolClient", "ClientType") != "DCR" {
		t.Errorf("described: %v", got)
	}
	if got := c.ask("ListUserPoolClients", `{"UserPoolId":"`+shop+`","ClientType":"DCR"}`)["UserPoolClients"].([]any); len(got) != 1 {
		t.Errorf("listed: %v", got)
	}
	c.no("AddUserPoolClientSecret", `{"UserPoolId":"`+shop+`","ClientId":"`+made+`"}`, "InvalidParameterException", "registered itself")
	c.no("ListUserPoolClientSecrets", `{"UserPoolId":"`+shop+`","ClientId":"`+made+`"}`, "InvalidParameterException", "registered itself")
	c.no("DeleteUserPoolClientSecret", `{"UserPoolId":"`+shop+`","ClientId":"`+made+`","ClientSecretId":"`+made+`--1"}`, "InvalidParameterException", "registered itself")
	if a := c.signIn(made, "carol", "Passw0rd!", nil); a.to == nil || a.to.Query().Get("code") == "" {
		t.Errorf("a sign-in: %d %s", a.status, a.body)
	}
	for what, tt := range map[string]struct{ body, code string }{
		"a scope of nobody's":         {`{"redirect_uris":["http://localhost:8080/cb"],"scope":"orders/write"}`, "invalid_client_metadata"},
		"the scope to register":       {`{"redirect_uris":["http://localhost:8080/cb"],"scope":"aws.cognito/dcr/register"}`, "invalid_client_metadata"},
		"the implicit grant":          {`{"redirect_uris":["http://localhost:8080/cb"],"grant_types":["implicit"]}`, "invalid_client_metadata"},
		"no callback":                 {`{}`, "invalid_redirect_uri"},
		"a callback without TLS":      {`{"redirect_uris":["http://app.example/cb"]}`, "invalid_redirect_uri"},
		"a machine without secret":    {`{"grant_types":["client_credentials"],"token_endpoint_auth_method":"none"}`, "invalid_client_metadata"},
		"another way to prove itself": {`{"redirect_uris":["http://localhost:8080/cb"],"token_endpoint_auth_method":"private_key_jwt"}`, "invalid_client_metadata"},
		"no JSON":                     {`x`, "invalid_client_metadata"},
	} {
		if a := c.register(path, initial, tt.body); a.status != 400 || a.json["error"] != tt.code {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	// Without a token, where the pool allows that, there is less.
	set(`"OpenDcrEnabled":true,"AllowedScopes":[]`)
	if a := c.register(path, "", some); a.status != 201 || a.json["client_secret"] != nil || a.json["scope"] != "openid email phone profile" {
		t.Errorf("open: %d %s", a.status, a.body)
	}
	if a := c.register(path, "", `{"grant_types":["client_credentials"]}`); a.status != 400 {
		t.Errorf("open, a machine: %d %s", a.status, a.body)
	}
	set(`"OpenDcrEnabled":true,"OpenDcrGrantTypes":[]`)
	if a := c.register(path, "", some); a.status != 400 {
		t.Errorf("open, no grant: %d %s", a.status, a.body)
	}
	set(`"EnableStatus":"Disabled"`)
	if a := c.register(path, initial, some); a.status != 404 || discovery() != "" {
		t.Errorf("off again: %d %s", a.status, a.body)
	}
}
