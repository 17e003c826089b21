package localpool_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// published is a server on this machine with the document of a client, and counts who asks.
type published struct {
	*httptest.Server
	asked   atomic.Int64
	answers atomic.Pointer[http.HandlerFunc]
}

func (p *published) id() string { return p.URL + "/client.json" }

// says has the document be metadata of the client, some of them others.
func (p *published) says(changes map[string]any, header ...string) {
	metadata := map[string]any{
		"client_id": p.id(), "client_name": "Tool", "redirect_uris": []string{"http://localhost/cb", "https://tool.example/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none",
	}
	for name, value := range changes {
		if metadata[name] = value; value == nil {
			delete(metadata, name)
		}
	}
	p.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_ = json.NewEncoder(w).Encode(metadata)
	})
}

func (p *published) answer(h http.HandlerFunc) { p.answers.Store(&h) }

func publish(t *testing.T) *published {
	p := new(published)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answers.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	p.says(nil)
	return p
}

const cimd = `"UserPoolId":"` + shop + `"`

// admits has carol's pool take documents of this machine for an app client with the
// code flow.
func (c *contract) admits(patterns string) (policy string) {
	c.Helper()
	c.ask("UpdateUserPoolClient", `{`+cimd+`,"ClientId":"spa","ClientName":"spa","CallbackURLs":["http://localhost:8080/cb"],"LogoutURLs":["http://localhost:8080/"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid","email"],"AllowedOAuthFlowsUserPoolClient":true,"ExplicitAuthFlows":["ALLOW_REFRESH_TOKEN_AUTH"]}`)
	made := c.ask("CreateCIMDPolicy", `{`+cimd+`,"ClientId":"spa","PolicyName":"tools","URLPatterns":`+patterns+`}`)
	return text(inner(made, "CIMDPolicy", "CIMDPolicyId"))
}

func (c *contract) urls(policy string) (list []map[string]any) {
	c.Helper()
	for _, u := range c.ask("ListClientMetadataURLs", `{`+cimd+`,"CIMDPolicyId":"`+policy+`"}`)["ClientMetadataURLs"].([]any) {
		list = append(list, u.(map[string]any))
	}
	return list
}

// TestS665_AClientWithADocument: a client whose id is the URL of a document signs people in,
// refreshes, and is nobody but itself.
func TestS665_AClientWithADocument(t *testing.T) {
	c := newContract(t)
	tool := publish(t)
	if a := c.authorize(tool.id(), nil); !strings.Contains(a.header.Get("Location"), "Client+does+not+exist") || tool.asked.Load() != 0 {
		t.Fatalf("without a policy: %v, asked %d times", a.header, tool.asked.Load())
	}
	policy := c.admits(`["https://nowhere.example/*","https://127.0.0.1:*/client.json"]`)
	if got := c.do("GET", "/"+shop+"/.well-known/openid-configuration", nil).json["client_id_metadata_document_supported"]; got != true {
		t.Errorf("discovery says %v", got)
	}
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	asked := map[string]string{
		"redirect_uri": "http://localhost:3117/cb", "scope": "openid", "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256",
	}
	code := c.code(tool.id(), asked)
	redeem := url.Values{"redirect_uri": {"http://localhost:3117/cb"}, "code_verifier": {verifier}}
	set := c.redeem(tool.id(), code, redeem)
	if set.status != 200 {
		t.Fatalf("token: %s", set.body)
	}
	if _, claims := c.claims(set.json["access_token"]); claims["client_id"] != "spa" || claims["scope"] != "openid" {
		t.Errorf("access token: %v", claims)
	}
	refresh := func(client string) answer {
		return c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {text(set.json["refresh_token"])}})
	}
	if a := refresh(tool.id()); a.status != 200 {
		t.Errorf("refresh: %s", a.body)
	}
	if n := tool.asked.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	for _, row := range []struct {
		what string
		got  answer
		want string
	}{
		{"the app client, with the tool's refresh token", refresh("spa"), "invalid_grant"},
		{"the app client, with the tool's code", c.redeem("spa", c.code(tool.id(), asked), redeem), "invalid_grant"},
		{"the tool, with the app client's code", c.redeem(tool.id(), c.code("spa", nil), nil), "invalid_grant"},
		{"a secret grant", c.do("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {tool.id()}}), "unauthorized_client"},
		{"a URL that no policy takes", c.do("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {tool.URL + "/other.json"}, "refresh_token": {"x"}}), "invalid_client"},
	} {
		if row.got.json["error"] != row.want {
			t.Errorf("%s: %s, want %s", row.what, row.got.body, row.want)
		}
	}
	for uri, want := range map[string]string{
		"https://tool.example/cb": "/oauth2/authorize", "http://localhost:8080/cb": "", "http://127.0.0.1:3117/cb": "mismatch", "http://localhost/other": "mismatch",
		"https://tool.example:444/cb": "mismatch", "https://tool.example/cb/": "mismatch", "http://localhost:80@evil.example/cb": "mismatch",
	} {
		got := c.authorize(tool.id(), map[string]string{"redirect_uri": uri, "prompt": "login"}).header.Get("Location")
		if mismatch := strings.Contains(got, "redirect_mismatch"); mismatch != (want == "mismatch") {
			t.Errorf("redirect_uri %s: to %s", uri, got)
		}
	}
	if a := c.do("GET", "/error?error=redirect_mismatch&client_id="+url.QueryEscape(tool.id())+"&redirect_uri=x", nil); !strings.Contains(a.body, "https://tool.example/cb") {
		t.Errorf("the page of a mismatch: %s", a.body)
	}
	if a := c.do("GET", "/logout?"+url.Values{"client_id": {tool.id()}, "logout_uri": {"http://localhost:8080/"}}.Encode(), nil); a.header.Get("Location") != "http://localhost:8080/" {
		t.Errorf("sign-out: %v", a.header)
	}
	q := "?" + query(tool.id(), asked).Encode()
	if a := c.do("GET", "/signup"+q, nil); a.status != 200 || !strings.Contains(a.body, "Create an account") {
		t.Errorf("/signup: %d %s", a.status, a.body)
	}
	list := c.urls(policy)
	if len(list) != 1 || list[0]["URL"] != tool.id() || list[0]["CachedDate"] == nil || list[0]["ExpirationDate"] == nil {
		t.Errorf("URLs = %v", list)
	}
	// The policy outlives its client, and takes nobody then.
	c.ask("DeleteUserPoolClient", `{`+cimd+`,"ClientId":"spa"}`)
	if got := c.ask("DescribeCIMDPolicy", `{`+cimd+`,"CIMDPolicyId":"`+policy+`"}`); inner(got, "CIMDPolicy", "ClientId") != nil || inner(got, "CIMDPolicy", "PolicyName") != "tools" {
		t.Errorf("policy = %v", got)
	}
	if a := c.authorize(tool.id(), asked); !strings.Contains(a.header.Get("Location"), "Client+does+not+exist") {
		t.Errorf("of a policy without a client: %v", a.header)
	}
}

// TestS664_DocumentsThatAreRefused: the page says why, and nobody is sent anywhere.
func TestS664_DocumentsThatAreRefused(t *testing.T) {
	c := newContract(t)
	tool := publish(t)
	policy := c.admits(`["https://127.0.0.1:*","https://10.0.0.1/*","https://169.254.169.254/*","https://*.internal.example/*"]`)
	elsewhere := publish(t)
	serve := func(kind, body string) func() {
		return func() {
			tool.answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				fmt.Fprint(w, body)
			})
		}
	}
	says := func(changes map[string]any) func() { return func() { tool.says(changes) } }
	for _, row := range []struct {
		what, want string
		set        func()
	}{
		{"another id", "client_id in the document", says(map[string]any{"client_id": elsewhere.id()})},
		{"a secret", "no secret", says(map[string]any{"client_secret": "made1up2for3this4test5alone"})},
		{"an authentication", "no secret", says(map[string]any{"token_endpoint_auth_method": "private_key_jwt"})},
		{"nowhere to go", "redirect_uris", says(map[string]any{"redirect_uris": nil})},
		{"a place to go without https", "redirect_uris", says(map[string]any{"redirect_uris": []string{"http://tool.example/cb"}})},
		{"no object", "JSON object", serve("application/json", `["x"]`)},
		{"another type", "Content-Type", serve("text/html", `{}`)},
		{"too much", "longer than", serve("application/json", strings.Repeat(" ", 64<<10+1))},
		{"a redirect", "status 302", func() {
			tool.answer(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.id(), http.StatusFound) })
		}},
		{"nothing", "status 404", func() { tool.answer(http.NotFound) }},
	} {
		row.set()
		a := c.authorize(tool.id(), map[string]string{"redirect_uri": "https://tool.example/cb"})
		if a.to == nil || a.to.Path != "/error" || !strings.Contains(a.to.Query().Get("error_description"), row.want) {
			t.Errorf("%s: to %s, want %q", row.what, a.to, row.want)
		}
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a redirect was followed")
	}
	for _, id := range []string{"https://10.0.0.1/client.json", "https://169.254.169.254/client.json"} {
		if a := c.authorize(id, nil); !strings.Contains(a.to.Query().Get("error_description"), "not an address that documents are fetched from") {
			t.Errorf("%s: to %s", id, a.to)
		}
	}
	before := tool.asked.Load()
	for _, id := range []string{
		tool.URL + "/", tool.URL + "/a/../client.json", tool.URL + "/client.json#x", strings.Replace(tool.id(), "https:", "http:", 1),
		"https://evil.example/.internal.example/x", "https://carol@127.0.0.1" + strings.TrimPrefix(tool.URL, "https://127.0.0.1") + "/x", tool.URL + "/" + strings.Repeat("x", 256),
	} {
		if a := c.authorize(id, nil); a.to == nil || a.to.Path != "/error" {
			t.Errorf("%s: to %s", id, a.to)
		}
	}
	if tool.asked.Load() != before {
		t.Error("a URL that is none of a document was fetched")
	}
	// That they came is known; nothing of them is kept.
	for _, u := range c.urls(policy) {
		if u["CachedDate"] != nil {
			t.Errorf("kept: %v", u)
		}
	}
}

// TestCIMD_Cache: a document is kept as its headers say, between a day and a year, or else
// its policy, and can be fetched again or forgotten.
func TestCIMD_Cache(t *testing.T) {
	c := newContract(t)
	tool := publish(t)
	policy := c.admits(`["https://127.0.0.1:*/*"]`)
	come := func() int64 {
		c.authorize(tool.id(), map[string]string{"redirect_uri": "https://tool.example/cb"})
		return tool.asked.Load()
	}
	age := func() time.Duration {
		u := c.urls(policy)[0]
		return time.Duration(u["ExpirationDate"].(float64)-u["CachedDate"].(float64)) * time.Second
	}
	change := func(action string) answer {
		return c.call("UpdateClientMetadataURLState", `{`+cimd+`,"CIMDPolicyId":"`+policy+`","URL":"`+tool.id()+`","Action":"`+action+`"}`)
	}
	if a := change("REFRESH"); !strings.Contains(a.body, "CachedCIMDURLDoesNotExistException") {
		t.Errorf("before it came: %s", a.body)
	}
	first, again := come(), come()
	if first != 1 || again != 1 || age() != 24*time.Hour {
		t.Errorf("fetched %d times, for %v", tool.asked.Load(), age())
	}
	c.ahead.Add(int64(24*time.Hour + time.Second))
	tool.says(nil, "Cache-Control", "private, max-age=172800")
	if come() != 2 || age() != 48*time.Hour {
		t.Errorf("of two days: fetched %d times, for %v", tool.asked.Load(), age())
	}
	tool.says(nil, "Cache-Control", "max-age=60")
	c.ask("UpdateCIMDPolicy", `{`+cimd+`,"CIMDPolicyId":"`+policy+`","ClientId":"spa","URLPatterns":["https://127.0.0.1:*/*"],"CacheDuration":604800}`)
	if a := change("REFRESH"); a.status != 200 || tool.asked.Load() != 3 || age() != 7*24*time.Hour {
		t.Errorf("fetched again: %s, %d times, for %v", a.body, tool.asked.Load(), age())
	}
	if a := change("INVALIDATE"); a.status != 200 || c.urls(policy)[0]["CachedDate"] != nil {
		t.Errorf("forgotten: %s, %v", a.body, c.urls(policy))
	}
	if a := change("INVALIDATE"); !strings.Contains(a.body, "CachedCIMDURLDoesNotExistException") {
		t.Errorf("forgotten twice: %s", a.body)
	}
	if come() != 4 {
		t.Errorf("afterwards: fetched %d times", tool.asked.Load())
	}
	tool.answer(http.NotFound)
	if a := change("REFRESH"); !strings.Contains(a.body, "InvalidParameterException") || !strings.Contains(a.body, "404") {
		t.Errorf("of one that is gone: %s", a.body)
	}
	c.ask("DeleteCIMDPolicy", `{`+cimd+`,"CIMDPolicyId":"`+policy+`"}`)
	c.no("ListClientMetadataURLs", `{`+cimd+`,"CIMDPolicyId":"`+policy+`"}`, "ResourceNotFoundException", "")
}
