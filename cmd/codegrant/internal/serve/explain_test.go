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
		{[]string{"--as", "alice@example.com"}, "  passed     the person has"}, {[]string{"--as", "alice"}, "in of-alice, staff as the replica says"}, {[]string{"--as", "bob@example.com"}, "  forbidden  the person does not have group of-alice"},
		{[]string{"--as", "carol@example.com", "--groups", "of-alice"}, "carol@example.com, in of-alice\n"}, {nil, "  unauthorized nobody is signed in"},
	} {
		stdout, stderr, status := say(t, append([]string{"serve", "--check", "--config", config, "--request", "/x"}, tt.args...)...)
		if status != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%v: %d %s%s", tt.args, status, stdout, stderr)
		}
	}
	if _, stderr, status := say(t, "serve", "--check", "--config", config, "--request", "/x", "--as", "carol@example.com"); status == 0 || !strings.Contains(stderr, "say them with --groups") {
		t.Errorf("somebody unknown: %d %s", status, stderr)
	}
	missing := filepath.Join(filepath.Dir(config), "missing.db")
	write(strings.Replace(string(rules), "app.db", "missing.db", 1) + "routes: [{path: /, groups: of-alice}]\n")
	if _, stderr, status := say(t, "serve", "--check", "--config", config, "--request", "/x", "--as", "alice"); status == 0 || !strings.Contains(stderr, "is not there yet") {
		t.Errorf("no database: %d %s", status, stderr)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the database was made")
	}
}
