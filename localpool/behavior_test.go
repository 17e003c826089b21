package localpool_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

const behaviorSeed = `
pools:
  - id: local_Shop1
    name: shop
    resource_servers:
      - {identifier: orders, scopes: [read, write]}
    clients:
      - id: web
        secret: one1of2the3secrets4of5web
        second_secret: two1of2the3secrets4of5web
        callback_urls: [http://localhost:8080/cb]
        logout_urls: [http://localhost:8080/]
        scopes: [openid, email, profile, orders/read]
        flows: [code, implicit, client_credentials]
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      - id: spa
        callback_urls: [http://localhost:8080/cb, http://localhost:8080/cb2]
      - id: rotating
        callback_urls: [http://localhost:8080/cb]
        refresh_token_rotation: true
        rotation_grace: 10s
      - id: app
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_ADMIN_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      - id: legacy
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
        prevent_user_existence_errors: LEGACY
      - id: kept
        no_revocation: true
      - id: quiet
        auth_flows: [ALLOW_USER_PASSWORD_AUTH]
    groups: [{name: admins}]
    users:
      - {username: carol, email: carol@example.com, name: Carol, password: Passw0rd!, groups: [admins], attributes: {"custom:team": blue}}
      - {username: dave, email: dave@example.com, email_unverified: true, password: Temp0rary!, status: FORCE_CHANGE_PASSWORD}
  - id: local_Other1
    clients: [{id: elsewhere, callback_urls: ["http://localhost:8080/cb", "https://app.example.com/cb"]}]
`

// The secrets of the client web, and one that is not.
const (
	secretOne   = "one1of2the3secrets4of5web"
	secretTwo   = "two1of2the3secrets4of5web"
	secretThree = "three1is2no3secret4of5web"
)

// morePools are for tests that need them: keys take a while to make.
const morePools = `
  - id: local_Mail1
    email_as_username: true
    clients: [{id: mail, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH]}]
  - id: local_Closed1
    no_self_sign_up: true
    clients: [{id: closed}]
`

// contract is a pool under test and a browser that follows no redirects.
type contract struct {
	*testing.T
	pool   *localpool.Server
	url    string
	client *http.Client
	ahead  *atomic.Int64

	handler http.Handler
}

func newContract(t *testing.T) *contract {
	t.Helper()
	return newContractOf(t, behaviorSeed)
}

// in is the contract in a part of the test.
func (c *contract) in(t *testing.T) *contract {
	part := *c
	part.T = t
	return &part
}

func newContractOf(t *testing.T, yaml string) *contract {
	t.Helper()
	seed, err := localpool.ParseSeed([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{T: t, ahead: new(atomic.Int64)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	c.pool, err = localpool.New(localpool.Config{
		Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.pool.Close() })
	c.handler, c.url = c.pool, server.URL
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
	to     *url.URL
}

func (c *contract) do(method, path string, form url.Values, header ...string) answer {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.send(r)
}

func (c *contract) send(r *http.Request) answer {
	c.Helper()
	response, err := c.client.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.json)
	if location := response.Header.Get("Location"); location != "" {
		if a.to, err = url.Parse(location); err != nil {
			c.Fatal(err)
		}
	}
	return a
}

func (c *contract) authorize(client string, changes map[string]string) answer {
	c.Helper()
	return c.do("GET", "/oauth2/authorize?"+query(client, changes).Encode(), nil)
}

func query(client string, changes map[string]string) url.Values {
	q := url.Values{"client_id": {client}, "response_type": {"code"}, "redirect_uri": {"http://localhost:8080/cb"}, "state": {"s t"}, "nonce": {"n"}}
	for name, value := range changes {
		if q.Set(name, value); value == "" {
			q.Del(name)
		}
	}
	return q
}

var csrfField = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)

// signIn fills in the login page and returns where it sends the browser.
func (c *contract) signIn(client, username, password string, changes map[string]string) answer {
	c.Helper()
	path := "/login?" + query(client, changes).Encode()
	token := csrfField.FindStringSubmatch(c.do("GET", path, nil).body)
	if token == nil {
		c.Fatal("the login page has no _csrf")
	}
	return c.do("POST", path, url.Values{"username": {username}, "password": {password}, "_csrf": {token[1]}})
}

func (c *contract) code(client string, changes map[string]string) string {
	c.Helper()
	a := c.signIn(client, "carol@example.com", "Passw0rd!", changes)
	if a.status != 302 || a.to.Query().Get("code") == "" {
		c.Fatalf("sign-in: status %d to %s: %s", a.status, a.to, a.body)
	}
	return a.to.Query().Get("code")
}

func (c *contract) redeem(client, code string, more url.Values, header ...string) answer {
	c.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {"http://localhost:8080/cb"}}
	maps.Copy(form, more)
	return c.do("POST", "/oauth2/token", form, header...)
}

func (c *contract) claims(token any) (header, claims map[string]any) {
	c.Helper()
	parts := strings.Split(token.(string), ".")
	if len(parts) != 3 {
		c.Fatalf("token has %d parts", len(parts))
	}
	for i, target := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			c.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(target); err != nil {
			c.Fatal(err)
		}
	}
	return header, claims
}

func TestS143_AuthorizeRefusals(t *testing.T) {
	c := newContract(t)
	challenge := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for _, tt := range []struct {
		name, client string
		changes      map[string]string
		want         string // the Location, or a part of it before a trusted redirect_uri
	}{
		{"unknown client", "nobody", nil, c.url + "/error?"},
		{"another callback URL", "web", map[string]string{"redirect_uri": "http://localhost:8080/cb2"}, c.url + "/error?error=redirect_mismatch"},
		{"a trailing slash", "web", map[string]string{"redirect_uri": "http://localhost:8080/cb/"}, c.url + "/error?error=redirect_mismatch"},
		{"another port", "web", map[string]string{"redirect_uri": "http://localhost:8081/cb"}, c.url + "/error?error=redirect_mismatch"},
		{"unknown scope", "web", map[string]string{"scope": "openid offline_access"}, "http://localhost:8080/cb?error_description=invalid_scope&state=s+t&error=invalid_request"},
		{"no response type", "web", map[string]string{"response_type": ""}, "http://localhost:8080/cb?state=s+t&error=invalid_request"},
		{"a flow that is not enabled", "spa", map[string]string{"response_type": "token"}, "http://localhost:8080/cb#state=s+t&error=unauthorized_client"},
		{"plain PKCE", "web", map[string]string{"code_challenge": challenge, "code_challenge_method": "plain"}, "http://localhost:8080/cb?state=s+t&error=invalid_request"},
		{"PKCE without a method", "web", map[string]string{"code_challenge": challenge}, "http://localhost:8080/cb?state=s+t&error=invalid_request"},
		{"prompt=none without a session", "web", map[string]string{"prompt": "none"}, "http://localhost:8080/cb?state=s+t&error=login_required"},
		{"no state", "web", map[string]string{"prompt": "none", "state": ""}, "http://localhost:8080/cb?error=login_required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.authorize(tt.client, tt.changes)
			if got := a.header.Get("Location"); a.status != 302 || (got != tt.want && !(strings.HasPrefix(tt.want, c.url) && strings.HasPrefix(got, tt.want))) {
				t.Errorf("status %d to %s, want %s", a.status, got, tt.want)
			}
		})
	}
	a := c.authorize("web", map[string]string{"redirect_uri": "http://localhost:8080/cb2?x=<b>"})
	page := c.do("GET", strings.TrimPrefix(a.header.Get("Location"), c.url), nil)
	for _, want := range []string{"<code>http://localhost:8080/cb2?x=&lt;b&gt;</code>", "<code>http://localhost:8080/cb</code>", "the app client web"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page of a mismatch does not show %s:\n%s", want, page.body)
		}
	}
	if a := c.do("GET", "/error?error=redirect_mismatch", nil); a.status != 400 || !strings.Contains(a.body, "redirect_mismatch") {
		t.Errorf("the error page: status %d", a.status)
	}
	if a := c.do("POST", "/oauth2/authorize?"+query("web", nil).Encode(), url.Values{}); a.status != 405 {
		t.Errorf("POST: status %d", a.status)
	}
}

func TestS143_LoginSession(t *testing.T) {
	c := newContract(t)
	if a := c.authorize("web", nil); a.status != 302 || a.to.Path != "/login" || a.to.Query().Get("state") != "s t" {
		t.Errorf("without a session: status %d to %s", a.status, a.to)
	}
	first := c.code("web", nil)
	a := c.authorize("web", map[string]string{"prompt": "none"})
	if a.to.Query().Get("code") == "" || a.to.Query().Get("code") == first || a.to.Query().Get("state") != "s t" {
		t.Errorf("with a session: to %s", a.to)
	}
	if a := c.authorize("web", map[string]string{"prompt": "login"}); a.to.Path != "/login" {
		t.Errorf("prompt=login: to %s", a.to)
	}
	if a := c.authorize("elsewhere", nil); a.to.Path != "/login" {
		t.Errorf("another pool takes the session: to %s", a.to)
	}
	c.ahead.Add(int64(50 * time.Minute))
	c.authorize("web", nil)
	c.ahead.Add(int64(11 * time.Minute))
	if a := c.authorize("web", nil); a.to.Path != "/login" {
		t.Errorf("the session slides: to %s", a.to)
	}
	c.code("web", nil)
	if err := c.pool.DisableUser("local_Shop1", "carol"); err != nil {
		t.Fatal(err)
	}
	if a := c.authorize("web", nil); a.to.Path != "/login" {
		t.Errorf("a disabled user: to %s", a.to)
	}
}

func TestS143_TokenRefusals(t *testing.T) {
	c := newContract(t)
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	pkce := map[string]string{"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256"}
	secret := url.Values{"client_secret": {secretOne}}
	with := func(more url.Values) url.Values {
		all := maps.Clone(secret)
		maps.Copy(all, more)
		return all
	}
	for _, tt := range []struct {
		name string
		call func() answer
		want string // error [description]; empty: granted
	}{
		{"secret in the body", func() answer { return c.redeem("web", c.code("web", nil), secret) }, ""},
		{"secret in the header", func() answer {
			return c.redeem("web", c.code("web", nil), nil, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("web:"+secretOne)))
		}, ""},
		{"second secret", func() answer {
			return c.redeem("web", c.code("web", nil), url.Values{"client_secret": {secretTwo}})
		}, ""},
		{"public client", func() answer { return c.redeem("spa", c.code("spa", nil), nil) }, ""},
		{"verifier", func() answer {
			return c.redeem("web", c.code("web", pkce), with(url.Values{"code_verifier": {verifier}}))
		}, ""},
		{"wrong verifier", func() answer {
			return c.redeem("web", c.code("web", pkce), with(url.Values{"code_verifier": {strings.Repeat("w", 43)}}))
		}, "invalid_grant"},
		{"no verifier", func() answer { return c.redeem("web", c.code("web", pkce), secret) }, "invalid_grant"},
		{"a verifier nobody asked for", func() answer {
			return c.redeem("web", c.code("web", nil), with(url.Values{"code_verifier": {verifier}}))
		}, "invalid_grant"},
		{"wrong secret", func() answer {
			return c.redeem("web", c.code("web", nil), url.Values{"client_secret": {secretThree}})
		}, "invalid_client invalid_client_secret"},
		{"no secret", func() answer { return c.redeem("web", c.code("web", nil), nil) }, "invalid_client invalid_client_secret"},
		{"unknown code", func() answer { return c.redeem("web", "x", secret) }, "invalid_grant"},
		{"code of another client", func() answer { return c.redeem("web", c.code("spa", nil), secret) }, "invalid_grant"},
		{"another redirect_uri", func() answer {
			return c.redeem("spa", c.code("spa", nil), url.Values{"redirect_uri": {"http://localhost:8080/cb2"}})
		}, "unauthorized_client invalid_redirect"},
		{"code twice", func() answer {
			code := c.code("web", nil)
			c.redeem("web", code, secret)
			return c.redeem("web", code, secret)
		}, "invalid_grant"},
		{"code after five minutes", func() answer {
			code := c.code("web", nil)
			c.ahead.Add(int64(5*time.Minute + time.Second))
			return c.redeem("web", code, secret)
		}, "invalid_grant"},
		{"no code", func() answer { return c.redeem("web", "", secret) }, "invalid_request"},
		{"unknown grant type", func() answer {
			return c.redeem("web", "x", with(url.Values{"grant_type": {"password"}}))
		}, "unsupported_grant_type"},
		{"refresh without a token", func() answer {
			return c.redeem("web", "x", with(url.Values{"grant_type": {"refresh_token"}}))
		}, "invalid_request"},
		{"refresh with nonsense", func() answer {
			return c.redeem("web", "x", with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}))
		}, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.call()
			got, _ := a.json["error"].(string)
			if description, ok := a.json["error_description"].(string); ok {
				got += " " + description
			}
			if status := map[bool]int{true: 200, false: 400}[tt.want == ""]; got != tt.want || a.status != status || a.header.Get("Content-Type") != "application/json;charset=UTF-8" {
				t.Errorf("status %d, %q, want %q: %s", a.status, got, tt.want, a.body)
			}
		})
	}
}

func TestS143_Claims(t *testing.T) {
	c := newContract(t)
	a := c.redeem("web", c.code("web", map[string]string{"scope": "openid email profile"}), url.Values{"client_secret": {secretOne}})
	if keys := slices.Sorted(maps.Keys(a.json)); strings.Join(keys, " ") != "access_token expires_in id_token refresh_token token_type" || a.json["token_type"] != "Bearer" || a.json["expires_in"] != float64(3600) {
		t.Fatalf("answer %v", a.json)
	}
	idHeader, id := c.claims(a.json["id_token"])
	accessHeader, access := c.claims(a.json["access_token"])
	for _, header := range []map[string]any{idHeader, accessHeader} {
		if len(header) != 2 || header["alg"] != "RS256" || !strings.HasSuffix(header["kid"].(string), "=") {
			t.Errorf("header %v", header)
		}
	}
	if idHeader["kid"] == accessHeader["kid"] {
		t.Error("both tokens are signed with one key")
	}
	if got, want := strings.Join(slices.Sorted(maps.Keys(id)), " "), "acr amr at_hash aud auth_time cognito:groups cognito:username custom:team email email_verified event_id exp iat iss jti name nonce origin_jti sub token_use"; got != want {
		t.Errorf("ID token has %s\nwant %s", got, want)
	}
	if got, want := strings.Join(slices.Sorted(maps.Keys(access)), " "), "acr amr auth_time client_id cognito:groups event_id exp iat iss jti origin_jti scope sub token_use username version"; got != want {
		t.Errorf("access token has %s\nwant %s", got, want)
	}
	if id["aud"] != "web" || id["email_verified"] != true || id["token_use"] != "id" || id["nonce"] != "n" || id["iss"] != c.url+"/local_Shop1" || id["custom:team"] != "blue" {
		t.Errorf("ID token %v", id)
	}
	if access["client_id"] != "web" || access["username"] != "carol" || access["scope"] != "openid email profile" || access["version"] != json.Number("2") || access["origin_jti"] != id["origin_jti"] {
		t.Errorf("access token %v", access)
	}
	if refresh := a.json["refresh_token"].(string); !strings.HasPrefix(refresh, "eyJjdHkiOiJKV1Qi") || strings.Count(refresh, ".") != 4 {
		t.Errorf("refresh token %.40s…", refresh)
	}
	info := c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+a.json["access_token"].(string))
	if info.status != 200 || info.json["email_verified"] != "true" || info.json["username"] != "carol" || info.json["cognito:groups"] != nil {
		t.Errorf("userInfo: status %d, %v", info.status, info.json)
	}
}

// TestAddressIsAnObject in tokens and userInfo, and one text at the pool; what says that
// an e-mail address is verified may be in any case, and userInfo has it as it was written.
func TestAddressIsAnObject(t *testing.T) {
	c := newContract(t)
	if err := c.pool.SetAttributes("local_Shop1", "carol", map[string]string{"address": "1 Main Street\nTown", "email_verified": "True"}); err != nil {
		t.Fatal(err)
	}
	a := c.redeem("web", c.code("web", map[string]string{"scope": "openid"}), url.Values{"client_secret": {secretOne}})
	_, id := c.claims(a.json["id_token"])
	info := c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+a.json["access_token"].(string)).json
	for from, claim := range map[string]any{"ID token": id["address"], "userInfo": info["address"]} {
		if address, ok := claim.(map[string]any); !ok || len(address) != 1 || address["formatted"] != "1 Main Street\nTown" {
			t.Errorf("%s: address %v", from, claim)
		}
	}
	if id["email_verified"] != true || info["email_verified"] != "True" {
		t.Errorf("email_verified %v in the ID token, %v in userInfo", id["email_verified"], info["email_verified"])
	}
}

func TestS143_RefreshRotationAndRevocation(t *testing.T) {
	c := newContract(t)
	refresh := func(client, token string) answer {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}})
	}
	first := c.redeem("spa", c.code("spa", nil), nil).json
	if err := c.pool.RemoveFromGroup("local_Shop1", "carol", "admins"); err != nil {
		t.Fatal(err)
	}
	again := refresh("spa", first["refresh_token"].(string))
	if again.status != 200 || again.json["refresh_token"] != nil {
		t.Fatalf("refresh: status %d, %v", again.status, again.json)
	}
	_, before := c.claims(first["id_token"])
	_, after := c.claims(again.json["id_token"])
	if after["nonce"] != nil || after["cognito:groups"] != nil || before["cognito:groups"] == nil || after["auth_time"] != before["auth_time"] || after["origin_jti"] != before["origin_jti"] {
		t.Errorf("refreshed ID token %v", after)
	}
	if a := refresh("rotating", first["refresh_token"].(string)); a.json["error"] != "invalid_grant" {
		t.Errorf("another client's refresh token: %v", a.json)
	}

	one := c.redeem("rotating", c.code("rotating", nil), nil).json["refresh_token"].(string)
	two, ok := refresh("rotating", one).json["refresh_token"].(string)
	if !ok || two == one {
		t.Fatal("the token was not rotated")
	}
	if a := refresh("rotating", one); a.status != 200 {
		t.Errorf("within the grace: status %d", a.status)
	}
	c.ahead.Add(int64(11 * time.Second))
	if a := refresh("rotating", one); a.json["error"] != "invalid_grant" {
		t.Errorf("after the grace: %v", a.json)
	}

	access := first["access_token"].(string)
	if a := c.do("POST", "/oauth2/revoke", url.Values{"client_id": {"spa"}, "token": {access}}); a.json["error"] != "unsupported_token_type" || a.status != 400 {
		t.Errorf("revoking an access token: status %d, %v", a.status, a.json)
	}
	for range 2 { // the second time is not an error either
		if a := c.do("POST", "/oauth2/revoke", url.Values{"client_id": {"spa"}, "token": {first["refresh_token"].(string)}}); a.status != 200 || a.body != "" {
			t.Errorf("revoke: status %d, %s", a.status, a.body)
		}
	}
	if a := refresh("spa", first["refresh_token"].(string)); a.json["error"] != "invalid_grant" {
		t.Errorf("a revoked token: %v", a.json)
	}
	if a := c.do("GET", "/oauth2/userInfo", nil, "Authorization", "Bearer "+access); a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("userInfo of a revoked family: status %d, %s", a.status, a.header.Get("WWW-Authenticate"))
	}
	if a := c.do("POST", "/oauth2/revoke", url.Values{"client_id": {"web"}, "client_secret": {"x"}, "token": {"t"}}); a.status != 401 || a.json["error"] != "invalid_client" {
		t.Errorf("revoke with a wrong secret: status %d, %v", a.status, a.json)
	}
}

func TestS143_ClientCredentials(t *testing.T) {
	c := newContract(t)
	ask := func(client, scope string) answer {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secretOne}, "scope": {scope}})
	}
	a := ask("web", "orders/read")
	_, claims := c.claims(a.json["access_token"])
	if a.json["id_token"] != nil || a.json["refresh_token"] != nil || claims["sub"] != "web" || claims["username"] != nil || claims["scope"] != "orders/read" {
		t.Errorf("answer %v, claims %v", a.json, claims)
	}
	for scope, want := range map[string]string{"orders/write": "invalid_grant", "orders/fly": "invalid_scope", "openid": "invalid_grant"} {
		if a := ask("web", scope); a.json["error"] != want {
			t.Errorf("scope %s: %v, want %s", scope, a.json, want)
		}
	}
	if a := ask("spa", ""); a.json["error"] != "unauthorized_client" {
		t.Errorf("public client: %v", a.json)
	}
}

func TestS143_Logout(t *testing.T) {
	c := newContract(t)
	c.code("web", nil)
	for name, tt := range map[string]struct {
		query, want string
	}{
		"sign-out URL": {"client_id=web&logout_uri=" + url.QueryEscape("http://localhost:8080/"), "http://localhost:8080/"},
		"back to sign in": {"client_id=web&response_type=code&redirect_uri=" + url.QueryEscape("http://localhost:8080/cb"),
			c.url + "/login?client_id=web&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcb&response_type=code"},
	} {
		if a := c.do("GET", "/logout?"+tt.query, nil); a.status != 302 || a.header.Get("Location") != tt.want {
			t.Errorf("%s: status %d to %s, want %s", name, a.status, a.header.Get("Location"), tt.want)
		}
	}
	if a := c.authorize("web", nil); a.to.Path != "/login" {
		t.Errorf("the session outlives it: to %s", a.to)
	}
	for query, want := range map[string]string{
		"logout_uri=x": "Required String parameter 'client_id' is not present",
		"client_id=web&logout_uri=" + url.QueryEscape("http://localhost:8080"): "Required String parameter 'redirect_uri' is not present",
		"client_id=web": "Required String parameter 'redirect_uri' is not present",
	} {
		if a := c.do("GET", "/logout?"+query, nil); a.status != 400 || strings.TrimSpace(a.body) != want {
			t.Errorf("%s: status %d, %s", query, a.status, a.body)
		}
	}
}

func TestS143_DiscoveryAndKeys(t *testing.T) {
	c := newContract(t)
	a := c.do("GET", "/local_Shop1/.well-known/openid-configuration", nil)
	want := "authorization_endpoint end_session_endpoint id_token_signing_alg_values_supported issuer jwks_uri response_types_supported revocation_endpoint scopes_supported subject_types_supported token_endpoint token_endpoint_auth_methods_supported userinfo_endpoint"
	if got := strings.Join(slices.Sorted(maps.Keys(a.json)), " "); got != want || a.json["issuer"] != c.url+"/local_Shop1" {
		t.Errorf("discovery has %s", got)
	}
	keys, ok := c.do("GET", "/local_Shop1/.well-known/jwks.json", nil).json["keys"].([]any)
	if !ok || len(keys) != 2 {
		t.Fatalf("keys %v", keys)
	}
	for _, key := range keys {
		if got := strings.Join(slices.Sorted(maps.Keys(key.(map[string]any))), " "); got != "alg e kid kty n use" {
			t.Errorf("key has %s", got)
		}
	}
	if a := c.do("GET", "/local_Nobody1/.well-known/jwks.json", nil); a.status != 404 {
		t.Errorf("keys of no pool: status %d", a.status)
	}
}

func TestPagesRefuse(t *testing.T) {
	c := newContract(t)
	if a := c.signIn("web", "carol", "wrong", nil); a.status != 200 || !strings.Contains(a.body, "Incorrect username or password.") {
		t.Errorf("wrong password: status %d", a.status)
	}
	if a := c.signIn("web", "nobody", "wrong", nil); !strings.Contains(a.body, "Incorrect username or password.") {
		t.Error("a user who does not exist is told apart")
	}
	for range 5 {
		c.signIn("web", "carol", "wrong", nil)
	}
	if a := c.signIn("web", "carol", "Passw0rd!", nil); !strings.Contains(a.body, "Password attempts exceeded") {
		t.Error("no lockout after six bad passwords")
	}
	c.ahead.Add(int64(time.Hour))
	if a := c.signIn("web", "carol", "Passw0rd!", nil); a.status != 302 {
		t.Errorf("after the lockout: status %d", a.status)
	}
	if a := c.do("POST", "/login?"+query("web", nil).Encode(), url.Values{"username": {"carol"}, "password": {"Passw0rd!"}}); a.status != 403 {
		t.Errorf("without _csrf: status %d", a.status)
	}
	if a := c.signIn("web", `"><script>alert(1)</script>`, "x", nil); strings.Contains(a.body, "<script") {
		t.Error("what was typed is not escaped")
	}
	page := c.do("GET", "/login?"+query("web", nil).Encode(), nil)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	if !strings.Contains(page.body, "This is not Amazon Cognito") {
		t.Error("the page does not say what it is")
	}
}

func TestForcedNewPassword(t *testing.T) {
	c := newContract(t)
	page := c.signIn("web", "dave", "Temp0rary!", nil)
	challenge := regexp.MustCompile(`name="challenge" value="([^"]+)"`).FindStringSubmatch(page.body)
	token := csrfField.FindStringSubmatch(page.body)
	if challenge == nil || token == nil {
		t.Fatalf("no new password is asked for: %s", page.body)
	}
	send := func(challenge, password, again string) answer {
		return c.do("POST", "/newpassword?"+query("web", nil).Encode(), url.Values{"_csrf": {token[1]}, "challenge": {challenge}, "password": {password}, "again": {again}})
	}
	for name, a := range map[string]answer{
		"weak": send(challenge[1], "short", "short"), "different": send(challenge[1], "N3wPassw0rd!", "other"), "invented": send("x", "N3wPassw0rd!", "N3wPassw0rd!"),
	} {
		if a.status != 200 || !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	if a := send(challenge[1], "N3wPassw0rd!", "N3wPassw0rd!"); a.status != 302 || a.to.Query().Get("code") == "" {
		t.Errorf("status %d to %s", a.status, a.to)
	}
	if a := send(challenge[1], "An0ther!pass", "An0ther!pass"); a.status == 302 {
		t.Error("the challenge works twice")
	}
}

func TestForgottenPassword(t *testing.T) {
	c := newContract(t)
	page := c.do("GET", "/forgotPassword?"+query("web", nil).Encode(), nil)
	token := csrfField.FindStringSubmatch(page.body)
	post := func(path string, form url.Values) answer {
		form.Set("_csrf", token[1])
		return c.do("POST", path+"?"+query("web", nil).Encode(), form)
	}
	known := post("/forgotPassword", url.Values{"username": {"carol"}})
	unknown := post("/forgotPassword", url.Values{"username": {"nobody"}})
	if strings.ReplaceAll(known.body, "carol", "") != strings.ReplaceAll(unknown.body, "nobody", "") {
		t.Error("the page tells who has an account")
	}
	code, ok := c.pool.LastCode("carol@example.com")
	if !ok {
		t.Fatal("no code was sent")
	}
	if a := post("/confirmforgotPassword", url.Values{"username": {"carol"}, "code": {"x"}, "password": {"N3wPassw0rd!"}}); !strings.Contains(a.body, "Invalid verification code") {
		t.Error("a wrong code passes")
	}
	if a := post("/confirmforgotPassword", url.Values{"username": {"carol"}, "code": {code}, "password": {"N3wPassw0rd!"}}); !strings.Contains(a.body, "Your password is changed") {
		t.Errorf("the right code: %s", a.body)
	}
	if a := c.signIn("web", "carol", "N3wPassw0rd!", nil); a.status != 302 {
		t.Errorf("the new password: status %d", a.status)
	}
}

func TestS142_ForeignHosts(t *testing.T) {
	c := newContract(t)
	for host, want := range map[string]int{"evil.example": 421, "evil.example:9229": 421, "127.0.0.1.evil.example": 421, "localhost": 200, "[::1]:9229": 200, "127.0.0.2": 200} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", c.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		response, err := c.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("Host %q: status %d, want %d", host, response.StatusCode, want)
		}
	}
	// No client of Go's sends a request without a host. Others do.
	for request, want := range map[string]int{"GET / HTTP/1.0\r\n\r\n": 421, "GET / HTTP/1.1\r\n\r\n": 400, "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n": 421} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, request)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		if response.Body.Close(); response.StatusCode != want {
			t.Errorf("%q: status %d, want %d", request, response.StatusCode, want)
		}
	}
	for address, ok := range map[string]bool{"127.0.0.1:9229": true, "[::1]:0": true, "localhost:1": true, "0.0.0.0:9229": false, ":9229": false, "192.168.1.2:9229": false, "x": false} {
		if err := localpool.CheckListen(address); (err == nil) != ok {
			t.Errorf("CheckListen(%q) = %v", address, err)
		}
	}
}

func TestS141_StateFiles(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) (*localpool.Server, error) {
		return localpool.New(localpool.Config{StateFile: filepath.Join(dir, name), Logger: slog.New(slog.DiscardHandler)})
	}
	keys := func(s *localpool.Server) string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9229/"+localpool.DemoPoolID+"/.well-known/jwks.json", nil))
		return w.Body.String()
	}
	one, err := open("one.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := one.CreateUser(localpool.DemoPoolID, localpool.UserSeed{Username: "erin", Email: "erin@example.com", Password: "Passw0rd!"}); err != nil {
		t.Fatal(err)
	}
	again, err := open("one.json")
	if err != nil {
		t.Fatal(err)
	}
	if keys(one) != keys(again) {
		t.Error("a restart has other keys")
	}
	if err := again.DisableUser(localpool.DemoPoolID, "erin"); err != nil {
		t.Errorf("a restart forgets users: %v", err)
	}
	two, err := open("two.json")
	if err != nil {
		t.Fatal(err)
	}
	if keys(one) == keys(two) {
		t.Error("two states share keys")
	}
	for name, content := range map[string]string{"damaged.json": `{"version":1,`, "newer.json": `{"version":99}`, "empty.json": "", "hollow.json": `{"version":1,"pools":[null]}`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(name); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: New() = %v", name, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != content {
			t.Errorf("%s was changed", name)
		}
	}
}

func FuzzParseSeed(f *testing.F) {
	f.Add([]byte(behaviorSeed))
	f.Add([]byte("pools: [{id: x}]"))
	f.Add([]byte(":"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if seed, err := localpool.ParseSeed(b); err == nil && len(seed.Pools) == 0 {
			t.Errorf("ParseSeed(%q) accepts a seed without pools", b)
		}
	})
}
