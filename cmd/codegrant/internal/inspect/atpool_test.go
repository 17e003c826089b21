package inspect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
)

// withoutAWS takes the credentials of whoever runs the test out of reach.
func withoutAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
}

// The pool revokes what it gave, for whoever is named by their sub.
func TestS586_OperatorsSignOutEverywhere(t *testing.T) {
	withoutAWS(t)
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	dir := t.TempDir()
	config := filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), pool.PoolID, client.Issuer, pool.URL, client.ID, client.Secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := errors.Join(o.Users.Migrate(t.Context()), o.InDatabase.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]string{
		"alice":   "revoked the refresh tokens at the pool\n",
		"mallory": "not done: refresh tokens stay valid at the pool (AdminUserGlobalSignOut)",
	} {
		stdout, stderr, status := say(t, "sessions", "end", "--user", who, "--config", config)
		if status != 0 || !strings.Contains(stdout, "ended 0 sessions\n") || !strings.Contains(stdout, want) || !strings.Contains(stdout, "prompt=login") ||
			!strings.Contains(stderr, `"sessions ended"`) || !strings.Contains(stderr, "sub="+who) || !strings.Contains(stderr, `reason="operator `) {
			t.Errorf("%s: %d %s%s", who, status, stdout, stderr)
		}
	}
}
