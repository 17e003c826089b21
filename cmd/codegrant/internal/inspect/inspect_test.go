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
		!strings.HasPrefix(stdout, "ended 1 session\n") || !strings.Contains(stdout, "not done: refresh tokens stay good at the pool (AdminUserGlobalSignOut): AWS's tools have no credentials") {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
}

func TestInspectionSaysWhatIsMissing(t *testing.T) {
	config := commandtest.Stores(t)
	bare := filepath.Join(t.TempDir(), "bare.yaml")
	if err := os.WriteFile(bare, []byte("base_url: https://app.example.com\npools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"nobody in the replica": {"users", "show", "carol", "--config", config}, "name a session, or a person": {"sessions", "end", "--config", config},
		"no such file": {"users", "--config", filepath.Join(t.TempDir(), "x.yaml")}, "no database": {"users", "--config", bare},
		"other processes cannot see": {"sessions", "--config", bare}, "say which pool": {"users", "--pool", "other", "--config", config},
	} {
		if _, stderr, status := say(t, args...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}
