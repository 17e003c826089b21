package syncing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatusWithoutTables: a database that the sync has never written to is named in one
// sentence, and not by an error of the database.
func TestStatusWithoutTables(t *testing.T) {
	for _, test := range []struct {
		name    string
		migrate bool
		args    []string
		want    string
	}{
		{"an empty database", false, nil, "there are no tables of codegrant sync yet: run codegrant migrate"},
		{"an empty database, for programs", false, []string{"--json"}, "there are no tables of codegrant sync yet: run codegrant migrate"},
		{"tables, and no pass", true, nil, "there was no pass yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			config := filepath.Join(dir, "codegrant.yaml")
			if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: http://localhost
database: sqlite:%s
replica: true
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]
`, filepath.Join(dir, "app.db"))), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "app.db"), nil, 0o600); err != nil { // an empty database of SQLite
				t.Fatal(err)
			}
			if test.migrate {
				if _, stderr, status := say(t, "migrate", "--config", config); status != 0 {
					t.Fatalf("status %d: %s", status, stderr)
				}
			}
			stdout, stderr, status := say(t, append([]string{"sync", "--status", "--config", config}, test.args...)...)
			if status != 1 || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "codegrant_passes") || strings.Contains(stderr, "SQL") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
}
