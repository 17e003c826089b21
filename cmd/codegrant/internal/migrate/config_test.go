package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
)

const configuration = `
base_url: https://app.example.com
database: sqlite:app.db
replica: {history: 720h}
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: 2example3client4, client_secret: "${NOBODY_HAS_SET_THIS}"}]
routes: [{path: /, upstream: "http://127.0.0.1:3000"}]
`

func chdir(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Chdir(dir)
	return dir
}

// TestMigrateReadsTheConfiguration as other commands do: by --config, or codegrant.yaml where
// the command is run. What the command does not use need not be there.
func TestMigrateReadsTheConfiguration(t *testing.T) {
	dir := chdir(t)
	if _, stderr, status := say(t, "migrate"); status == 0 || !strings.Contains(stderr, "--config") || !strings.Contains(stderr, "--database") {
		t.Errorf("nothing is named: %d %s", status, stderr)
	}
	if err := os.WriteFile("codegrant.yaml", []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := say(t, "migrate", "--status"); status == 0 || !strings.Contains(stderr, "there is no file") {
		t.Errorf("--status without a file: %d %s", status, stderr)
	}
	if stdout, stderr, status := say(t, "migrate"); status != 0 || !strings.Contains(stdout, "up to date") {
		t.Fatalf("%d %s %s", status, stdout, stderr)
	}
	file := filepath.Join(dir, "app.db")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := say(t, "migrate", "--status", "--config", filepath.Join(dir, "codegrant.yaml")); status != 0 || !strings.Contains(stdout, "up to date") {
		t.Errorf("--status --config: %d %s %s", status, stdout, stderr)
	}
	if _, stderr, status := say(t, "migrate", "--config", "none.yaml"); status == 0 || !strings.Contains(stderr, "none.yaml") {
		t.Errorf("another file: %d %s", status, stderr)
	}
	other := filepath.Join(dir, "other.db")
	if _, stderr, status := say(t, "migrate", "--database", "sqlite:"+other); status != 0 {
		t.Errorf("--database: %d %s", status, stderr)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("--database does not count before the configuration: %v", err)
	}
	none := strings.Replace(configuration, "database: sqlite:app.db\nreplica: {history: 720h}\n", "", 1)
	if err := os.WriteFile("none.yaml", []byte(none), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := say(t, "migrate", "--config", "none.yaml"); status == 0 || !strings.Contains(stderr, "has no database") {
		t.Errorf("a configuration without a database: %d %s", status, stderr)
	}
}

// TestMigrateKeepsTheHistory: a migration that knows the database alone ends no history that
// services keep there; the setting of a configuration begins one, and ends it.
func TestMigrateKeepsTheHistory(t *testing.T) {
	chdir(t)
	since := func() string {
		t.Helper()
		db, err := parts.OpenDatabase("sqlite:app.db")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		names, err := db.Names(t.Context(), "SELECT since FROM codegrant_history_start")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	migrate := func(args ...string) {
		t.Helper()
		if _, stderr, status := say(t, append([]string{"migrate"}, args...)...); status != 0 {
			t.Fatalf("%v: %s", args, stderr)
		}
	}
	migrate("--database", "sqlite:app.db")
	if got := since(); got != "" {
		t.Errorf("a history nobody asked for, since %s", got)
	}
	if err := os.WriteFile("codegrant.yaml", []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	migrate()
	begun := since()
	if begun == "" {
		t.Fatal("the setting begins no history")
	}
	migrate("--database", "sqlite:app.db")
	migrate()
	if got := since(); got != begun {
		t.Errorf("the history is since %q, and was since %q", got, begun)
	}
	if err := os.WriteFile("codegrant.yaml", []byte(strings.Replace(configuration, "{history: 720h}", "true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	migrate()
	if got := since(); got != "" {
		t.Errorf("the setting is gone, and the history goes on since %s", got)
	}
}
