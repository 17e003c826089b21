package serve

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestServeWithBroker: a client registers, has somebody sign in and agree, and opens an MCP
// server. What it was given outlives the process, as sessions do, and ends with them.
func TestServeWithBroker(t *testing.T) {
	const config = `
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /mcp, scopes: docs/read, mcp: true, upstream: "${UP}"}
broker: {algorithm: ES256}
sessions: database
database: sqlite:app.db
keys_file: keys
`
	g := newGate(t, config)
	g.writeFile("keys", newSealingKey())
	g.start()
	var metadata struct {
		Servers []string `json:"authorization_servers"`
	}
	status, body := g.get(http.DefaultClient, "/.well-known/oauth-protected-resource/mcp")
	if err := json.Unmarshal([]byte(body), &metadata); err != nil || status != 200 || len(metadata.Servers) != 1 || metadata.Servers[0] != g.url {
		t.Fatalf("%d %s", status, body)
	}
	codes := make(chan string, 1)
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { codes <- r.URL.Query().Get("code") }))
	t.Cleanup(client.Close)
	answer := func(r *http.Response, err error) (got struct {
		ID      string `json:"client_id"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	id := answer(http.Post(g.url+"/oauth/register", "application/json", strings.NewReader(`{"redirect_uris":["`+client.URL+`"]}`))).ID
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	alice := codegranttest.NewBrowser(t)
	page := alice.SignIn(g.url+"/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {client.URL}, "code_challenge_method": {"S256"}, "resource": {g.url + "/mcp"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode(), "alice@example.com", codegranttest.Password)
	form, ok := page.Form("question")
	if !ok {
		t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	alice.Submit(page, form, map[string]string{"answer": "allow"})
	token := func(values url.Values) (string, string, string) {
		t.Helper()
		values.Set("client_id", id)
		got := answer(http.PostForm(g.url+"/oauth/token", values))
		return got.Access, got.Refresh, got.Error
	}
	access, refresh, _ := token(url.Values{"grant_type": {"authorization_code"}, "code": {<-codes}, "redirect_uri": {client.URL}, "code_verifier": {verifier}})
	call := func(path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+access)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := call("/mcp"); status != 200 {
		t.Errorf("the MCP server: %d\n%s", status, g.log)
	}
	if status := call("/"); status != 401 {
		t.Errorf("another route: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	g.start()
	if status := call("/mcp"); status != 200 {
		t.Errorf("after a restart: %d", status)
	}
	access, refresh, _ = token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if status := call("/mcp"); status != 200 || refresh == "" {
		t.Errorf("refreshed: %d", status)
	}
	g.signOut(alice.Client)
	g.until("the token is refused", func() bool { return call("/mcp") == 401 })
	if _, _, wrong := token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}); wrong != "invalid_grant" {
		t.Errorf("a refresh after the sign-out: %q", wrong)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestS666_ServeInModePool: the log says at the start that a pool takes no clients, and the
// gateway goes on for everybody else.
func TestS666_ServeInModePool(t *testing.T) {
	g := newGate(t, `
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /mcp, scopes: docs/read, mcp: true, upstream: "${UP}"}
broker: {mode: pool}
`)
	g.start()
	g.logged("clients cannot be sent to the pool")
	if status, body := g.get(http.DefaultClient, "/.well-known/oauth-authorization-server/mcp"); status != 501 || !strings.Contains(body, "the Lite plan") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := g.get(http.DefaultClient, "/oauth/register"); status == 200 || status == 405 {
		t.Errorf("there is a broker: %d", status)
	}
	alice := codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Errorf("a sign-in: %d %s", page.Status, page.Body)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
