package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/localpool"
)

const (
	machineID     = "1services2client3id"
	machineSecret = "the-secret-of-the-services-4711"
)

// gatewayProcess is a codegrant serve of its own, before an application that tells what it got.
type gatewayProcess struct {
	*testing.T
	pool   *localpool.Server
	poolAt string
	url    string
	folder string
}

// startServices runs one with an app client for services, and with more of codegrant.yaml: UP
// is the application there. Files are beside it.
func startServices(t *testing.T, more string, files map[string]string) *gatewayProcess {
	t.Helper()
	g := &gatewayProcess{T: t, folder: t.TempDir()}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(app.Close)
	port := freePort(t)
	g.url = "http://localhost:" + port
	seed := localpool.DefaultSeed(g.url)
	seed.Pools[0].ResourceServers = []localpool.ResourceServerSeed{{Identifier: "orders", Scopes: []string{"read", "write"}}}
	seed.Pools[0].Clients = append(seed.Pools[0].Clients, localpool.ClientSeed{
		ID: machineID, Secret: machineSecret, Flows: []string{"client_credentials"}, Scopes: []string{"orders/read"},
	})
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	handler, g.pool, g.poolAt = pool, pool, server.URL
	client := pool.Clients()[0]
	config := fmt.Sprintf(`listen: 127.0.0.1:%s
base_url: %s
pools: [{id: %s, issuer: %q, domain: %q, client_id: %s, client_secret: %s, bearer_client_ids: [%s]}]
%s`, port, g.url, client.PoolID, client.Issuer, server.URL, client.ID, client.Secret, machineID, strings.ReplaceAll(more, "UP", app.URL))
	g.write("codegrant.yaml", config)
	for name, text := range files {
		g.write(name, text)
	}
	proxytest.Run(t, "codegrant", exec.Command(buildCodegrant(t), "serve", "--config", filepath.Join(g.folder, "codegrant.yaml")))
	await(t, "http://127.0.0.1:"+port+"/auth/user")
	return g
}

func (g *gatewayProcess) write(name, text string) {
	g.Helper()
	if err := os.WriteFile(filepath.Join(g.folder, name), []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
}

// machineToken runs codegrant token get as a script does.
func (g *gatewayProcess) machineToken(args ...string) (string, error) {
	g.Helper()
	program := exec.CommandContext(g.Context(), buildCodegrant(g.T), append([]string{"token", "get"}, args...)...)
	program.Env = append(os.Environ(),
		"AUTH_COGNITO_CLIENT_ID="+machineID,
		"AUTH_COGNITO_CODE_GRANT_URL="+g.poolAt+"/oauth2/token",
		"AUTH_COGNITO_JWKS_URL="+g.pool.Clients()[0].Issuer+"/.well-known/jwks.json",
		"CODEGRANT_CLIENT_SECRET="+machineSecret)
	var stderr bytes.Buffer
	program.Stderr = &stderr
	out, err := program.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// get asks for a page, with a token unless it is empty.
func (g *gatewayProcess) get(client *http.Client, path, token string) (int, seen) {
	g.Helper()
	r, err := http.NewRequestWithContext(g.Context(), http.MethodGet, g.url+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer response.Body.Close()
	var got seen
	_ = json.NewDecoder(response.Body).Decode(&got)
	return response.StatusCode, got
}

// TestMachinesOfARunningGateway: a script's token opens the routes that let machines in with
// a scope that it has, and no other.
func TestMachinesOfARunningGateway(t *testing.T) {
	g := startServices(t, `routes:
  - {path: /, upstream: "UP"}
  - {path: /orders, scopes: orders/read, machines: true, upstream: "UP"}
  - {path: /orders/new, scopes: orders/write, machines: true, upstream: "UP"}
  - {path: /scoped, scopes: orders/read, upstream: "UP"}
  - {path: /reports, groups: analysts, upstream: "UP"}
`, nil)
	token, err := g.machineToken("--scopes", "orders/read")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.machineToken("--scopes", "orders/write"); err == nil {
		t.Error("the pool gives a scope that the app client may not have")
	}
	for path, want := range map[string]int{
		"/orders/1":   http.StatusOK,
		"/orders/new": http.StatusForbidden,
		"/scoped":     http.StatusUnauthorized, // no token of a machine is for such a route
		"/reports":    http.StatusUnauthorized,
		"/":           http.StatusUnauthorized,
		"/auth/user":  http.StatusUnauthorized,
	} {
		status, got := g.get(http.DefaultClient, path, token)
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		if status == http.StatusOK && (got.Header.Get("X-Auth-Machine") != machineID || got.Header.Get("X-Auth-Subject") != "") {
			t.Errorf("%s: the application sees %v", path, got.Header)
		}
	}
	if status, _ := g.get(http.DefaultClient, "/orders/1", token+"x"); status != http.StatusUnauthorized {
		t.Errorf("a token that is not the pool's: %d", status)
	}
	alice := codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/reports", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK {
		t.Errorf("a person: %d %s", page.Status, page.Body)
	}
	if _, got := g.get(alice.Client, "/reports", ""); got.Header.Get("X-Auth-Machine") != "" || got.Header.Get("X-Auth-Subject") == "" {
		t.Errorf("of a person the application sees %v", got.Header)
	}
}

// TestRulesOfARunningGateway: addresses, roles and policies let one of two people through.
func TestRulesOfARunningGateway(t *testing.T) {
	g := startServices(t, `cedar: {namespace: Shop, policies: [shop.cedar]}
group_hierarchy: {admins: [auditors]}
roles:
  auditor: {any_groups: [auditors]}
  editor: {groups: [editors]}
routes:
  - {path: /, upstream: "UP"}
  - {path: /example, allow_email_domains: example.com, upstream: "UP"}
  - {path: /partner, allow_email_domains: "*.example.com", upstream: "UP"}
  - {path: /audit, roles: auditor, upstream: "UP"}
  - {path: /edit, roles: editor, upstream: "UP"}
  - {path: /shop, cedar: true, upstream: "UP"}
`, map[string]string{"shop.cedar": `permit (principal in Shop::UserGroup::"` + localpool.DemoPoolID + `|editors", action == Shop::Action::"get /shop", resource);`})
	for who, want := range map[string]map[string]int{
		"alice": {"/": 200, "/example": 200, "/partner": 403, "/audit": 200, "/edit": 403, "/shop": 403},
		"bob":   {"/": 200, "/example": 200, "/partner": 403, "/audit": 403, "/edit": 200, "/shop": 200},
	} {
		b := codegranttest.NewBrowser(t)
		if page := b.SignIn(g.url+"/", who+"@example.com", codegranttest.Password); page.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", who, page.Status, page.Body)
		}
		for path, status := range want {
			if got, _ := g.get(b.Client, path, ""); got != status {
				t.Errorf("%s at %s: %d, want %d", who, path, got, status)
			}
		}
	}
}
