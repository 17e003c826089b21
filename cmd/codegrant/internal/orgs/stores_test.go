package orgs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// TestAChosenPool: a person and a link are of one pool, and which one that is nobody guesses.
func TestAChosenPool(t *testing.T) {
	config := commandtest.Stores(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	const pools = `pools:
- {name: other, hosts: [other.example.com], base_url: https://other.example.com, id: eu-west-1_Zz12Cd34E, domain: other.auth.eu-west-1.amazoncognito.com, client_id: c2}
- {name: app, hosts: [app.example.com], base_url: https://app.example.com, id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}
organizations: true
`
	changed := regexp.MustCompile(`(?m)^(pools|base_url):.*\n`).ReplaceAllString(string(text), "") + pools
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, string, int) {
		return commandtest.Say(t, new(table), append(append([]string{"orgs"}, args...), "--config", config)...)
	}
	stdout, stderr, status := run("create", "Acme")
	if status != 0 {
		t.Fatalf("create: %s", stderr)
	}
	acme := strings.TrimSpace(stdout)
	for _, args := range [][]string{{"add", acme, "alice"}, {"expel", acme, "alice"}, {"invite", acme, "carol@example.com", "--print"}} {
		if _, stderr, status := run(args...); status != 1 || !strings.Contains(stderr, "--pool") {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
	for _, args := range [][]string{{"list"}, {"show", acme}, {"rename", acme, "Acme & Co"}, {"add", acme, "alice", "--pool", "app"}} {
		if _, stderr, status := run(args...); status != 0 {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
	if stdout, _, _ := run("invite", acme, "carol@example.com", "--print", "--pool", "app"); !strings.HasPrefix(stdout, "https://app.example.com/") {
		t.Errorf("%s", stdout)
	}
}

// TestNoDatabaseIsMade: a path that is wrong is said, and so are tables that are missing.
func TestNoDatabaseIsMade(t *testing.T) {
	config := commandtest.Stores(t)
	withLines(t, config, "organizations: true\n")
	run := func(args ...string) string {
		_, stderr, status := commandtest.Say(t, new(table), append(append([]string{"orgs"}, args...), "--config", config)...)
		if status != 1 {
			t.Errorf("%v: %d", args, status)
		}
		return stderr
	}
	all := [][]string{{"list"}, {"show", "org_1"}, {"add", "org_1", "alice"}, {"rename", "org_1", "Acme"}}
	for _, args := range all {
		if stderr := run(args...); !strings.Contains(stderr, "run codegrant migrate") {
			t.Errorf("%v without tables: %s", args, stderr)
		}
	}
	file := filepath.Join(filepath.Dir(config), "app.db")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for _, args := range append(all, []string{"create", "Acme"}) {
		if stderr := run(args...); !strings.Contains(stderr, "run codegrant migrate") {
			t.Errorf("%v without a file: %s", args, stderr)
		}
		if _, err := os.Stat(file); err == nil {
			t.Fatalf("%v makes a file", args)
		}
	}
}
