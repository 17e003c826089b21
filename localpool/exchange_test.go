package localpool_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestTokenExchange: at the token endpoint, a token is had for another: for fewer scopes
// and another audience, by clients that may.
func TestTokenExchange(t *testing.T) {
	c := newContract(t)
	pool := `"UserPoolId":"` + shop + `"`
	clients := make(map[string]string)
	for name, flows := range map[string]string{"acts": `"ALLOW_TOKEN_EXCHANGE_DELEGATION"`, "is": `"ALLOW_TOKEN_EXCHANGE_IMPERSONATION"`, "none": `"ALLOW_USER_SRP_AUTH"`} {
		app := c.app(pool, `,"ExplicitAuthFlows":[`+flows+`],"AllowedOAuthScopes":["openid","orders/read"],"AllowedOAuthFlows":["code"],"CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlowsUserPoolClient":true`)
		clients[name] = text(parsed(t, `{`+app+`}`).(map[string]any)["ClientId"])
	}
	code := c.code("web", map[string]string{"scope": "openid email orders/read"})
	subject := text(c.redeem("web", code, url.Values{"client_secret": {secretOne}}).json["access_token"])
	exchange := func(client string, more url.Values) answer {
		t.Helper()
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {clients[client]},
			"subject_token": {subject}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		}
		for name, values := range more {
			form[name] = values
		}
		return c.do("POST", "/oauth2/token", form)
	}
	a := exchange("is", url.Values{"audience": {"https://orders.example"}})
	if a.status != 200 || a.json["refresh_token"] != nil || a.json["token_type"] != "Bearer" || a.json["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" {
		t.Fatalf("exchange: %s", a.body)
	}
	_, claims := c.claims(a.json["access_token"])
	if claims["aud"] != "https://orders.example" || claims["scope"] != "openid orders/read" || claims["client_id"] != clients["is"] || claims["username"] != "carol" || claims["act"] != nil || claims["acr"] != "urn:cognito:loa:1" {
		t.Errorf("claims = %v", claims)
	}
	a = exchange("acts", url.Values{"actor_token": {subject}, "actor_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "scope": {"orders/read"}})
	if _, claims := c.claims(a.json["access_token"]); inner(claims, "act", "client_id") != "web" || claims["scope"] != "orders/read" || a.json["scope"] != "orders/read" {
		t.Errorf("with an actor: %v", claims)
	}
	a = exchange("is", url.Values{"requested_token_type": {"urn:ietf:params:oauth:token-type:id_token"}})
	if _, claims := c.claims(a.json["access_token"]); a.json["token_type"] != "N_A" || claims["token_use"] != "id" || claims["aud"] != clients["is"] {
		t.Errorf("an ID token: %v", claims)
	}
	for what, tt := range map[string]struct {
		client string
		more   url.Values
		code   string
	}{
		"a client that may not":    {"none", nil, "unauthorized_client"},
		"without an actor":         {"acts", nil, "unauthorized_client"},
		"a scope of another":       {"is", url.Values{"scope": {"orders/write"}}, "invalid_scope"},
		"no token":                 {"is", url.Values{"subject_token": {"a.b.c"}}, "invalid_grant"},
		"another's signature":      {"is", url.Values{"subject_token": {subject[:strings.LastIndex(subject, ".")] + ".AAAA"}}, "invalid_grant"},
		"no type":                  {"is", url.Values{"subject_token_type": {""}}, "invalid_request"},
		"two audiences":            {"is", url.Values{"audience": {"https://a.example"}, "resource": {"https://b.example"}}, "invalid_request"},
		"an actor without a type":  {"acts", url.Values{"actor_token": {subject}}, "invalid_request"},
		"an ID token as an access": {"is", url.Values{"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}}, "invalid_grant"},
	} {
		if a := exchange(tt.client, tt.more); a.status != 400 || a.json["error"] != tt.code {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	c.ask("AdminUserGlobalSignOut", `{`+pool+`,"Username":"carol"}`)
	if a := exchange("is", nil); a.json["error"] != "invalid_grant" {
		t.Errorf("revoked: %s", a.body)
	}
}
