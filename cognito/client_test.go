package cognito

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const granted = `{"access_token":"a","id_token":"i","refresh_token":"r","expires_in":3600,"token_type":"Bearer","new":{"x":[1]}}`

// request is what a server of the tests received.
type request struct {
	method, path string
	header       http.Header
	form         url.Values
}

// serve starts a pool that gives every request the same answer, and returns a
// client of it and what it received.
func serve(t *testing.T, secret Secret, handler http.HandlerFunc) (*Client, *[]request) {
	t.Helper()
	var received []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		received = append(received, request{r.Method, r.URL.RequestURI(), r.Header, r.PostForm})
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return testClient(t, server.URL, secret), &received
}

func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var exchange = Exchange{Code: "the-code", CodeVerifier: "the-verifier", RedirectURI: "https://app.example.com/cb"}

// TestTokenEndpointAnswers has a row for each thing that the endpoint, or what is
// in front of it, may answer. S-031: whatever it is, the code is sent once.
func TestTokenEndpointAnswers(t *testing.T) {
	const json = "application/json;charset=UTF-8"
	with := func(old, new string) string {
		if !strings.Contains(granted, old) {
			t.Fatalf("the grant has no %s to replace", old)
		}
		return strings.Replace(granted, old, new, 1)
	}
	refusal := func(code string) string { return `{"error":"` + code + `"}` }
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		want   []error // nil: granted; the first is the kind
	}{
		{"granted", 200, json, granted, nil},
		{"S-034 expires_in is a string", 200, json, with("3600", `"3600"`), nil},
		{"S-034 token type in lower case", 200, json, with("Bearer", "bearer"), nil},
		{"S-034 unknown members", 200, json, with("{", `{"scope":null,"ACCESS_TOKEN":"evil",`), nil},

		{"code spent", 400, json, refusal("invalid_grant"), []error{ErrInvalid, ErrInvalidGrant}},
		{"request malformed", 400, json, refusal("invalid_request"), []error{ErrInvalid, ErrInvalidRequest}},
		{"scope unknown", 400, json, refusal("invalid_scope"), []error{ErrInvalid, ErrInvalidScope}},
		{"code of the future", 400, json, refusal("something_new"), []error{ErrInvalid, &Error{Code: "something_new"}}},
		{"wrong secret, as Cognito says it", 400, json, `{"error":"invalid_client","error_description":"invalid_client_secret"}`, []error{ErrMisconfigured, ErrInvalidClient}},
		{"wrong secret, as the RFC says it", 401, json, refusal("invalid_client"), []error{ErrMisconfigured, ErrInvalidClient}},
		{"redirect_uri differs", 400, json, `{"error":"unauthorized_client","error_description":"invalid_redirect"}`, []error{ErrMisconfigured, ErrUnauthorizedClient}},
		{"grant not enabled", 400, json, refusal("unsupported_grant_type"), []error{ErrMisconfigured, ErrUnsupportedGrantType}},
		{"scope openid missing", 200, json, with(`"id_token":"i",`, ""), []error{ErrMisconfigured}},

		{"S-146 throttled", 429, json, refusal("invalid_grant"), []error{ErrUnavailable}},
		{"fault of the pool", 500, json, refusal("invalid_grant"), []error{ErrUnavailable}},
		{"fault of a gateway", 502, "text/html", "<html>", []error{ErrUnavailable}},
		{"server_error as a refusal", 400, json, refusal("server_error"), []error{ErrUnavailable}},
		{"temporarily_unavailable as a refusal", 400, json, refusal("temporarily_unavailable"), []error{ErrUnavailable}},
		{"page of a firewall", 403, "text/html", "<html>", []error{ErrUnavailable}},
		{"not there", 404, "text/html", "", []error{ErrUnavailable}},
		{"method not allowed", 405, "", "", []error{ErrUnavailable}},
		{"refusal that is a page", 400, "text/html", refusal("invalid_grant"), []error{ErrUnavailable}},
		{"refusal without a code", 400, json, `{"message":"no"}`, []error{ErrUnavailable}},
		{"refusal whose code is a number", 400, json, `{"error":1}`, []error{ErrUnavailable}},
		{"refusal with two codes", 400, json, `{"error":"invalid_grant","error":"x"}`, []error{ErrUnavailable}},
		{"S-042 redirect", 302, "", "", []error{ErrUnavailable}},
		{"S-042 redirect that keeps the method", 307, "", "", []error{ErrUnavailable}},
		{"nothing to say", 204, "", "", []error{ErrUnavailable}},
		{"created", 201, json, granted, []error{ErrUnavailable}},

		{"S-034 not JSON", 200, json, "<html>", []error{ErrUnavailable}},
		{"S-034 page of a captive portal", 200, "text/html", granted, []error{ErrUnavailable}},
		{"S-034 no content type", 200, "", granted, []error{ErrUnavailable}},
		{"S-034 empty", 200, json, "", []error{ErrUnavailable}},
		{"S-034 array", 200, json, "[]", []error{ErrUnavailable}},
		{"S-034 null", 200, json, "null", []error{ErrUnavailable}},
		{"S-034 cut off", 200, json, granted[:40], []error{ErrUnavailable}},
		{"S-034 two objects", 200, json, granted + granted, []error{ErrUnavailable}},
		{"S-034 no access token", 200, json, with(`"access_token":"a",`, ""), []error{ErrUnavailable}},
		{"S-034 access token null", 200, json, with(`"access_token":"a"`, `"access_token":null`), []error{ErrUnavailable}},
		{"S-034 access token in capitals", 200, json, with(`"access_token"`, `"ACCESS_TOKEN"`), []error{ErrUnavailable}},
		{"S-034 name twice", 200, json, with("{", `{"access_token":"x",`), []error{ErrUnavailable}},
		{"S-034 name twice, escaped", 200, json, with("{", `{"\u0061ccess_token":"x",`), []error{ErrUnavailable}},
		{"S-034 token is a number", 200, json, with(`"i"`, "1"), []error{ErrUnavailable}},
		{"S-034 another token type", 200, json, with("Bearer", "mac"), []error{ErrUnavailable}},
		{"S-034 no token type", 200, json, with(`,"token_type":"Bearer"`, ""), []error{ErrUnavailable}},
		{"S-034 expires_in missing", 200, json, with(`"expires_in":3600,`, ""), []error{ErrUnavailable}},
		{"S-034 expires_in zero", 200, json, with("3600", "0"), []error{ErrUnavailable}},
		{"S-034 expires_in negative", 200, json, with("3600", "-1"), []error{ErrUnavailable}},
		{"S-034 expires_in of ages", 200, json, with("3600", "1e300"), []error{ErrUnavailable}},
		{"S-034 expires_in that wraps", 200, json, with("3600", "18446744073709551617"), []error{ErrUnavailable}},
		{"S-146 endless", 200, json, `{"access_token":"` + strings.Repeat("a", maxAnswer), []error{ErrUnavailable}},
		{"S-146 endless refusal", 400, json, `{"error":"` + strings.Repeat("a", maxAnswer), []error{ErrUnavailable}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, received := serve(t, "a-client-secret", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/oauth2/token" {
					return
				}
				if tt.kind == "" {
					w.Header()["Content-Type"] = nil // or net/http would guess one
				}
				w.Header().Set("Location", "/oauth2/elsewhere")
				reply(tt.status, tt.kind, tt.body)(w, r)
			})
			tokens, err := c.Exchange(t.Context(), exchange)
			expectOneKind(t, err, tt.want)
			want := TokenSet{}
			if len(tt.want) == 0 {
				want = TokenSet{IDToken: "i", AccessToken: "a", RefreshToken: "r", ExpiresIn: time.Hour}
			}
			if tokens != want {
				t.Errorf("Exchange() gives tokens: %t, want: %t", tokens != TokenSet{}, want != TokenSet{})
			}
			sent := 0
			for _, r := range *received {
				if r.form.Has("code") {
					sent++
				}
				if r.path != "/oauth2/token" && r.path != "/oauth2/revoke" {
					t.Errorf("the client went to %s", r.path)
				}
			}
			if sent != 1 {
				t.Errorf("the code was sent %d times", sent)
			}
		})
	}
}

// expectOneKind wants an error to be all of want, and of no other kind than the
// first of them.
func expectOneKind(t *testing.T, err error, want []error) {
	t.Helper()
	if (err == nil) != (len(want) == 0) {
		t.Fatalf("error %v, want %v", err, want)
	}
	for _, target := range want {
		if !errors.Is(err, target) {
			t.Errorf("error %v, want %v", err, target)
		}
	}
	for _, kind := range []error{ErrInvalid, ErrUnavailable, ErrMisconfigured} {
		if len(want) > 0 && kind != want[0] && errors.Is(err, kind) {
			t.Errorf("error %v is also %v", err, kind)
		}
	}
}

func TestS033_TokensOfNoUseAreRevoked(t *testing.T) {
	c, received := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			reply(200, "application/json", strings.Replace(granted, `"id_token":"i",`, "", 1))(w, r)
		}
	})
	if _, err := c.Exchange(t.Context(), exchange); !errors.Is(err, ErrMisconfigured) {
		t.Fatalf("Exchange() = %v", err)
	}
	if got := *received; len(got) != 2 || got[1].path != "/oauth2/revoke" || got[1].form.Get("token") != "r" {
		t.Errorf("received %+v", got)
	}
}

// TestS042_ClientAuthentication: one way, chosen by whether there is a secret, and
// never tried out.
func TestS042_ClientAuthentication(t *testing.T) {
	exchanged := url.Values{
		"grant_type": {"authorization_code"}, "code": {"the-code"}, "code_verifier": {"the-verifier"}, "redirect_uri": {"https://app.example.com/cb"},
	}
	refreshed := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt"}}
	revoked := url.Values{"token": {"rt"}}
	tests := []struct {
		name string
		call func(*testing.T, *Client) error
		path string
		form url.Values
	}{
		{"exchange", func(t *testing.T, c *Client) error { _, err := c.Exchange(t.Context(), exchange); return err }, "/oauth2/token", exchanged},
		{"refresh", func(t *testing.T, c *Client) error { _, err := c.Refresh(t.Context(), "rt"); return err }, "/oauth2/token", refreshed},
		{"revoke", func(t *testing.T, c *Client) error { return c.Revoke(t.Context(), "rt") }, "/oauth2/revoke", revoked},
	}
	for _, tt := range tests {
		for _, secret := range []Secret{"", "s/+=ü"} {
			t.Run(tt.name+map[bool]string{true: ", public client", false: ", confidential client"}[secret == ""], func(t *testing.T) {
				c, received := serve(t, "", reply(200, "application/json", granted))
				c.secrets.source = Pool{ClientSecret: secret}.secrets()
				if err := tt.call(t, c); err != nil {
					t.Fatal(err)
				}
				if len(*received) != 1 {
					t.Fatalf("received %+v", *received)
				}
				got := (*received)[0]
				want := url.Values{}
				for name, values := range tt.form {
					want[name] = values
				}
				if secret == "" {
					want.Set("client_id", "c1")
				}
				if got.method != "POST" || got.path != tt.path || got.form.Encode() != want.Encode() {
					t.Errorf("received %+v, want form %v", got, want)
				}
				if got.header.Get("Content-Type") != "application/x-www-form-urlencoded" || got.header.Get("Accept") != "application/json" {
					t.Errorf("received %v", got.header)
				}
				id, password, ok := (&http.Request{Header: got.header}).BasicAuth()
				password, _ = url.QueryUnescape(password)
				if ok != (secret != "") || ok && (id != "c1" || Secret(password) != secret) {
					t.Errorf("authenticated: %t, as %s", ok, id)
				}
			})
		}
	}
}

func TestRefreshWithoutRotation(t *testing.T) {
	c, _ := serve(t, "", reply(200, "application/json", `{"access_token":"a","expires_in":300,"token_type":"Bearer"}`))
	tokens, err := c.Refresh(t.Context(), "rt")
	if want := (TokenSet{AccessToken: "a", ExpiresIn: 5 * time.Minute}); err != nil || tokens != want {
		t.Errorf("Refresh() = %v, refresh token set: %t", err, tokens.RefreshToken != "")
	}
}

func TestRevokeAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		want   []error
	}{
		{"revoked", 200, "", "", nil},
		{"revoked, with something to say", 200, "application/json", "{}", nil},
		{"revocation not enabled", 400, "application/json", `{"error":"invalid_request"}`, []error{ErrInvalid, ErrInvalidRequest}},
		{"not a refresh token", 400, "application/json", `{"error":"unsupported_token_type"}`, []error{ErrInvalid, ErrUnsupportedTokenType}},
		{"another client", 401, "application/json", `{"error":"invalid_client"}`, []error{ErrMisconfigured, ErrInvalidClient}},
		{"page of a captive portal", 200, "text/html", "<html>", []error{ErrUnavailable}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, received := serve(t, "", reply(tt.status, tt.kind, tt.body))
			expectOneKind(t, c.Revoke(t.Context(), "rt"), tt.want)
			if len(*received) != 1 {
				t.Errorf("%d requests", len(*received))
			}
		})
	}
}

func TestCookiesAreNotKept(t *testing.T) {
	c, received := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "cognito", Value: "x"})
		reply(200, "application/json", granted)(w, r)
	})
	jar := &countingJar{}
	own, err := New(Config{Pool: Pool{ID: "eu-west-1_Ab12Cd34E", Domain: strings.TrimSuffix(c.endpoints.Token, "/oauth2/token"), ClientID: c.clientID}, HTTPClient: &http.Client{Jar: jar}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := own.Refresh(t.Context(), "rt"); err != nil {
			t.Fatal(err)
		}
	}
	if jar.set > 0 || (*received)[1].header.Get("Cookie") != "" {
		t.Errorf("%d cookies were kept, %q was sent", jar.set, (*received)[1].header.Get("Cookie"))
	}
}

type countingJar struct{ set int }

func (j *countingJar) SetCookies(_ *url.URL, cookies []*http.Cookie) { j.set += len(cookies) }
func (j *countingJar) Cookies(*url.URL) []*http.Cookie               { return nil }
