package serve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// TestExplainByTheReplica: who is only named is in the groups that the replica knows of,
// and a database that is not there is not made.
func TestExplainByTheReplica(t *testing.T) {
	config := commandtest.Stores(t)
	rules, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(rules) + "routes: [{path: /, groups: of-alice}]\n")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--as", "alice@example.com"}, "  pass       the person has"}, {[]string{"--as", "alice"}, "in of-alice, staff as the replica says"}, {[]string{"--as", "bob@example.com"}, "  forbidden  the person does not have group of-alice"},
		{[]string{"--as", "carol@example.com", "--groups", "of-alice"}, "carol@example.com, in of-alice\n"}, {nil, "  sign_in    nobody is signed in"},
	} {
		stdout, stderr, status := say(t, append([]string{"serve", "--check", "--config", config, "--request", "/x"}, tt.args...)...)
		if status != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%v: %d %s%s", tt.args, status, stdout, stderr)
		}
	}
	if _, stderr, status := say(t, "serve", "--check", "--config", config, "--request", "/x", "--as", "carol@example.com"); status == 0 || !strings.Contains(stderr, "or set them with --groups") {
		t.Errorf("somebody unknown: %d %s", status, stderr)
	}
	missing := filepath.Join(filepath.Dir(config), "missing.db")
	write(strings.Replace(string(rules), "app.db", "missing.db", 1) + "routes: [{path: /, groups: of-alice}]\n")
	if _, stderr, status := say(t, "serve", "--check", "--config", config, "--request", "/x", "--as", "alice"); status == 0 || !strings.Contains(stderr, "does not exist yet") {
		t.Errorf("no database: %d %s", status, stderr)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the database was made")
	}
}

// A machine is asked about as one: by its scopes, on routes that let machines in.
func TestExplainOfMachines(t *testing.T) {
	config := filepath.Join(t.TempDir(), "codegrant.yaml")
	text := `
base_url: http://localhost:8080
pools: [{code_grant_url: https://auth.example.com/oauth2/token, jwks_url: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json, client_id: gateway, bearer_client_ids: [services]}]
routes:
  - {path: /orders, scopes: orders/read, machines: true, upstream: http://127.0.0.1:3000}
  - {path: /people, upstream: http://127.0.0.1:3000}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--request", "/orders", "--as", "services", "--machine", "--scopes", "orders/read"}, "  pass       "},
		{[]string{"--request", "/orders", "--as", "services", "--machine", "--scopes", "orders/read"}, "/orders, the app client services, with orders/read\n"},
		{[]string{"--request", "/orders", "--as", "services", "--machine"}, "  forbidden "},
		{[]string{"--request", "/people", "--as", "services", "--machine", "--scopes", "orders/read"}, "  sign_in    "},
		{[]string{"--request", "/people", "--as", "services"}, "  pass       "},
	} {
		stdout, stderr, status := say(t, append([]string{"serve", "--check", "--config", config}, tt.args...)...)
		if status != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%v: %d %s%s", tt.args, status, stdout, stderr)
		}
	}
	for _, args := range [][]string{
		{"--request", "/orders", "--machine"}, {"--machine"},
		{"--request", "/orders", "--as", "services", "--machine", "--groups", "staff"}, {"--request", "/orders", "--as", "services", "--machine", "--acr", "high"},
	} {
		if _, stderr, status := say(t, append([]string{"serve", "--check", "--config", config}, args...)...); status == 0 || !strings.Contains(stderr, "--machine") {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}

// TestCheckTellsOfNoRoutes: a file without routes passes nothing on, and says so; a warning
// only where no proxy may ask either.
func TestCheckTellsOfNoRoutes(t *testing.T) {
	const alone, nobody = "It has no routes: it forwards no requests", "warning: there are no routes and no trusted proxies"
	for _, tt := range []struct{ more, stdout, stderr string }{
		{"", "", nobody},
		{"trusted_proxies: [10.0.0.0/8]\n", alone, ""},
		{"trusted_proxies: [10.0.0.0/8]\nroutes: [{path: /, upstream: http://127.0.0.1:3000}]\n", "", ""},
	} {
		config := filepath.Join(t.TempDir(), "codegrant.yaml")
		text := "base_url: http://localhost:8080\npools: [{code_grant_url: https://auth.example.com/oauth2/token, jwks_url: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json, client_id: gateway}]\n"
		if err := os.WriteFile(config, []byte(text+tt.more), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := say(t, "serve", "--check", "--config", config)
		if status != 0 || strings.Contains(stdout, alone) != (tt.stdout == alone) || strings.Contains(stderr, nobody) != (tt.stderr == nobody) {
			t.Errorf("%q: %d %s%s", tt.more, status, stdout, stderr)
		}
	}
}
