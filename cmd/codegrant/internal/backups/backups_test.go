package backups

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/migrate"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/restoring"
)

type commands struct {
	Backup  Command           `cmd:""`
	Migrate migrate.Command   `cmd:""`
	Restore restoring.Command `cmd:""`
}

// TestS641_BackupByCommand: from a key to a database that has everybody again.
func TestS641_BackupByCommand(t *testing.T) {
	config := commandtest.Stores(t)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "people.backup"), filepath.Join(dir, "backup.key")
	say := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(commands), args...)
		if status != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, stdout, stderr)
		}
		return stdout + stderr
	}
	recipient, _, _ := strings.Cut(say(0, "backup", "--new-key", key), "\n")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", info, err)
	}
	say(1, "backup", "--new-key", key)
	if out := say(0, "backup", "--config", config, "--to", file, "--recipient", recipient); !strings.Contains(out, "people: 2\n") {
		t.Errorf("written: %s", out)
	}
	say(1, "backup", "--config", config, "--to", file, "--recipient", recipient) // it exists
	if out := say(0, "backup", "--verify", file, "--identity", key); !strings.Contains(out, "people: 2\n") || !strings.Contains(out, "whole") {
		t.Errorf("verified: %s", out)
	}
	if out := say(1, "restore", "--config", config, "--from", file, "--identity", key, "--yes"); !strings.Contains(out, "--overwrite") {
		t.Errorf("over everybody: %s", out)
	}
	if out := say(0, "restore", "--config", config, "--from", file, "--identity", key); !strings.Contains(out, "Nothing is done") {
		t.Errorf("the plan over everybody: %s", out)
	}

	// A file that comes while the backup is written stays.
	for met, i := false, 0; !met && i < 2000; i++ {
		path, came := filepath.Join(dir, fmt.Sprintf("meanwhile%d", i)), make(chan bool)
		go func() {
			for {
				if part, _ := filepath.Glob(path + ".*.part"); part != nil {
					break
				}
				if _, err := os.Stat(path); err == nil {
					break
				}
			}
			f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
			if err == nil {
				_ = f.Close()
			}
			came <- err == nil
		}()
		_, stderr, status := commandtest.Say(t, new(commands), "backup", "--config", config, "--to", path, "--recipient", recipient)
		if met = <-came; met != (status == 1) {
			t.Errorf("a file has come: %v; status %d\n%s", met, status, stderr)
		}
		if info, err := os.Stat(path); err != nil || met != (info.Size() == 0) {
			t.Errorf("a file has come: %v; it is %v, %v", met, info, err)
		}
	}

	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	_, from, _ := strings.Cut(string(text), "database: sqlite:")
	from, _, _ = strings.Cut(from, "\n")
	other, there := filepath.Join(dir, "other.yaml"), filepath.Join(dir, "other.db")
	if err := os.WriteFile(other, []byte(strings.ReplaceAll(string(text), from, there)), 0o600); err != nil {
		t.Fatal(err)
	}
	say(0, "migrate", "--database", "sqlite:"+there)
	count := func() (n int) {
		t.Helper()
		db, err := parts.OpenDatabase("sqlite:" + there)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRowContext(context.Background(), "SELECT count(*) FROM codegrant_memberships").Scan(&n); err != nil && err != sql.ErrNoRows {
			t.Fatal(err)
		}
		return n
	}
	say(0, "restore", "--config", other, "--from", file, "--identity", key)
	if n := count(); n != 0 {
		t.Errorf("the plan has written %d memberships", n)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut")
	if err := os.WriteFile(cut, content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	say(1, "backup", "--verify", cut, "--identity", key)
	say(1, "restore", "--config", other, "--from", cut, "--identity", key, "--yes")
	if n := count(); n != 0 {
		t.Errorf("of a file that is cut, %d memberships are written", n)
	}
	if out := say(0, "restore", "--config", other, "--from", file, "--identity", key, "--yes", "--json"); !strings.Contains(out, `"done":true`) && !strings.Contains(out, `"done": true`) {
		t.Errorf("restored: %s", out)
	}
	if n := count(); n != 4 {
		t.Errorf("restored are %d memberships", n)
	}
	for _, args := range [][]string{
		{"backup"}, {"backup", "--to", file}, {"backup", "--verify", file}, {"backup", "--to", file, "--new-key", key}, {"restore", "--lost-since", "2h", "--everybody", "--as-of", "2h"}, {"restore", "--overwrite", "--into", "b", "--everybody", "--as-of", "2h"},
		{"restore", "--from", file}, {"restore", "--from", file, "--identity", key, "--everybody"}, {"restore", "--identity", key, "--everybody", "--as-of", "2h"},
	} {
		say(2, args...)
	}
	if out := say(1, "backup", "--config", config, "--to", cut+"2", "--recipient", "age1nobody"); !strings.Contains(out, "public key") {
		t.Errorf("no key: %s", out)
	}
	// The secret key is in nothing that is said.
	if out := say(1, "backup", "--config", config, "--to", cut+"2", "--recipients", key); strings.Contains(out, "AGE-SECRET") {
		t.Errorf("the secret key is told: %s", out)
	}
}
