package inspect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
)

func TestS062_Inspection(t *testing.T) {
	config := commandtest.Stores(t)
	for _, tt := range []struct {
		args []string
		want []string
		not  string
	}{
		{[]string{"users"}, []string{"USERNAME", "alice@example.com", "bob@example.com", "of-bob staff", "enabled"}, "\x1b"},
		{[]string{"users", "--search", "ALI"}, []string{"alice@example.com"}, "bob@"},
		{[]string{"users", "--group", "of-bob"}, []string{"bob@example.com"}, "alice@"},
		{[]string{"users", "list", "--limit", "1"}, []string{"more: --after "}, "bob@"},
		{[]string{"users", "show", "alice@example.com"}, []string{"sub-0", "of-alice, staff", "SESSION", "Last sign-in"}, "\x1b"},
		{[]string{"users", "show", "sub-1"}, []string{"bob@example.com (not verified)"}, "SESSION"},
		{[]string{"users", "show", "1"}, []string{"alice"}, ""},
		{[]string{"groups"}, []string{"staff", "of-alice", "pool"}, ""},
		{[]string{"sessions"}, []string{"sub-0", "SIGNED IN"}, ""},
		{[]string{"sessions", "--user", "bob"}, []string{"SESSION"}, "sub-0"},
	} {
		stdout, stderr, status := say(t, append(tt.args, "--config", config)...)
		if status != 0 || (tt.not != "" && strings.Contains(stdout, tt.not)) {
			t.Errorf("%v: %d %s\n%s", tt.args, status, stderr, stdout)
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: no %q in\n%s", tt.args, want, stdout)
			}
		}
	}
	stdout, _, _ := say(t, "users", "show", "alice", "--json", "--config", config)
	var shown struct {
		User     parts.Person
		Sessions []held
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || shown.User.Subject != "sub-0" || len(shown.Sessions) != 2 {
		t.Fatalf("%v: %s", err, stdout)
	}

	// Ending sessions, one and all.
	if stdout, stderr, status := say(t, "sessions", "end", "--config", config, "--", shown.Sessions[0].ID); status != 0 || stdout != "ended 1 session\n" ||
		!strings.Contains(stderr, `"session ended" sub=sub-0 session=`+shown.Sessions[0].ID+` reason="operator `) {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	if _, stderr, status := say(t, "sessions", "end", "--config", config, "--", shown.Sessions[0].ID); status == 0 || !strings.Contains(stderr, "no live session") || strings.Contains(stderr, "operator") {
		t.Errorf("once more: %d %s", status, stderr)
	}
	withoutAWS(t)
	if stdout, stderr, status := say(t, "sessions", "end", "--user", "alice@example.com", "--config", config); status != 0 ||
		!strings.Contains(stderr, `"sessions ended" sub=sub-0 sessions=1 mark=true reason="operator `) ||
		!strings.HasPrefix(stdout, "ended 1 session\n") || !strings.Contains(stdout, "not done: refresh tokens stay valid at the pool (AdminUserGlobalSignOut): there are no AWS credentials") {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
}

// TestInspectionBeforeTheTables: commands that look at a database say how to make its tables,
// in the words of the command line, and make no file.
func TestInspectionBeforeTheTables(t *testing.T) {
	for _, existing := range []bool{false, true} {
		dir := t.TempDir()
		file, config := filepath.Join(dir, "app.db"), filepath.Join(dir, "codegrant.yaml")
		if err := os.WriteFile(config, []byte(`
base_url: https://app.example.com
keys: [hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=]
sessions: database
database: sqlite:app.db
replica: true
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]
`), 0o600); err != nil {
			t.Fatal(err)
		}
		if existing {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{
			{"users"}, {"users", "show", "alice"}, {"users", "duplicates"}, {"users", "merge", "--from", "1", "--into", "2"}, {"users", "unlink", "1"},
			{"groups"}, {"sessions"}, {"sessions", "end", "--user", "alice"}, {"grants"}, {"grants", "end", "--user", "alice"},
		} {
			_, stderr, status := say(t, append(args, "--config", config)...)
			if status != 1 || !strings.Contains(stderr, "run codegrant migrate") || strings.Contains(stderr, "Store.Migrate") {
				t.Errorf("%v, with a file %v: %d %s", args, existing, status, stderr)
			}
			if _, err := os.Stat(file); existing != (err == nil) {
				t.Fatalf("%v makes a file: %v", args, err)
			}
		}
		t.Setenv("AUTH_COGNITO_CLIENT_ID", "c1")
		t.Setenv("AUTH_COGNITO_CODE_GRANT_URL", "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token")
		t.Setenv("AUTH_COGNITO_JWKS_URL", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json")
		if _, stderr, status := say(t, "users", "relink", "--account", "1", "--subject", "s", "--database", "sqlite:"+file); status != 1 || !strings.Contains(stderr, "run codegrant migrate") {
			t.Errorf("relink, with a file %v: %d %s", existing, status, stderr)
		}
	}
}

func TestInspectionSaysWhatIsMissing(t *testing.T) {
	config := commandtest.Stores(t)
	bare := filepath.Join(t.TempDir(), "bare.yaml")
	if err := os.WriteFile(bare, []byte("base_url: https://app.example.com\npools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"the replica has nobody": {"users", "show", "carol", "--config", config}, "name a session, or a person": {"sessions", "end", "--config", config},
		"no such file": {"users", "--config", filepath.Join(t.TempDir(), "x.yaml")}, "no database": {"users", "--config", bare},
		"other processes cannot read": {"sessions", "--config", bare}, "choose a pool": {"users", "--pool", "other", "--config", config},
	} {
		if _, stderr, status := say(t, args...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}
