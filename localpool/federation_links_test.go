package localpool_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const linkable = `"UserPoolId":"` + shop + `"`

// linkTo links somebody at a provider to carol by an attribute.
func (c *contract) linkTo(provider, attribute, value string) answer {
	c.Helper()
	return c.call("AdminLinkProviderForUser", `{`+linkable+`,"DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"carol"},"SourceUser":{"ProviderName":"`+provider+`","ProviderAttributeName":"`+attribute+`","ProviderAttributeValue":"`+value+`"}}`)
}

func (c *contract) disable(provider, attribute, value string) answer {
	c.Helper()
	return c.call("AdminDisableProviderForUser", `{`+linkable+`,"User":{"ProviderName":"`+provider+`","ProviderAttributeName":"`+attribute+`","ProviderAttributeValue":"`+value+`"}}`)
}

// subjects are what a user is called at providers.
func (c *contract) subjects(username string) string {
	c.Helper()
	a := c.call("AdminGetUser", `{`+linkable+`,"Username":"`+username+`"}`)
	var ids []string
	for _, found := range regexp.MustCompile(`\\"userId\\":\\"([^\\]+)\\"`).FindAllStringSubmatch(a.body, -1) {
		ids = append(ids, found[1])
	}
	return strings.Join(ids, " ")
}

// TestS763_LinkedByAnotherAttribute: whoever a provider says this of is the linked user, the
// first who comes, and from then on by what the provider calls them alone.
func TestS763_LinkedByAnotherAttribute(t *testing.T) {
	for _, tt := range []struct{ provider, attribute, value, said string }{
		{"Staff", "email", "Erin@corp.example", `{"email":"erin@corp.example"}`}, // mapped, and folded
		{"Staff", "custom:team", "blue", `{"groups":"blue"}`},                    // by its name at the pool
		{"Staff", "department", "sales", `{"department":"sales"}`},               // a claim that is not mapped
	} {
		t.Run(tt.attribute, func(t *testing.T) {
			t.Parallel()
			c := federated(t)
			if a := c.linkTo(tt.provider, tt.attribute, tt.value); a.status != 200 {
				t.Fatal(a.body)
			}
			// Somebody else, even if they are called what was linked, is not the one.
			if _, access := c.person(c.as(tt.provider, map[string]string{"subject": tt.value, "claims": `{}`})); access["username"] == "carol" {
				t.Errorf("a subject passes for the attribute: %v", access)
			}
			id, access := c.person(c.as(tt.provider, map[string]string{"subject": "E-17", "claims": tt.said}))
			if access["username"] != "carol" || id["identities"] == nil || c.subjects("carol") != "E-17" {
				t.Fatalf("linked: %v, %v, %q", access["username"], id["identities"], c.subjects("carol"))
			}
			// The next who is said the same of is another person.
			if _, access := c.person(c.as(tt.provider, map[string]string{"subject": "F-18", "claims": tt.said})); access["username"] == "carol" {
				t.Errorf("two people are one: %v", access)
			}
			if _, access := c.person(c.as(tt.provider, map[string]string{"subject": "E-17", "claims": `{}`})); access["username"] != "carol" {
				t.Errorf("again, without the attribute: %v", access)
			}
			// It ends by what the provider calls them, and no longer by the attribute.
			if a := c.disable(tt.provider, tt.attribute, tt.value); a.json["__type"] != "UserNotFoundException" {
				t.Errorf("by the attribute: %s", a.body)
			}
			if a := c.disable(tt.provider, "Cognito_Subject", "E-17"); a.status != 200 || c.subjects("carol") != "" {
				t.Errorf("by the subject: %s, %q", a.body, c.subjects("carol"))
			}
			if _, access := c.person(c.as(tt.provider, map[string]string{"subject": "E-17", "claims": `{}`})); access["username"] == "carol" {
				t.Errorf("no longer linked: %v", access)
			}
		})
	}
}

// TestS763_LinksOutliveARestart: an identity that has not signed in yet is known by its
// attribute after a snapshot, and a refused sign-in leaves it so.
func TestS763_LinksOutliveARestart(t *testing.T) {
	c := federated(t)
	c.linkTo("Staff", "department", "sales")
	b, err := c.pool.Snapshot()
	c.ok(err)
	c.ok(c.pool.Restore(b))
	c.ok(c.pool.DisableUser(shop, "carol"))
	if q := c.as("Staff", map[string]string{"subject": "E-17", "claims": `{"department":"sales"}`}); q.Get("error_description") != "User is not enabled" || c.subjects("carol") != "sales" {
		t.Errorf("disabled: %v, %q", q, c.subjects("carol"))
	}
	c.call("AdminEnableUser", `{`+linkable+`,"Username":"carol"}`)
	if _, access := c.person(c.as("Staff", map[string]string{"subject": "E-17", "claims": `{"department":"sales"}`})); access["username"] != "carol" {
		t.Errorf("after a restart: %v", access)
	}
	if a := c.disable("Staff", "Cognito_Subject", "E-17"); a.status != 200 {
		t.Error(a.body)
	}
	// What was linked by the attribute before can be linked by the subject.
	if a := c.linkTo("Staff", "Cognito_Subject", "sales"); a.status != 200 {
		t.Error(a.body)
	}
	if a := c.disable("Staff", "Cognito_Subject", "sales"); a.status != 200 || c.subjects("carol") != "" {
		t.Errorf("a subject that was an attribute: %s, %q", a.body, c.subjects("carol"))
	}
	c.linkTo("Staff", "department", "sales")
	if a := c.disable("Staff", "department", "sales"); a.status != 200 || c.subjects("carol") != "" {
		t.Errorf("before they came: %s, %q", a.body, c.subjects("carol"))
	}
}

// TestLink_Refused: who cannot be linked, and to whom.
func TestLink_Refused(t *testing.T) {
	c := federated(t)
	c.person(c.as("Staff", map[string]string{"subject": "there", "email": "there@example.com"}))
	c.ok(c.pool.CreateUser(shop, userSeed("erin")))
	if a := c.linkTo("Google", "Cognito_Subject", "77"); a.status != 200 {
		t.Fatal(a.body)
	}
	for _, tt := range []struct{ destination, provider, attribute, value, message string }{
		{"carol", "Google", "email", "a@example.com", "SourceUser.ProviderAttributeName must be Cognito_Subject for provider type Google."},
		{"carol", "Cognito", "Cognito_Subject", "erin", "Invalid SourceUser: Cognito users with a username/password may not be passed in as a SourceUser, only as a DestinationUser"},
		{"carol", "Nobody", "Cognito_Subject", "1", "The provider Nobody does not exist for User Pool local_Shop1"},
		{"carol", "Staff", "Cognito_Subject", "there", "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link"},
		{"erin", "Google", "Cognito_Subject", "77", "SourceUser is already linked to DestinationUser"},
		{"staff_there", "Google", "Cognito_Subject", "78", "Invalid DestinationUser"},
		{"carol", "Google", "Cognito_Subject", "", "SourceUser.ProviderAttributeValue is required."},
	} {
		c.no("AdminLinkProviderForUser", `{`+linkable+`,"DestinationUser":{"ProviderName":"Cognito","ProviderAttributeValue":"`+tt.destination+`"},"SourceUser":{"ProviderName":"`+tt.provider+`","ProviderAttributeName":"`+tt.attribute+`","ProviderAttributeValue":"`+tt.value+`"}}`, "InvalidParameterException", tt.message)
	}
	if c.subjects("carol") != "77" || c.subjects("erin") != "" {
		t.Errorf("identities = %q, %q", c.subjects("carol"), c.subjects("erin"))
	}
}

// TestS764_DisableProvider: each kind of user can no longer sign in that way, and can in
// the others.
func TestS764_DisableProvider(t *testing.T) {
	c := federated(t)
	signIn := func() answer {
		page := c.do("GET", "/login?"+query("spa", nil).Encode(), nil)
		return c.post(page, "/login", map[string]string{"username": "carol", "password": "Passw0rd!"})
	}
	c.linkTo("Google", "Cognito_Subject", "77")
	c.linkTo("Staff", "Cognito_Subject", "E-1")

	// A user of the pool: not by password, but at the provider.
	if a := signIn(); !in(a) {
		t.Fatalf("before: %s", a.body)
	}
	for _, name := range []string{"carol", "carol@example.com"} {
		if a := c.disable("Cognito", "Cognito_Subject", name); a.status != 200 {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := signIn(); in(a) || !strings.Contains(a.body, "Incorrect username or password.") {
		t.Errorf("by password: %s", a.body)
	}
	if _, access := c.person(c.as("Google", map[string]string{"subject": "77"})); access["username"] != "carol" {
		t.Errorf("at the provider: %v", access)
	}
	c.ask("AdminSetUserPassword", `{`+linkable+`,"Username":"carol","Password":"Passw0rd!","Permanent":true}`)
	if a := signIn(); !in(a) {
		t.Errorf("with a password again: %s", a.body)
	}

	// A linked identity: it is somebody new, and the other one stays.
	if a := c.disable("Google", "Cognito_Subject", "77"); a.status != 200 || c.subjects("carol") != "E-1" {
		t.Errorf("linked: %s, %q", a.body, c.subjects("carol"))
	}
	if _, access := c.person(c.as("Google", map[string]string{"subject": "77", "email": "c@example.com"})); access["username"] != "google_77" {
		t.Errorf("no longer linked: %v", access)
	}

	// A user whom the provider made: disabled, until an administrator enables them.
	if a := c.disable("Google", "Cognito_Subject", "77"); a.status != 200 {
		t.Error(a.body)
	}
	if q := c.as("Google", map[string]string{"subject": "77"}); q.Get("error_description") != "User is not enabled" {
		t.Errorf("a user of the provider: %v", q)
	}
	c.call("AdminEnableUser", `{`+linkable+`,"Username":"google_77"}`)
	if _, access := c.person(c.as("Google", map[string]string{"subject": "77"})); access["username"] != "google_77" {
		t.Errorf("enabled: %v", access)
	}

	for _, tt := range []struct{ provider, attribute, value, kind, message string }{
		{"Cognito", "Cognito_Subject", "nobody", "UserNotFoundException", "User does not exist."},
		{"Cognito", "email", "carol@example.com", "InvalidParameterException", "User.ProviderAttributeName must be Cognito_Subject"},
		{"Cognito", "Cognito_Subject", "google_77", "InvalidParameterException", "not a native user"},
		{"Google", "Cognito_Subject", "nobody", "UserNotFoundException", "User does not exist."},
		{"Google", "email", "c@example.com", "InvalidParameterException", "User.ProviderAttributeName must be Cognito_Subject"},
		{"Nobody", "Cognito_Subject", "1", "InvalidParameterException", "The provider Nobody does not exist for User Pool local_Shop1"},
		{"Staff", "email", "x@example.com", "UserNotFoundException", "User does not exist."},
	} {
		c.no("AdminDisableProviderForUser", `{`+linkable+`,"User":{"ProviderName":"`+tt.provider+`","ProviderAttributeName":"`+tt.attribute+`","ProviderAttributeValue":"`+tt.value+`"}}`, tt.kind, tt.message)
	}
}

// TestFederation_Nonce: the first sign-in of somebody at a provider has a nonce, also if
// none was asked for; later ones have what was asked for.
func TestFederation_Nonce(t *testing.T) {
	c := federated(t)
	signIn := func(subject, nonce string) map[string]any {
		page := "/idp?" + query("spa", map[string]string{"identity_provider": "Google", "nonce": nonce}).Encode()
		token := csrfField.FindStringSubmatch(c.do("GET", page, nil).body)
		id, _ := c.person(c.do("POST", page, url.Values{"_csrf": {token[1]}, "subject": {subject}}).to.Query())
		return id
	}
	nonces := make(map[string]bool)
	for _, subject := range []string{"1", "2"} {
		first := signIn(subject, "")
		nonce, _ := first["nonce"].(string)
		if len(nonce) < 20 || nonces[nonce] {
			t.Errorf("nonce of a first sign-in = %v", first["nonce"])
		}
		nonces[nonce] = true
		if again := signIn(subject, ""); again["nonce"] != nil {
			t.Errorf("nonce of the second sign-in = %v", again["nonce"])
		}
	}
	for range 2 {
		if id := signIn("3", "n-1"); id["nonce"] != "n-1" {
			t.Errorf("a nonce that was sent came back as %v", id["nonce"])
		}
	}
}

// TestProviderDetails: what a provider cannot be asked without is refused, in Cognito's
// words, when it is made and when it is changed; and nothing is changed then.
func TestProviderDetails(t *testing.T) {
	c := newContract(t)
	const metadata = `<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID='x'><IDPSSODescriptor><SingleSignOnService Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect' Location='https://idp.example/in'/></IDPSSODescriptor></EntityDescriptor>`
	full := map[string]map[string]string{
		"Google":          {"client_id": "a", "client_secret": "b", "authorize_scopes": "openid"},
		"Facebook":        {"client_id": "a", "client_secret": "b", "authorize_scopes": "email"},
		"LoginWithAmazon": {"client_id": "a", "client_secret": "b", "authorize_scopes": "profile"},
		"SignInWithApple": {"client_id": "a", "team_id": "b", "key_id": "c", "private_key": "d", "authorize_scopes": "email"},
		"OIDC":            {"client_id": "a", "attributes_request_method": "GET", "oidc_issuer": "https://idp.example", "authorize_scopes": "openid"},
		"SAML":            {"MetadataFile": metadata},
	}
	words := map[string]string{
		"Google": "client_id, client_secret and authorize_scopes are all required idp details", "Facebook": "client_id, client_secret and authorize_scopes are all required idp details",
		"LoginWithAmazon": "client_id, client_secret and authorize_scopes are all required idp details",
		"SignInWithApple": "client_id, team_id, key_id, private_key and authorize_scopes are all required idp details",
		"OIDC":            "client_id, attributes_request_method, oidc_issuer and authorize_scopes are all required idp details",
		"SAML":            "At least one of the MetadataURL or MetadataFile should be provided.",
	}
	named := func(kind string) string {
		if kind == "SAML" || kind == "OIDC" {
			return "My" + kind
		}
		return kind
	}
	request := func(kind string, details map[string]string) string {
		b, err := json.Marshal(details)
		c.ok(err)
		return `{` + linkable + `,"ProviderName":"` + named(kind) + `","ProviderDetails":` + string(b)
	}
	for name, kind := range map[string]string{"Other": "Google", "Google": "OIDC"} {
		c.no("CreateIdentityProvider", `{`+linkable+`,"ProviderName":"`+name+`","ProviderType":"`+kind+`","ProviderDetails":{"client_id":"a"}}`, "InvalidParameterException", "Provider "+name+" cannot be of type "+kind+".")
	}
	for kind, details := range full {
		without := func(name, instead string) map[string]string {
			less := make(map[string]string)
			for n, v := range details {
				less[n] = v
			}
			if delete(less, name); instead != "" {
				less[name] = instead
			}
			return less
		}
		for name := range details {
			for _, instead := range []string{"", " "} {
				if kind == "SAML" && instead != "" {
					continue // no metadata, and so another fault
				}
				c.no("CreateIdentityProvider", request(kind, without(name, instead))+`,"ProviderType":"`+kind+`"}`, "InvalidParameterException", words[kind])
			}
		}
		c.ask("CreateIdentityProvider", request(kind, details)+`,"ProviderType":"`+kind+`"}`)
		before := c.call("DescribeIdentityProvider", `{`+linkable+`,"ProviderName":"`+named(kind)+`"}`).body
		for name := range details {
			c.no("UpdateIdentityProvider", request(kind, without(name, ""))+`}`, "InvalidParameterException", words[kind])
		}
		c.no("UpdateIdentityProvider", `{`+linkable+`,"ProviderName":"`+named(kind)+`","AttributeMapping":{"way":"y","no":"x","email":"z"}}`, "InvalidParameterException", "AttributeMapping contains invalid mapping: [no, way]")
		if after := c.call("DescribeIdentityProvider", `{`+linkable+`,"ProviderName":"`+named(kind)+`"}`).body; after != before {
			t.Errorf("%s was changed by refused calls: %s", kind, after)
		}
	}
	for _, tt := range []struct{ kind, name, value, message string }{
		{"OIDC", "attributes_request_method", "PUT", "attributes_request_method must be GET or POST"},
		{"OIDC", "oidc_issuer", "idp.example", "oidc_issuer must be a URL"},
		{"OIDC", "jwks_uri", "ftp://idp.example/k", "jwks_uri must be a URL"},
		{"SAML", "MetadataURL", "nowhere", "MetadataURL must be a URL"},
		{"SAML", "MetadataFile", "<EntityDescriptor/>", "No SingleSignOn Http redirect binding location found in metadata."},
	} {
		details := map[string]string{}
		for n, v := range full[tt.kind] {
			details[n] = v
		}
		details[tt.name] = tt.value
		c.no("UpdateIdentityProvider", request(tt.kind, details)+`}`, "InvalidParameterException", tt.message)
	}
}
