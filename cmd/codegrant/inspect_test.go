package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

const inspectedIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// inspected is a configuration with alice (two sessions) and bob in its stores.
func inspected(t *testing.T) (config string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "app.db")
	config = filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: https://app.example.com
keys: ["%s"]
sessions: database
database: sqlite:%s
replica: true
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]
`, "hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=", file)), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := run(t.Context(), []string{"migrate", "--database", "sqlite:" + file}, t.Output(), t.Output()); status != 0 {
		t.Fatal("migrate failed")
	}
	o, err := inspection{Config: config}.open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	enabled := true
	for i, name := range []string{"alice", "bob"} {
		s := replica.Snapshot{
			Issuer: inspectedIssuer, Subject: fmt.Sprintf("sub-%d", i), Username: name, Email: name + "@example.com", EmailVerified: i == 0, Name: "Name " + name,
			GroupsKnown: true, Groups: []replica.GroupRef{{Name: "staff"}, {Name: "of-" + name}}, Enabled: &enabled, SignIn: true, At: time.Now(),
		}
		if _, err := o.users.Apply(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		now := time.Now()
		if err := o.sessions.Create(t.Context(), session.Record{
			ID: session.NewHandle().RecordID(), Pool: o.bound, Subject: "sub-0", Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &out, &err)
	return out.String(), err.String(), status
}

func TestS062_Inspection(t *testing.T) {
	config := inspected(t)
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
		User     person
		Sessions []held
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || shown.User.Subject != "sub-0" || len(shown.Sessions) != 2 {
		t.Fatalf("%v: %s", err, stdout)
	}

	// Ending sessions, one and all.
	if stdout, stderr, status := say(t, "sessions", "end", "--config", config, "--", shown.Sessions[0].ID); status != 0 || stdout != "ended 1 session\n" {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	if _, stderr, status := say(t, "sessions", "end", "--config", config, "--", shown.Sessions[0].ID); status == 0 || !strings.Contains(stderr, "no live session") {
		t.Errorf("once more: %d %s", status, stderr)
	}
	if stdout, _, status := say(t, "sessions", "end", "--user", "alice@example.com", "--config", config); status != 0 || stdout != "ended 1 session\n" {
		t.Errorf("%d %s", status, stdout)
	}
}

func TestInspectionSaysWhatIsMissing(t *testing.T) {
	config := inspected(t)
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
