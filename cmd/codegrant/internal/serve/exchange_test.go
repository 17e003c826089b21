package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestServeWithExchange: upstreams get tokens of their own, of the local pool by either way
// and of the gateway, for a session and for a bearer token; many requests make one exchange.
func TestServeWithExchange(t *testing.T) {
	g := newGate(t, "")
	g.api("CreateResourceServer", json.RawMessage(fmt.Sprintf(`{"UserPoolId":%q,"Identifier":"orders","Name":"orders","Scopes":[{"ScopeName":"read","ScopeDescription":"r"}]}`, g.pool.PoolID)))
	client := func(flow string) string {
		out := g.api("CreateUserPoolClient", json.RawMessage(fmt.Sprintf(`{"UserPoolId":%q,"ClientName":"x","GenerateSecret":true,"ExplicitAuthFlows":[%q],"AllowedOAuthFlows":["client_credentials"],"AllowedOAuthScopes":["orders/read"],"AllowedOAuthFlowsUserPoolClient":true}`, g.pool.PoolID, flow)))["UserPoolClient"].(map[string]any)
		return fmt.Sprintf("client_id: %q, client_secret: %q", out["ClientId"], out["ClientSecret"])
	}
	g.write(`
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /pool, upstream: "${UP}", exchange: {audience: "https://orders.example.com", ` + client("ALLOW_TOKEN_EXCHANGE_IMPERSONATION") + `}}
  - {path: /endpoint, upstream: "${UP}", exchange: {audience: "https://bills.example.com", by: token_endpoint, actor: true, ` + client("ALLOW_TOKEN_EXCHANGE_DELEGATION") + `}}
  - {path: /gateway, upstream: "${UP}", actors: any, exchange: {audience: "https://files.example.com", by: gateway, actor: true, scopes: files/read}}
  - {path: /refused, upstream: "${UP}", exchange: "https://none.example.com"}
exchange_issuer: {algorithm: ES256}
`)
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	claims := func(path string) (string, map[string]any) {
		t.Helper()
		if status, body := g.get(alice.Client, path); status != 200 {
			t.Fatalf("%s: %d %s\n%s", path, status, body, g.log)
		}
		token := strings.TrimPrefix((<-g.saw).Get("Authorization"), "Bearer ")
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%s: Authorization %q", path, token)
		}
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		out := map[string]any{}
		if err := json.Unmarshal(payload, &out); err != nil {
			t.Fatal(err)
		}
		return token, out
	}
	_, pool := claims("/pool/a")
	if pool["aud"] != "https://orders.example.com" || pool["act"] != nil || pool["iss"] != g.pool.Clients()[0].Issuer {
		t.Errorf("the pool's: %v", pool)
	}
	_, endpoint := claims("/endpoint/a")
	if act, _ := endpoint["act"].(map[string]any); endpoint["aud"] != "https://bills.example.com" || act["client_id"] == nil || endpoint["sub"] != pool["sub"] {
		t.Errorf("the token endpoint's: %v", endpoint)
	}
	token, own := claims("/gateway/a")
	if act, _ := own["act"].(map[string]any); own["aud"] != "https://files.example.com" || own["iss"] != g.url+"/exchange" || own["scope"] != "files/read" || act["sub"] != g.url+"/exchange" || own["sub"] != pool["sub"] {
		t.Errorf("the gateway's: %v", own)
	}
	// A service verifies it with what it finds at the issuer.
	var document struct {
		JWKS string `json:"jwks_uri"`
	}
	_, body := g.get(http.DefaultClient, "/exchange/.well-known/openid-configuration")
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	_, body = g.get(http.DefaultClient, strings.TrimPrefix(document.JWKS, g.url))
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&keys); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	signed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.Claims(keys.Key(signed.Headers[0].KeyID)[0].Key, &map[string]any{}); err != nil || signed.Headers[0].ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("%v, %v", err, signed.Headers)
	}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			answer, err := alice.Client.Get(g.url + "/pool/b")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("%d", answer.StatusCode)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(g.log.String(), `"audience":"https://orders.example.com"`); n != 1 {
		t.Errorf("%d exchanges\n%s", n, g.log)
	}
	for len(g.saw) > 0 {
		<-g.saw
	}
	if status, body := g.get(alice.Client, "/refused/a"); status != 403 || len(g.saw) != 0 {
		t.Errorf("an app client that may not exchange: %d %s", status, body)
	}
	g.signOut(alice.Client)
	if status, _ := g.get(&http.Client{Jar: alice.Client.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, "/pool/c"); status == 200 || len(g.saw) != 0 {
		t.Errorf("after the sign-out: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
