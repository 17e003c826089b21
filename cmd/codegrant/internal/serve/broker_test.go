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

	"github.com/codegrant/codegrant/broker"
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
	alice := codegranttest.NewBrowser(t)
	c := g.agreed(alice)
	if status := c.call("/mcp"); status != 200 {
		t.Errorf("the MCP server: %d\n%s", status, g.log)
	}
	if status := c.call("/"); status != 401 {
		t.Errorf("another route: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	g.start()
	if status := c.call("/mcp"); status != 200 {
		t.Errorf("after a restart: %d", status)
	}
	if wrong := c.renew(); wrong != "" || c.call("/mcp") != 200 {
		t.Errorf("refreshed: %s, %d", wrong, c.call("/mcp"))
	}
	g.signOut(alice.Client)
	g.until("the token is refused", func() bool { return c.call("/mcp") == 401 })
	if wrong := c.renew(); wrong != "invalid_grant" {
		t.Errorf("a refresh after the sign-out: %q", wrong)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// program is a client of the broker's, with what it was given.
type program struct {
	g               *gate
	id, callback    string
	access, refresh string
}

// agreed is a client that registers and has somebody sign in and agree.
func (g *gate) agreed(browser *codegranttest.Browser) *program {
	t := g.t
	t.Helper()
	codes := make(chan string, 1)
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { codes <- r.URL.Query().Get("code") }))
	t.Cleanup(client.Close)
	r, err := http.Post(g.url+"/oauth/register", "application/json", strings.NewReader(`{"redirect_uris":["`+client.URL+`"]}`))
	a := &program{g: g, id: read(t, r, err).ID, callback: client.URL}
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	page := browser.SignIn(g.url+"/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {client.URL}, "code_challenge_method": {"S256"}, "resource": {g.url + "/mcp"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode(), "alice@example.com", codegranttest.Password)
	form, ok := page.Form("question")
	if !ok {
		t.Fatalf("%d %s\n%s", page.Status, page.Body, g.log)
	}
	browser.Submit(page, form, map[string]string{"answer": "allow"})
	if wrong := a.token(url.Values{"grant_type": {"authorization_code"}, "code": {<-codes}, "redirect_uri": {client.URL}, "code_verifier": {verifier}}); wrong != "" {
		t.Fatal(wrong)
	}
	return a
}

type given struct {
	ID      string `json:"client_id"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func read(t *testing.T, r *http.Response, err error) (got given) {
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

// token asks the token endpoint, and keeps what it gives.
func (a *program) token(values url.Values) (wrong string) {
	a.g.t.Helper()
	values.Set("client_id", a.id)
	r, err := http.PostForm(a.g.url+"/oauth/token", values)
	got := read(a.g.t, r, err)
	if got.Error == "" {
		a.access, a.refresh = got.Access, got.Refresh
	}
	return got.Error
}

// renew refreshes.
func (a *program) renew() (wrong string) {
	a.g.t.Helper()
	return a.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.refresh}})
}

// call is the status of a message to an MCP server.
func (a *program) call(path string) int {
	a.g.t.Helper()
	r, err := http.NewRequestWithContext(a.g.t.Context(), http.MethodPost, a.g.url+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		a.g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.access)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.g.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// endsOneProgram: an operator who ends a program that has registered ends all that it could do,
// and nobody can agree to it again.
func (g *gate) endsOneProgram(a *program) {
	t := g.t
	t.Helper()
	if a.call("/mcp") != 200 {
		t.Fatal("the program is not let in")
	}
	stdout, stderr, status := say(t, "grants", "end", "--config", g.config, "--user", "nobody-here", "--client", a.id)
	if status == 0 && strings.Contains(stdout, "program") {
		t.Errorf("of a person: %s%s", stdout, stderr)
	}
	for _, other := range []string{"r.made-up", "https://tool.example.com/client.json"} {
		if stdout, stderr, status := say(t, "grants", "end", "--config", g.config, "--client", other); status != 0 || stdout != "ended 0 grants\n" || stderr != "" {
			t.Errorf("of %s: %d %s%s", other, status, stdout, stderr)
		}
	}
	stdout, stderr, status = say(t, "grants", "end", "--config", g.config, "--client", a.id)
	if status != 0 || stdout != "ended the program and 1 grant\n" || !strings.Contains(stderr, `msg="client ended" client=`+a.id+` reason="operator `) || !strings.Contains(stderr, "grant ended") {
		t.Errorf("of one program: %d %s%s", status, stdout, stderr)
	}
	g.until("the program's token is refused", func() bool { return a.call("/mcp") == 401 })
	if wrong := a.renew(); wrong != "invalid_grant" {
		t.Errorf("a refresh of the program that ended: %q", wrong)
	}
	page := codegranttest.NewBrowser(t).Open(g.url + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.callback}, "code_challenge_method": {"S256"}, "resource": {g.url + "/mcp"},
		"code_challenge": {strings.Repeat("a", 43)},
	}.Encode())
	if page.Status != 400 || !strings.Contains(page.Body, "does not know the program") {
		t.Errorf("the program that ended asks again: %d %s", page.Status, page.Body)
	}
}

// TestS667_OperatorsEndGrants: an operator sees what people have let programs do, and ends
// it: the gateway refuses what came of it, and a line says who has.
func TestS667_OperatorsEndGrants(t *testing.T) {
	const config = `
routes:
  - {path: /mcp, scopes: docs/read, mcp: true, upstream: "${UP}"}
broker: {algorithm: ES256}
sessions: database
database: sqlite:app.db
keys_file: keys
`
	g := newGate(t, config)
	g.writeFile("keys", newSealingKey())
	g.start()
	first := g.agreed(codegranttest.NewBrowser(t))
	second := g.agreed(codegranttest.NewBrowser(t))
	g.endsOneProgram(g.agreed(codegranttest.NewBrowser(t)))
	var listed []broker.Grant
	stdout, stderr, status := say(t, "grants", "--config", g.config, "--json")
	if err := json.Unmarshal([]byte(stdout), &listed); err != nil || status != 0 || len(listed) != 2 || listed[0].Username != "alice" || listed[0].Resource != g.url+"/mcp" {
		t.Fatalf("%d %v %s%s", status, err, stdout, stderr)
	}
	for _, secret := range []string{first.access, first.refresh, second.refresh} {
		if strings.Contains(stdout, secret) {
			t.Error("a token is listed")
		}
	}
	one := listed[0]
	if one.Client != first.id {
		one = listed[1]
	}
	if stdout, _, status := say(t, "grants", "--config", g.config, "--user", one.Subject, "--client", first.id); status != 0 || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, one.Key) {
		t.Errorf("of one program: %d %s", status, stdout)
	}
	if first.call("/mcp") != 200 {
		t.Fatal("the first is not let in")
	}
	stdout, stderr, status = say(t, "grants", "end", "--config", g.config, "--", one.Key)
	if status != 0 || stdout != "ended 1 grant\n" || !strings.Contains(stderr, "grant ended") || !strings.Contains(stderr, "sub="+one.Subject) || !strings.Contains(stderr, `reason="operator `) {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	g.until("the token is refused", func() bool { return first.call("/mcp") == 401 })
	if wrong := first.renew(); wrong != "invalid_grant" {
		t.Errorf("a refresh: %q", wrong)
	}
	if second.call("/mcp") != 200 {
		t.Error("the other program's grant has ended, too")
	}
	if _, stderr, status := say(t, "grants", "end", "--config", g.config, "--", one.Key); status == 0 || !strings.Contains(stderr, "no live grant") {
		t.Errorf("once more: %d %s", status, stderr)
	}
	if _, stderr, status := say(t, "grants", "end", "--config", g.config); status == 0 || !strings.Contains(stderr, "name a grant") {
		t.Errorf("of nobody: %d %s", status, stderr)
	}
	if stdout, _, status := say(t, "grants", "end", "--config", g.config, "--user", one.Subject); status != 0 || stdout != "ended 1 grant\n" {
		t.Errorf("of one person: %d %s", status, stdout)
	}
	g.until("the other token is refused", func() bool { return second.call("/mcp") == 401 })
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
