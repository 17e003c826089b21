package cognito

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestEndpoints(t *testing.T) {
	tests := []struct {
		name   string
		pool   Pool
		issuer string
		token  string
		faults []string
	}{
		{"region and id", Pool{Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token", nil},
		{"region follows from id", Pool{ID: "us-gov-west-1_X1", Domain: "auth.example.com", ClientID: "c1"},
			"https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_X1", "https://auth.example.com/oauth2/token", nil},
		{"newer issuer type", Pool{ID: "eu-west-1_A1", Domain: "https://auth.example.com/", ClientID: "c1", Issuer: "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1"},
			"https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A1", "https://auth.example.com/oauth2/token", nil},
		{"local pool", Pool{Issuer: "http://127.0.0.1:9229/local_A1", Domain: "http://127.0.0.1:9229", ClientID: "c1"},
			"http://127.0.0.1:9229/local_A1", "http://127.0.0.1:9229/oauth2/token", nil},
		{"everything missing", Pool{}, "", "", []string{"client id", "pool id", "domain"}},
		{"everything wrong", Pool{Region: "eu-west-2", ID: "eu-west-1_A1", Domain: "https://a.example/path", ClientID: "a b", JWKSURL: "http://evil.example/jwks"},
			"", "", []string{"region", "client id", "JWKS URL", "domain"}},
		{"plain http elsewhere", Pool{ID: "eu-west-1_A1", Domain: "http://auth.example.com", ClientID: "c1"}, "", "", []string{"https"}},
		{"user in the domain", Pool{ID: "eu-west-1_A1", Domain: "https://a@b.example", ClientID: "c1"}, "", "", []string{"domain"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.pool.Endpoints()
			if len(tt.faults) == 0 {
				if err != nil || got.Issuer != tt.issuer || got.Token != tt.token || got.JWKS != tt.issuer+jwksPath {
					t.Errorf("Endpoints() = %+v, %v", got, err)
				}
				return
			}
			if err == nil {
				t.Fatal("Endpoints() found no fault")
			}
			for _, word := range tt.faults {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("Endpoints() = %q, does not name %s", err, word)
				}
			}
		})
	}
}

func TestPoolFromURLs(t *testing.T) {
	const grant = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token"
	const keys = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json"
	tests := []struct {
		name, client, grant, keys string
		fault                     string
	}{
		{"the three settings", "c1", grant, keys, ""},
		{"trailing slash", "c1", grant + "/", keys, ""},
		{"not a token endpoint", "c1", "https://acme.example/login", keys, "/oauth2/token"},
		{"not a JWKS", "c1", grant, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "jwks.json"},
		{"no client", "", grant, keys, "client id"},
		{"plain http", "c1", "http://acme.example/oauth2/token", keys, "https"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PoolFromURLs(tt.client, tt.grant, tt.keys)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Fatalf("PoolFromURLs() = %v, does not name %s", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			e, err := p.Endpoints()
			if err != nil || e.Issuer != strings.TrimSuffix(keys, jwksPath) || e.Token != grant || e.JWKS != keys || p.ID != "eu-west-1_Ab12Cd34E" {
				t.Errorf("Endpoints() = %+v, %v", e, err)
			}
		})
	}
}

func TestS040_AuthorizeURL(t *testing.T) {
	c := testClient(t, "https://auth.example.com", "")
	age := 90 * time.Second
	u, err := url.Parse(c.AuthorizeURL(AuthorizationRequest{
		RedirectURI: "https://app.example.com/auth/callback", State: "s", Nonce: "n", CodeChallenge: "ch",
		Scopes: []string{"openid", "email"}, IdentityProvider: "Google&scope=admin&redirect_uri=https://evil.example", Prompt: "login", MaxAge: &age,
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"response_type": "code", "client_id": "c1", "redirect_uri": "https://app.example.com/auth/callback", "state": "s", "nonce": "n",
		"code_challenge": "ch", "code_challenge_method": "S256", "scope": "openid email", "prompt": "login", "max_age": "90",
		"identity_provider": "Google&scope=admin&redirect_uri=https://evil.example",
	}
	q := u.Query()
	for name, value := range want {
		if got := q[name]; len(got) != 1 || got[0] != value {
			t.Errorf("parameter %s = %q, want %q once", name, got, value)
		}
	}
	if len(q) != len(want) || u.Host != "auth.example.com" || u.Path != "/oauth2/authorize" {
		t.Errorf("AuthorizeURL() = %s", u)
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

func testClient(t *testing.T, domain string, secret Secret) *Client {
	t.Helper()
	c, err := New(Config{Pool: Pool{ID: "eu-west-1_A1", Domain: domain, ClientID: "c1", ClientSecret: secret}, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTokenEndpoint(t *testing.T) {
	const good = `{"access_token":"a","id_token":"i","refresh_token":"r","expires_in":3600,"token_type":"Bearer","new":{"x":[1]}}`
	refusal := func(code string) string { return `{"error":"` + code + `"}` }
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		want   []error
	}{
		{"granted", 200, "application/json;charset=UTF-8", good, nil},
		{"expires_in as a string", 200, "application/json", strings.Replace(good, "3600", `"3600"`, 1), nil},
		{"lower-case bearer", 200, "application/json", strings.Replace(good, "Bearer", "bearer", 1), nil},
		{"code spent", 400, "application/json", refusal("invalid_grant"), []error{ErrInvalid, ErrInvalidGrant}},
		{"request malformed", 400, "application/json", refusal("invalid_request"), []error{ErrInvalid, ErrInvalidRequest}},
		{"unknown code", 400, "application/json", refusal("something_new"), []error{ErrInvalid}},
		{"wrong secret, as Cognito says it", 400, "application/json", `{"error":"invalid_client","error_description":"invalid_client_secret"}`, []error{ErrMisconfigured, ErrInvalidClient}},
		{"redirect_uri differs", 400, "application/json", `{"error":"unauthorized_client","error_description":"invalid_redirect"}`, []error{ErrMisconfigured, ErrUnauthorizedClient}},
		{"page of a proxy", 403, "text/html", "<html>", []error{ErrUnavailable}},
		{"throttled", 429, "application/json", refusal("invalid_grant"), []error{ErrUnavailable}},
		{"fault of the pool", 500, "application/json", refusal("invalid_grant"), []error{ErrUnavailable}},
		{"method not allowed", 405, "", "", []error{ErrUnavailable}},
		{"redirect", 302, "", "", []error{ErrUnavailable}},
		{"not JSON", 200, "application/json", "<html>", []error{ErrUnavailable}},
		{"empty", 200, "application/json", "", []error{ErrUnavailable}},
		{"an array", 200, "application/json", "[]", []error{ErrUnavailable}},
		{"no access token", 200, "application/json", `{"token_type":"Bearer","expires_in":1}`, []error{ErrUnavailable}},
		{"no id token", 200, "application/json", `{"access_token":"a","token_type":"Bearer","expires_in":1}`, []error{ErrUnavailable}},
		{"another token type", 200, "application/json", strings.Replace(good, "Bearer", "mac", 1), []error{ErrUnavailable}},
		{"a name twice", 200, "application/json", strings.Replace(good, `{`, `{"access_token":"x",`, 1), []error{ErrUnavailable}},
		{"endless", 200, "application/json", `{"access_token":"` + strings.Repeat("a", maxAnswer), []error{ErrUnavailable}},
		{"expires_in of ages", 200, "application/json", strings.Replace(good, "3600", "1e300", 1), []error{ErrUnavailable}},
		{"a number for a token", 200, "application/json", strings.Replace(good, `"i"`, "1", 1), []error{ErrUnavailable}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			tokens, err := testClient(t, server.URL, "secret").Exchange(t.Context(), Exchange{Code: "the-code", CodeVerifier: "the-verifier", RedirectURI: "https://app.example.com/cb"})
			if len(tt.want) == 0 {
				if err != nil || tokens.AccessToken != "a" || tokens.IDToken != "i" || tokens.RefreshToken != "r" || tokens.ExpiresIn != time.Hour {
					t.Errorf("Exchange() = %v, %v", tokens, err)
				}
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("Exchange() = %v, want %v", err, want)
				}
			}
			for _, kind := range []error{ErrInvalid, ErrUnavailable, ErrMisconfigured} {
				if len(tt.want) > 0 && kind != tt.want[0] && errors.Is(err, kind) {
					t.Errorf("Exchange() = %v, is also %v", err, kind)
				}
			}
			// S-031: a code is never sent twice.
			if calls.Load() != 1 {
				t.Errorf("the token endpoint was called %d times", calls.Load())
			}
			for _, secret := range []string{"the-code", "the-verifier", "secret\""} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("error %q tells a secret", err)
				}
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got = r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"a","token_type":"Bearer","expires_in":60}`)
	}))
	defer server.Close()

	if _, err := testClient(t, server.URL, "s/+=").Refresh(t.Context(), "rt"); err != nil {
		t.Fatal(err)
	}
	id, secret, ok := got.BasicAuth()
	if secret, _ = url.QueryUnescape(secret); !ok || id != "c1" || secret != "s/+=" || got.PostForm.Has("client_id") || got.PostForm.Has("client_secret") {
		t.Errorf("confidential client authenticates with %q and form %v", got.Header.Get("Authorization"), got.PostForm)
	}
	if got.PostForm.Get("grant_type") != "refresh_token" || got.PostForm.Get("refresh_token") != "rt" {
		t.Errorf("form %v", got.PostForm)
	}
	if _, err := testClient(t, server.URL, "").Refresh(t.Context(), "rt"); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Authorization") != "" || got.PostForm.Get("client_id") != "c1" {
		t.Errorf("public client authenticates with %q and form %v", got.Header.Get("Authorization"), got.PostForm)
	}
}

func TestRefusedConnectionIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if _, err := testClient(t, "http://"+address, "").Refresh(t.Context(), "rt"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Refresh() = %v, want %v", err, ErrUnavailable)
	}
}

func TestS086_RevokeIsTriedAgain(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		}
	}))
	defer server.Close()
	if err := testClient(t, server.URL, "").Revoke(t.Context(), "rt"); err != nil || calls.Load() != 3 {
		t.Errorf("Revoke() = %v after %d calls, want nil after 3", err, calls.Load())
	}
}

func TestS028_ParseCallback(t *testing.T) {
	long := strings.Repeat("x", 10<<10)
	tests := []struct {
		name, query string
		want        Callback
		malformed   bool
	}{
		{"code", "code=c&state=s", Callback{Code: "c", State: "s"}, false},
		{"error, in Cognito's order", "error_description=attributes+required%3A+%5Bemail%5D&state=s&error=invalid_request",
			Callback{State: "s", Err: &CallbackError{"invalid_request", "attributes required: [email]"}}, false},
		{"unknown scope, as live pools say it", "error_description=invalid_scope&state=s&error=invalid_request",
			Callback{State: "s", Err: &CallbackError{"invalid_scope", ""}}, false},
		{"control characters", "error=x&error_description=a%0d%0ab%1b[0m", Callback{Err: &CallbackError{"x", "a  b [0m"}}, false},
		{"code twice", "code=a&code=b&state=s", Callback{}, true},
		{"state twice", "code=a&state=b&state=s", Callback{}, true},
		{"error and code", "code=a&error=b&state=s", Callback{}, true},
		{"neither", "state=s", Callback{}, true},
		{"long code", "code=" + long + "&state=s", Callback{}, true},
		{"long state", "code=c&state=" + long, Callback{}, true},
		{"long description", "error=c&error_description=" + long, Callback{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseCallback(query)
			if errors.Is(err, ErrMalformedCallback) != tt.malformed {
				t.Fatalf("ParseCallback() = %v", err)
			}
			if fmt.Sprint(got.Err) != fmt.Sprint(tt.want.Err) || got.Code != tt.want.Code || got.State != tt.want.State {
				t.Errorf("ParseCallback() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestTriggerErrors(t *testing.T) {
	b64 := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	single := b64("Bitte wenden Sie sich an uns. ÿÿ>>>???")
	many := b64(map[string]string{"en": "Use your work address.", "de": "Nutzen Sie Ihre Dienstadresse.", "pt_BR": "Use o do trabalho."})
	tests := []struct {
		name, description, trigger string
		languages                  []string
		want                       string
		ok                         bool
	}{
		{"single message", "PreSignUp failed with error no@" + single + ". ", "PreSignUp", nil, "Bitte wenden Sie sich an uns. ÿÿ>>>???", true},
		{"by language", "PreSignUp failed with error x@" + many + ".", "PreSignUp", []string{"de"}, "Nutzen Sie Ihre Dienstadresse.", true},
		{"by base language", "PreSignUp failed with error x@" + many, "PreSignUp", []string{"de-AT", "en"}, "Nutzen Sie Ihre Dienstadresse.", true},
		{"region asked, underscore given", "PreSignUp failed with error x@" + many, "PreSignUp", []string{"pt-BR"}, "Use o do trabalho.", true},
		{"fallback to English", "PreSignUp failed with error x@" + many, "PreSignUp", []string{"fr"}, "Use your work address.", true},
		{"unpadded", "PreSignUp failed with error x@" + strings.TrimRight(many, "=") + ". ", "PreSignUp", []string{"en"}, "Use your work address.", true},
		{"URL-safe", "PreSignUp failed with error x@" + strings.NewReplacer("+", "-", "/", "_").Replace(single), "PreSignUp", nil, "Bitte wenden Sie sich an uns. ÿÿ>>>???", true},
		{"plus became a space", "PreSignUp failed with error x@" + strings.ReplaceAll(single, "+", " "), "PreSignUp", nil, "Bitte wenden Sie sich an uns. ÿÿ>>>???", true},
		{"address before the payload", "PreSignUp failed with error bob@example.com may not@" + single + ".", "PreSignUp", nil, "Bitte wenden Sie sich an uns. ÿÿ>>>???", true},
		{"plain text after @", "PreSignUp failed with error blocked@Please use your work address. ", "PreSignUp", nil, "Please use your work address", true},
		{"no @", "PreAuthentication failed with error Please ask us. ", "PreAuthentication", nil, "Please ask us", true},
		{"only an address", "PreAuthentication failed with error bob@example.com is not invited.", "PreAuthentication", nil, "bob@example.com is not invited", true},
		{"not of a trigger", "Timeout occurred in calling IdP token endpoint", "", nil, "", false},
		{"a sentence before", "Click here: evil failed with error x", "", nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, ok := ParseTriggerError(tt.description)
			if ok != tt.ok || e.Trigger != tt.trigger || e.Message(tt.languages...) != tt.want {
				t.Errorf("ParseTriggerError() = %+v, %v, message %q; want %q", e, ok, e.Message(tt.languages...), tt.want)
			}
		})
	}
}

func TestS169_SecretsDoNotPrint(t *testing.T) {
	const canary = "canary-0123456789"
	type holder struct {
		Secret Secret
		Tokens TokenSet
	}
	h := holder{canary, TokenSet{IDToken: canary, AccessToken: canary, RefreshToken: canary}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, h.Secret)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "h", h, "s", h.Secret)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "h", h, "s", h.Secret)
	if s := out.String(); strings.Contains(s, canary) || strings.Contains(s, fmt.Sprintf("%x", canary)) {
		t.Errorf("a secret was printed: %s", s)
	}
}

func FuzzParseCallback(f *testing.F) {
	f.Add("code=c&state=s")
	f.Add("error_description=PreSignUp+failed+with+error+x@eyJlbiI6ICJtIn0=&error=invalid_request&state=s")
	f.Add("code=%zz;state")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		c, err := ParseCallback(query)
		if err == nil && (c.Code == "") == (c.Err == nil) {
			t.Errorf("ParseCallback(%q) = %+v", raw, c)
		}
		if c.Err != nil && strings.ContainsAny(c.Err.Error(), "\r\n\x00\x1b") {
			t.Errorf("ParseCallback(%q) keeps control characters", raw)
		}
	})
}

func FuzzParseTriggerError(f *testing.F) {
	f.Add("PreSignUp failed with error x@eyJlbiI6ICJtIn0=. ")
	f.Add("PreSignUp failed with error a@b@c@@")
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := ParseTriggerError(s)
		if !ok {
			return
		}
		if m := e.Message("de"); len(m) > maxTriggerText+8 || strings.ContainsAny(m, "\r\n\x00\x1b") {
			t.Errorf("ParseTriggerError(%q) gives message %q", s, m)
		}
	})
}

func FuzzParseTokens(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","id_token":"i","expires_in":3600,"token_type":"Bearer"}`))
	f.Add([]byte(`{"access_token":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tokens, err := parseTokens(b)
		if err == nil && (tokens.AccessToken == "" || tokens.ExpiresIn <= 0) {
			t.Errorf("parseTokens(%q) = %v", b, tokens)
		}
		if err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("parseTokens(%q) = %v", b, err)
		}
	})
}
