package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
)

// TestStatusAndDryRun: both say what there is and what would be done, and change nothing.
func TestStatusAndDryRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	url := "sqlite:" + file
	for _, what := range []string{"--status", "--dry-run"} {
		if _, stderr, status := say(t, "migrate", what, "--database", url); status == 0 || !strings.Contains(stderr, "there is no file "+file) {
			t.Errorf("%s without a file: %d %s", what, status, stderr)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s has made the file", what)
		}
	}
	db, err := parts.OpenDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 2 {
		if stdout, stderr, status := say(t, "migrate", "--status", "--database", url); status != 1 || !strings.Contains(stdout, "sessions: version 0; a migration to version ") || !strings.Contains(stderr, "codegrant migrate") {
			t.Fatalf("before: %d %s %s", status, stdout, stderr)
		}
		if stdout, _, status := say(t, "migrate", "--dry-run", "--database", url); status != 0 || !strings.Contains(stdout, "replica: version 0; a migration to version ") {
			t.Fatalf("dry run: %d %s", status, stdout)
		}
	}
	if names, err := db.Names(t.Context(), "SELECT name FROM sqlite_master"); err != nil || len(names) > 0 {
		t.Errorf("they have made %v, %v", names, err)
	}
	if _, stderr, status := say(t, "migrate", "--database", url); status != 0 {
		t.Fatal(stderr)
	}
	if stdout, stderr, status := say(t, "migrate", "--status", "--database", url); status != 0 || strings.Count(stdout, "up to date") != 5 {
		t.Errorf("after: %d %s %s", status, stdout, stderr)
	}
	for table, name := range map[string]string{"codegrant_webhooks": "webhooks", "codegrant_webhooks_once": "webhooks", "codegrant_pass_members": "passes of the sync"} {
		if _, err := db.Exec("ALTER TABLE " + table + " RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		if stdout, stderr, status := say(t, "migrate", "--status", "--database", url); status != 1 || !strings.Contains(stdout, name+": tables are missing") || !strings.Contains(stderr, "codegrant migrate") {
			t.Errorf("without %s: %d %s %s", table, status, stdout, stderr)
		}
		if _, err := db.Exec("ALTER TABLE away RENAME TO " + table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("INSERT INTO codegrant_session_migrations (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := say(t, "migrate", "--status", "--database", url); status != 0 || !strings.Contains(stdout, "version 99, newer than version ") {
		t.Errorf("newer: %d %s %s", status, stdout, stderr)
	}
	if _, stderr, status := say(t, "migrate", "--status", "--django", "--undo", "--database", url); status == 0 || !strings.Contains(stderr, "change nothing") {
		t.Errorf("with --undo: %d %s", status, stderr)
	}
}
