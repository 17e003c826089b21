package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/settings"
)

// TestDoctorLooksForTablesOfFeatures: where organizations are on, each table of theirs that is
// missing is named.
func TestDoctorLooksForTablesOfFeatures(t *testing.T) {
	pool := commandtest.Healthy(t)
	client, dir := pool.Clients()[0], t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "app.db")
	file := filepath.Join(dir, "codegrant.yaml")
	text := fmt.Sprintf("database: '%s'\nreplica: true\norganizations: true\nroutes:\n  - {path: /, public: true, upstream: '%s'}\npools:\n"+
		"  - {base_url: 'https://app.example.com', code_grant_url: '%s/oauth2/token', jwks_url: '%s/.well-known/jwks.json', client_id: %s, client_secret: %s}\n",
		url, pool.URL, pool.URL, client.Issuer, client.ID, client.Secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := parts.OpenDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sessions, users, err := db.Stores(settings.Replica{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sessions.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	lacks := func() string {
		t.Helper()
		findings, _ := examine(t, "--config", file)
		for _, f := range findings {
			if strings.HasPrefix(f.Found, "organizations are on") {
				if f.Level != fault || !strings.Contains(f.Fix, "codegrant migrate") {
					t.Errorf("%+v", f)
				}
				return f.Found
			}
		}
		return ""
	}
	if got := lacks(); !strings.Contains(got, "codegrant_organization_members") {
		t.Errorf("without tables: %q", got)
	}
	organizations, err := db.OrganizationStore(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := organizations.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := lacks(); got != "" {
		t.Errorf("with tables: %q", got)
	}
}
