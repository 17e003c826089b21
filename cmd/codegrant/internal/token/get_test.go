package token

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/verify"
)

// TestS681_GetAToken: the token is on the standard output alone, and no secret is anywhere;
// a pool that is away is told apart from one that refuses.
func TestS681_GetAToken(t *testing.T) {
	const client, secret, second = "1services2client3id", "the-first-secret-of-the-client-4711", "the-second-secret-of-the-client-0815"
	seed := localpool.DefaultSeed("http://localhost")
	seed.Pools[0].ResourceServers = []localpool.ResourceServerSeed{{Identifier: "orders", Scopes: []string{"read", "write"}}}
	seed.Pools[0].Clients = append(seed.Pools[0].Clients, localpool.ClientSeed{
		ID: client, Secret: second, Flows: []string{"client_credentials"}, Scopes: []string{"orders/read"},
	})
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	handler = pool
	known := pool.Clients()[0]
	t.Setenv("AUTH_COGNITO_CLIENT_ID", client)
	t.Setenv("AUTH_COGNITO_CODE_GRANT_URL", server.URL+"/oauth2/token")
	t.Setenv("AUTH_COGNITO_JWKS_URL", known.Issuer+"/.well-known/jwks.json")
	t.Setenv("CODEGRANT_CLIENT_SECRET", second)
	file := filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
base_url: http://localhost:8080
pools: [{code_grant_url: %s/oauth2/token, jwks_url: %s/.well-known/jwks.json, client_id: %s, client_secret: %s}]
`, server.URL, known.Issuer, client, second), 0o600); err != nil {
		t.Fatal(err)
	}
	verifier, err := verify.New(verify.Config{Issuer: known.Issuer, ClientIDs: []string{client}})
	if err != nil {
		t.Fatal(err)
	}
	good := func(t *testing.T, token string) {
		t.Helper()
		claims, err := verifier.AccessToken(t.Context(), token)
		if err != nil || !claims.Machine() || !claims.HasScope("orders/read") || claims.HasScope("orders/write") {
			t.Errorf("token of %v, %v", claims, err)
		}
	}
	get := func(args ...string) (stdout, stderr string, status int) {
		t.Helper()
		stdout, stderr, status = say(t, append([]string{"token", "get"}, args...)...)
		if said := stdout + stderr; strings.Contains(said, secret) || strings.Contains(said, second) {
			t.Errorf("it shows a secret: %s", said)
		}
		return stdout, stderr, status
	}

	for name, args := range map[string][]string{"environment": nil, "configuration": {"--config", file}, "scopes": {"--scopes", "orders/read"}} {
		stdout, stderr, status := get(args...)
		if status != 0 || stderr != "" || strings.Count(stdout, "\n") != 1 {
			t.Fatalf("%s: status %d, stdout %q, stderr %q", name, status, stdout, stderr)
		}
		good(t, strings.TrimSpace(stdout))
	}
	stdout, _, status := get("--json")
	var said struct {
		AccessToken string    `json:"access_token"`
		TokenType   string    `json:"token_type"`
		Expires     time.Time `json:"expires"`
	}
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || status != 0 || said.TokenType != "Bearer" || time.Until(said.Expires) < 30*time.Minute {
		t.Errorf("--json: %d %v %s", status, err, stdout)
	}
	good(t, said.AccessToken)

	// The pool has the second of two secrets alone.
	t.Setenv("CODEGRANT_CLIENT_SECRET", secret)
	t.Setenv("CODEGRANT_SECOND_CLIENT_SECRET", second)
	if stdout, stderr, status := get(); status != 0 {
		t.Errorf("two secrets: %d %s", status, stderr)
	} else {
		good(t, strings.TrimSpace(stdout))
	}
	t.Setenv("CODEGRANT_SECOND_CLIENT_SECRET", "")

	refused := func(name string, wantStatus int, unavailable bool, want string, args ...string) {
		t.Helper()
		stdout, stderr, status := get(args...)
		if status != wantStatus || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", name, status, stdout, stderr)
		}
		stdout, _, status = get(append(args, "--json")...)
		var said struct {
			Error       string
			Unavailable bool
		}
		if err := json.Unmarshal([]byte(stdout), &said); err != nil || status != wantStatus || said.Error == "" || said.Unavailable != unavailable {
			t.Errorf("%s as JSON: %d %v %s", name, status, err, stdout)
		}
	}
	refused("a wrong secret", 1, false, "invalid_client")
	t.Setenv("CODEGRANT_CLIENT_SECRET", second)
	refused("a scope that it may not have", 1, false, "scope", "--scopes", "orders/write")
	pool.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	refused("a pool that is away", 3, true, "try again")
	pool.Fault(localpool.Token, nil)
	t.Setenv("CODEGRANT_CLIENT_SECRET", "")
	refused("no secret", 1, false, "secret")
	t.Setenv("AUTH_COGNITO_JWKS_URL", "")
	refused("no settings", 1, false, "AUTH_COGNITO_JWKS_URL")
}
