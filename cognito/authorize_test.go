package cognito

import (
	"net/url"
	"testing"
	"time"
)

func testClient(t testing.TB, domain string, secret Secret) *Client {
	t.Helper()
	c, err := New(Config{Pool: Pool{ID: poolID, Domain: domain, ClientID: "c1", ClientSecret: secret}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAuthorizeURL(t *testing.T) {
	required := AuthorizationRequest{RedirectURI: "https://app.example.com/auth/callback", State: "s", Nonce: "n", CodeChallenge: "ch"}
	with := func(change func(*AuthorizationRequest)) AuthorizationRequest {
		r := required
		change(&r)
		return r
	}
	duration := func(d time.Duration) *time.Duration { return &d }
	tests := []struct {
		name    string
		request AuthorizationRequest
		extra   map[string]string
	}{
		{"what is required", required, nil},
		{"scopes", with(func(r *AuthorizationRequest) { r.Scopes = []string{"openid", "email", "https://api.example.com/read"} }), map[string]string{"scope": "openid email https://api.example.com/read"}},
		{"identity provider", with(func(r *AuthorizationRequest) { r.IdentityProvider = "Google" }), map[string]string{"identity_provider": "Google"}},
		{"identity provider by identifier", with(func(r *AuthorizationRequest) { r.IDPIdentifier = "example.com" }), map[string]string{"idp_identifier": "example.com"}},
		{"language", with(func(r *AuthorizationRequest) { r.Lang = "pt-BR" }), map[string]string{"lang": "pt-BR"}},
		{"login hint", with(func(r *AuthorizationRequest) { r.LoginHint = "bob+1@example.com" }), map[string]string{"login_hint": "bob+1@example.com"}},
		{"prompt", with(func(r *AuthorizationRequest) { r.Prompt = "login" }), map[string]string{"prompt": "login"}},
		{"resource", with(func(r *AuthorizationRequest) { r.Resource = "https://api.example.com" }), map[string]string{"resource": "https://api.example.com"}},
		{"step-up", with(func(r *AuthorizationRequest) { r.ACRValues = []string{"urn:cognito:loa:2", "urn:cognito:loa:3"} }), map[string]string{"acr_values": "urn:cognito:loa:2 urn:cognito:loa:3"}},
		{"oldest sign-in", with(func(r *AuthorizationRequest) { r.MaxAge = duration(90 * time.Second) }), map[string]string{"max_age": "90"}},
		{"a fresh sign-in", with(func(r *AuthorizationRequest) { r.MaxAge = duration(0) }), map[string]string{"max_age": "0"}},
		{"an age below zero", with(func(r *AuthorizationRequest) { r.MaxAge = duration(-time.Hour) }), map[string]string{"max_age": "0"}},
	}
	c := testClient(t, "auth.example.com", "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(c.AuthorizeURL(tt.request))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"response_type": "code", "client_id": "c1", "redirect_uri": "https://app.example.com/auth/callback",
				"state": "s", "nonce": "n", "code_challenge": "ch", "code_challenge_method": "S256",
			}
			for name, value := range tt.extra {
				want[name] = value
			}
			expectQuery(t, u.RawQuery, want)
			if u.Scheme != "https" || u.Host != "auth.example.com" || u.Path != "/oauth2/authorize" || u.Fragment != "" {
				t.Errorf("AuthorizeURL() = %s", u)
			}
		})
	}
}

// TestS040_NoParameterSmugglesAnother puts a query into every value.
func TestS040_NoParameterSmugglesAnother(t *testing.T) {
	const smuggled = "x&scope=admin;state=evil&redirect_uri=https://evil.example#&client_id=evil%26prompt=none"
	c := testClient(t, "auth.example.com", "")
	u, err := url.Parse(c.AuthorizeURL(AuthorizationRequest{
		RedirectURI: smuggled, State: smuggled, Nonce: smuggled, CodeChallenge: smuggled, Scopes: []string{smuggled},
		IdentityProvider: smuggled, IDPIdentifier: smuggled, Lang: smuggled, LoginHint: smuggled, Prompt: smuggled, Resource: smuggled, ACRValues: []string{smuggled},
	}))
	if err != nil || u.Fragment != "" {
		t.Fatalf("AuthorizeURL() = %s, %v", u, err)
	}
	want := map[string]string{"response_type": "code", "client_id": "c1", "code_challenge_method": "S256"}
	for _, name := range []string{"redirect_uri", "state", "nonce", "code_challenge", "scope", "identity_provider", "idp_identifier", "lang", "login_hint", "prompt", "resource", "acr_values"} {
		want[name] = smuggled
	}
	expectQuery(t, u.RawQuery, want)
}

func TestLogoutURL(t *testing.T) {
	u, err := url.Parse(testClient(t, "auth.example.com", "").LogoutURL("https://app.example.com/?a=b&client_id=evil"))
	if err != nil || u.Host != "auth.example.com" || u.Path != "/logout" {
		t.Fatalf("LogoutURL() = %s, %v", u, err)
	}
	expectQuery(t, u.RawQuery, map[string]string{"client_id": "c1", "logout_uri": "https://app.example.com/?a=b&client_id=evil"})
}

// expectQuery wants each parameter once, and no others.
func expectQuery(t *testing.T, raw string, want map[string]string) {
	t.Helper()
	query, err := url.ParseQuery(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if got := query[name]; len(got) != 1 || got[0] != value {
			t.Errorf("parameter %s = %q, want %q once", name, got, value)
		}
	}
	for name := range query {
		if _, ok := want[name]; !ok {
			t.Errorf("parameter %s = %q is not wanted", name, query[name])
		}
	}
}

func TestS024_CodeVerifiersAreFresh(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		v := NewCodeVerifier()
		if len(v) != 43 || seen[v] {
			t.Fatalf("verifier %q is short or repeated", v)
		}
		seen[v] = true
	}
	// RFC 7636, appendix B.
	if got := CodeChallenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Errorf("CodeChallenge() = %s", got)
	}
}
