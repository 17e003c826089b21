package localpool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// federated is a pool with three providers: a SAML one and Google, which are elsewhere,
// and the pool beside it.
func federated(t *testing.T) *contract {
	t.Helper()
	c := newContractOf(t, `
pools:
  - id: local_Shop1
    name: shop
    clients: [{id: spa, callback_urls: ["http://localhost:8080/cb"]}]
    users: [{username: carol, email: carol@example.com, password: Passw0rd!}]
  - id: local_Corp1
    name: corp
    clients: [{id: partner, secret: one1of2the3secrets4of5web, callback_urls: [http://127.0.0.1/oauth2/idpresponse]}]
    users: [{username: dave, email: dave@corp.example, name: Dave, password: Passw0rd!}]
`)
	c.ok(c.pool.RegisterURLs("partner", c.url+"/oauth2/idpresponse", c.url+"/"))
	for _, body := range []string{
		`{"ProviderName":"Corp","ProviderType":"OIDC","ProviderDetails":{"client_id":"partner","client_secret":"one1of2the3secrets4of5web","attributes_request_method":"GET","authorize_scopes":"openid email profile","oidc_issuer":"` + c.url + `/local_Corp1"},"AttributeMapping":{"email":"email","name":"name","username":"sub"},"IdpIdentifiers":["corp.example"]}`,
		`{"ProviderName":"Staff","ProviderType":"SAML","ProviderDetails":{"MetadataURL":"https://idp.example/metadata"},"AttributeMapping":{"email":"email","custom:team":"groups"}}`,
		`{"ProviderName":"Google","ProviderType":"Google","ProviderDetails":{"client_id":"g","client_secret":"s","authorize_scopes":"openid email"},"AttributeMapping":{"email":"email","email_verified":"email_verified"}}`,
	} {
		if a := c.call("CreateIdentityProvider", strings.Replace(body, "{", `{"UserPoolId":"local_Shop1",`, 1)); a.status != 200 {
			t.Fatalf("CreateIdentityProvider: %s", a.body)
		}
	}
	c.support("COGNITO", "Corp", "Staff", "Google")
	return c
}

func (c *contract) support(names ...string) {
	c.Helper()
	b, err := json.Marshal(names)
	c.ok(err)
	a := c.call("UpdateUserPoolClient", `{"UserPoolId":"local_Shop1","ClientId":"spa","ClientName":"spa","CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid","email","profile"],"AllowedOAuthFlowsUserPoolClient":true,"SupportedIdentityProviders":`+string(b)+`}`)
	if a.status != 200 {
		c.Fatalf("UpdateUserPoolClient: %s", a.body)
	}
}

// as signs somebody in at the page in a provider's place, and returns where the app is
// told.
func (c *contract) as(provider string, form map[string]string) url.Values {
	c.Helper()
	query := "/idp?" + query("spa", map[string]string{"identity_provider": provider}).Encode()
	page := c.do("GET", query, nil)
	token := page.body[strings.Index(page.body, `name="_csrf" value="`)+20:]
	values := url.Values{"_csrf": {token[:strings.Index(token, `"`)]}}
	for name, value := range form {
		values.Set(name, value)
	}
	a := c.do("POST", query, values)
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != 302 {
		c.Fatalf("status %d, %s, %v", a.status, a.body, err)
	}
	return u.Query()
}

// person redeems a code, and returns both tokens' claims.
func (c *contract) person(q url.Values) (id, access map[string]any) {
	c.Helper()
	if q.Get("code") == "" {
		c.Fatalf("no code: %v", q)
	}
	a := c.redeem("spa", q.Get("code"), nil)
	if a.status != 200 {
		c.Fatalf("redeem: %s", a.body)
	}
	_, id = c.claims(a.json["id_token"])
	_, access = c.claims(a.json["access_token"])
	return id, access
}

func TestFederation(t *testing.T) {
	c := federated(t)
	id, access := c.person(c.as("Staff", map[string]string{"subject": "E-17", "email": "Erin@example.com", "claims": `{"groups":["a b","c"],"department":"sales"}`}))
	if id["cognito:username"] != "staff_e-17" || access["username"] != "staff_e-17" || id["email"] != "erin@example.com" || id["email_verified"] != false || id["custom:team"] != "[a+b,c]" {
		t.Errorf("claims = %v", id)
	}
	if groups := fmt.Sprint(access["cognito:groups"]); groups != "[local_Shop1_Staff]" {
		t.Errorf("groups = %s", groups)
	}
	identities, _ := id["identities"].([]any)
	one, _ := identities[0].(map[string]any)
	if len(identities) != 1 || one["userId"] != "E-17" || one["providerName"] != "Staff" || one["providerType"] != "SAML" || one["primary"] != "true" || one["issuer"] != nil {
		t.Errorf("identities = %v", identities)
	}
	if date, ok := one["dateCreated"].(string); !ok || len(date) != 13 {
		t.Errorf("dateCreated = %v", one["dateCreated"])
	}
	a := c.call("AdminGetUser", `{"UserPoolId":"local_Shop1","Username":"staff_e-17"}`)
	if a.json["UserStatus"] != "EXTERNAL_PROVIDER" || !strings.Contains(a.body, `\"primary\":true`) {
		t.Errorf("user = %s", a.body)
	}
	if a := c.call("ListGroups", `{"UserPoolId":"local_Shop1"}`); !strings.Contains(a.body, "local_Shop1_Staff") {
		t.Errorf("groups = %s", a.body)
	}
	// Again: the same person; what the provider says is so now, and what it does not stays.
	again, _ := c.person(c.as("Staff", map[string]string{"subject": "E-17", "email": "erin@corp.example"}))
	if again["sub"] != id["sub"] || again["email"] != "erin@corp.example" || again["custom:team"] != "[a+b,c]" {
		t.Errorf("the second time: %v", again)
	}
	google, _ := c.person(c.as("Google", map[string]string{"subject": "123", "email": "frank@example.com"}))
	if google["email_verified"] != true {
		t.Errorf("a provider that vouches for the address: %v", google)
	}
	for what, tt := range map[string]struct {
		q    url.Values
		want string
	}{
		"refused by the provider": {c.as("Staff", map[string]string{"answer": "refuse"}), "access_denied"},
		"another provider's name": {c.redirected(map[string]string{"identity_provider": "Nobody"}), "Identity provider Nobody is not enabled for the client"},
	} {
		if tt.q.Get("error") != "invalid_request" || tt.q.Get("error_description") != tt.want || tt.q.Get("state") != "s t" {
			t.Errorf("%s: %v", what, tt.q)
		}
	}
	c.ok(c.pool.DisableUser("local_Shop1", "staff_e-17"))
	if q := c.as("Staff", map[string]string{"subject": "E-17"}); q.Get("error_description") != "User is not enabled" {
		t.Errorf("disabled: %v", q)
	}
	c.ok(c.pool.CreateUser("local_Shop1", localpool.UserSeed{Username: "staff_x", Email: "x@example.com"}))
	if q := c.as("Staff", map[string]string{"subject": "x"}); q.Get("error_description") != "Already found an entry for username staff_x" {
		t.Errorf("a name that is taken: %v", q)
	}
}

// redirected is where authorize sends the browser.
func (c *contract) redirected(changes map[string]string) url.Values {
	c.Helper()
	u, err := url.Parse(c.authorize("spa", changes).header.Get("Location"))
	c.ok(err)
	return u.Query()
}

// TestFederation_Linked: an identity that is linked to a user is that user.
func TestFederation_Linked(t *testing.T) {
	c := federated(t)
	if a := c.call("AdminLinkProviderForUser", `{"UserPoolId":"local_Shop1","DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"carol"},"SourceUser":{"ProviderName":"Google","ProviderAttributeName":"Cognito_Subject","ProviderAttributeValue":"77"}}`); a.status != 200 {
		t.Fatal(a.body)
	}
	id, access := c.person(c.as("Google", map[string]string{"subject": "77", "email": "carol@example.com"}))
	if access["username"] != "carol" || access["cognito:groups"] != nil || id["identities"] == nil {
		t.Errorf("linked: %v, %v", id, access)
	}
	// A function links as somebody new comes.
	err := c.pool.SetTrigger("local_Shop1", localpool.PreSignUp, localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		if event["triggerSource"] != "PreSignUp_ExternalProvider" {
			return errors.New("called for " + fmt.Sprint(event["triggerSource"]))
		}
		if event["userName"] == "google_refused" {
			return errors.New("Not with this address")
		}
		c.call("AdminLinkProviderForUser", `{"UserPoolId":"local_Shop1","DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"carol"},"SourceUser":{"ProviderName":"Google","ProviderAttributeName":"Cognito_Subject","ProviderAttributeValue":"88"}}`)
		return nil
	}})
	c.ok(err)
	if _, access := c.person(c.as("Google", map[string]string{"subject": "88"})); access["username"] != "carol" {
		t.Errorf("linked as they come: %v", access)
	}
	if q := c.as("Google", map[string]string{"subject": "refused"}); q.Get("error") != "invalid_request" || q.Get("error_description") != "PreSignUp failed with error Not with this address. " {
		t.Errorf("refused by a function: %v", q)
	}
	if a := c.call("AdminGetUser", `{"UserPoolId":"local_Shop1","Username":"google_refused"}`); a.status != 400 {
		t.Errorf("who was refused is a user: %s", a.body)
	}
}

// TestFederation_Inbound: a function says what is mapped.
func TestFederation_Inbound(t *testing.T) {
	c := federated(t)
	c.ok(c.pool.SetTrigger("local_Shop1", localpool.InboundFederation, localpool.Trigger{Func: func(_ context.Context, event map[string]any) error {
		request := event["request"].(map[string]any)
		if request["providerName"] != "Staff" || request["providerType"] != "SAML" {
			return fmt.Errorf("asked about %v", request)
		}
		said := request["attributes"].(map[string]any)["samlResponse"].(map[string]any)
		event["response"] = map[string]any{"userAttributesToMap": map[string]any{"NameID": said["NameID"], "email": "mapped@example.com"}}
		return nil
	}}))
	id, _ := c.person(c.as("Staff", map[string]string{"subject": "one", "email": "one@example.com", "claims": `{"groups":"dropped"}`}))
	if id["email"] != "mapped@example.com" || id["custom:team"] != nil {
		t.Errorf("claims = %v", id)
	}
}

// TestFederation_Required: a pool that requires an attribute takes nobody without it.
func TestFederation_Required(t *testing.T) {
	c := newContractOf(t, "pools: [{id: local_Any1, clients: [{id: any}]}]")
	var made struct{ UserPool struct{ Id string } }
	c.ok(json.Unmarshal([]byte(c.call("CreateUserPool", `{"PoolName":"strict","Schema":[{"Name":"email","AttributeDataType":"String","Required":true,"Mutable":true},{"Name":"family_name","AttributeDataType":"String","Mutable":false}]}`).body), &made))
	pool := made.UserPool.Id
	c.call("CreateIdentityProvider", `{"UserPoolId":"`+pool+`","ProviderName":"Staff","ProviderType":"SAML","ProviderDetails":{"MetadataURL":"https://idp.example/m"},"AttributeMapping":{"email":"email","family_name":"sn"}}`)
	var client struct{ UserPoolClient struct{ ClientId string } }
	c.ok(json.Unmarshal([]byte(c.call("CreateUserPoolClient", `{"UserPoolId":"`+pool+`","ClientName":"spa","CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid"],"AllowedOAuthFlowsUserPoolClient":true,"SupportedIdentityProviders":["Staff"]}`).body), &client))
	as := func(form url.Values) string {
		q := "/idp?" + url.Values{"client_id": {client.UserPoolClient.ClientId}, "response_type": {"code"}, "redirect_uri": {"http://localhost:8080/cb"}}.Encode()
		page := c.do("GET", q, nil)
		token := page.body[strings.Index(page.body, `name="_csrf" value="`)+20:]
		form.Set("_csrf", token[:strings.Index(token, `"`)])
		u, err := url.Parse(c.do("POST", q, form).header.Get("Location"))
		c.ok(err)
		return u.Query().Get("error_description")
	}
	for _, tt := range []struct{ email, claims, want string }{
		{"", `{}`, "attributes required: [email]"},
		{"erin@example.com", `{"sn":"Eriksen"}`, ""},
		{"erin@example.com", `{"sn":"Eriksen"}`, "user.family_name: Attribute cannot be updated."}, // which is not mutable
	} {
		if got := as(url.Values{"subject": {"E"}, "email": {tt.email}, "claims": {tt.claims}}); got != tt.want {
			t.Errorf("%s with %s: %q", tt.email, tt.claims, got)
		}
	}
}

// TestFederation_AnotherPool: a pool of the same server is a provider as any: its people
// sign in at its own page, and come back.
func TestFederation_AnotherPool(t *testing.T) {
	for _, choice := range []map[string]string{{"identity_provider": "Corp"}, {"idp_identifier": "CORP.example"}} {
		c := federated(t) // without the browser's session of before
		to := c.authorize("spa", choice).header.Get("Location")
		var steps []string
		for range 6 {
			u, err := url.Parse(to)
			c.ok(err)
			steps = append(steps, u.Path)
			if u.Host == "localhost:8080" {
				id, _ := c.person(u.Query())
				if id["email"] != "dave@corp.example" || id["name"] != "Dave" || !strings.HasPrefix(fmt.Sprint(id["cognito:username"]), "corp_") || u.Query().Get("state") != "s t" {
					t.Errorf("claims = %v, %v", id, u)
				}
				break
			}
			a := c.do("GET", u.RequestURI(), nil)
			if a.status == 200 {
				token := a.body[strings.Index(a.body, `name="_csrf" value="`)+20:]
				a = c.do("POST", u.RequestURI(), url.Values{"_csrf": {token[:strings.Index(token, `"`)]}, "username": {"dave"}, "password": {"Passw0rd!"}})
			}
			to = a.header.Get("Location")
		}
		t.Log(steps)
		if !slices.Contains(steps, "/oauth2/idpresponse") {
			t.Errorf("steps = %v", steps)
		}
	}
	// A response that nobody asked for signs nobody in.
	c := federated(t)
	for _, q := range []string{"", "?state=x&code=y", "?state=&code=y"} {
		if a := c.do("GET", "/oauth2/idpresponse"+q, nil); a.status != 302 || !strings.Contains(a.header.Get("Location"), "/error?") {
			t.Errorf("%s: status %d, %s", q, a.status, a.header.Get("Location"))
		}
	}
}

// TestFederation_Choice: the login page offers what the client has.
func TestFederation_Choice(t *testing.T) {
	c := federated(t)
	page := func() string { return c.do("GET", "/login?"+query("spa", nil).Encode(), nil).body }
	if body := page(); !strings.Contains(body, "Sign in with Corp") || !strings.Contains(body, "Sign in with Google") || !strings.Contains(body, `name="password"`) {
		t.Errorf("page = %s", body)
	}
	c.support("Google", "Staff")
	if body := page(); strings.Contains(body, "Sign in with Corp") || !strings.Contains(body, "Sign in with Google") || strings.Contains(body, `name="password"`) {
		t.Errorf("without the pool itself: %s", body)
	}
	c.support("Google")
	if to := c.authorize("spa", nil).header.Get("Location"); !strings.Contains(to, "/idp?") {
		t.Errorf("with one provider alone: %s", to)
	}
	if a := c.do(http.MethodPost, "/idp?"+query("spa", map[string]string{"identity_provider": "Google"}).Encode(), url.Values{"subject": {"1"}}); a.status != 403 {
		t.Errorf("a form of nowhere: status %d", a.status)
	}
	c.support("COGNITO", "Google")
	// Its link leads to the provider, and from there to the application.
	link := regexp.MustCompile(`href="(/idp\?[^"]*identity_provider=Google[^"]*)"`).FindStringSubmatch(page())
	if link == nil {
		t.Fatalf("there is no link to the provider: %s", page())
	}
	at := html.UnescapeString(link[1])
	a := c.do("GET", at, nil)
	token := regexp.MustCompile(`name="_csrf" value="([^"]+)"`).FindStringSubmatch(a.body)
	if a.status != 200 || token == nil {
		t.Fatalf("%s: status %d, %s", at, a.status, a.body)
	}
	a = c.do("POST", at, url.Values{"_csrf": {token[1]}, "subject": {"123"}, "email": {"gina@example.com"}, "answer": {"sign in"}})
	if to := a.header.Get("Location"); a.status != 302 || !strings.Contains(to, "code=") {
		t.Errorf("sign-in by the link: status %d, %s %s", a.status, to, a.body)
	}
}
