package inspect

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
)

// withHistory has a configuration keep the history, from now on.
func withHistory(t *testing.T, config string) *parts.Opened {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), "replica: true", "replica: {history: 24h, outbox: true}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	if err := o.Users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestS765_ShowAsOf: the command shows how somebody was, and says where it cannot know.
func TestS765_ShowAsOf(t *testing.T) {
	config := commandtest.Stores(t)
	o := withHistory(t, config)
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := o.Users.Apply(t.Context(), replica.Snapshot{
		Issuer: o.Issuer, Subject: alice.Subject, Username: "alice", Email: "new@example.com", Complete: true, Custom: map[string]string{"custom:team": "red"},
		GroupsKnown: true, At: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := say(t, append(append([]string{"users", "show"}, args...), "--config", config)...)
		if status != want {
			t.Fatalf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout, stderr
	}
	at := before.UTC().Format(time.RFC3339Nano)
	if out, _ := run(0, "new@example.com", "--as-of", at); !strings.Contains(out, "alice@example.com") || !strings.Contains(out, "of-alice, staff") || strings.Contains(out, "new@") {
		t.Errorf("as of before: %s", out)
	}
	if out, _ := run(0, "alice", "--as-of", time.Now().UTC().Format(time.RFC3339Nano)); !strings.Contains(out, "new@example.com") || !strings.Contains(out, "red") {
		t.Errorf("as of now: %s", out)
	}
	out, _ := run(0, "alice", "--as-of", at, "--json")
	var told struct {
		User replica.RecordedUser `json:"user"`
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || told.User.Email != "alice@example.com" || !told.User.InGroup("staff") {
		t.Errorf("%s: %v", out, err)
	}
	if _, fault := run(1, "alice", "--as-of", "48h"); !strings.Contains(fault, "did not know alice") {
		t.Errorf("before they came: %s", fault)
	}
	for text, want := range map[string]string{"yesterday": "is not a time", "2999-01-01": "still to come", "-5h": "still to come"} {
		if _, fault := run(1, "alice", "--as-of="+text); !strings.Contains(fault, want) {
			t.Errorf("%s: %s", text, fault)
		}
	}
}
