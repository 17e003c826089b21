package syncing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/webhook"
)

// TestSync follows people from the pool into the replica, and out of their sessions.
func TestSync(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	file := filepath.Join(t.TempDir(), "app.db")
	configuration := filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(configuration, fmt.Appendf(nil, `
base_url: http://localhost:8080
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
sessions: database
database: sqlite:%s
replica: {outbox: true}
webhooks: {crm: {url: "https://crm.example.com/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, events: [sessions]}}
pools: [{code_grant_url: %s/oauth2/token, jwks_url: %s/.well-known/jwks.json, client_id: %s, client_secret: %s}]
`, file, pool.URL, client.Issuer, client.ID, client.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := say(t, "migrate", "--database", "sqlite:"+file); status != 0 {
		t.Fatal(stderr)
	}
	sync := func(args ...string) string {
		t.Helper()
		stdout, stderr, status := say(t, append([]string{"sync", "--config", configuration, "--endpoint", pool.URL}, args...)...)
		if status != 0 {
			t.Fatalf("sync %v: %d %s", args, status, stderr)
		}
		return stdout
	}
	if got := sync("--dry-run", "--full"); !strings.Contains(got, "add     alice alice@example.com") {
		t.Errorf("dry run: %s", got)
	}
	if stdout, _, _ := say(t, "users", "--config", configuration); strings.Contains(stdout, "alice") {
		t.Error("the dry run has changed something")
	}
	outbox := func() (waiting int64) {
		t.Helper()
		o, err := parts.Inspection{Config: configuration}.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		size, err := o.Users.OutboxSize(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return size.Entries
	}
	if n := outbox(); n != 0 {
		t.Errorf("the dry run has written %d changes down", n)
	}
	if got := sync("--full"); !strings.Contains(got, "2 users read: 2 new") {
		t.Errorf("first pass: %s", got)
	}
	if n := outbox(); n != 2 {
		t.Errorf("%d changes are in the outbox, want 2", n)
	}
	if stdout, _, _ := say(t, "users", "--config", configuration); !strings.Contains(stdout, "admins analysts") {
		t.Errorf("users: %s", stdout)
	}

	o, err := parts.Inspection{Config: configuration}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	alice, err := o.Find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := o.Sessions.Create(t.Context(), session.Record{ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: alice.Subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := pool.DisableUser(pool.PoolID, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := pool.RemoveFromGroup(pool.PoolID, "alice", "admins"); err != nil {
		t.Fatal(err)
	}
	if got := sync("--full"); !strings.Contains(got, "1 changed (1 disabled, 1 regrouped)") || !strings.Contains(got, "1 session ended") {
		t.Errorf("after a change: %s", got)
	}
	// S-787: others hear that the sessions have ended.
	var told, about string
	if err := o.DB.QueryRowContext(t.Context(), "SELECT type, subject FROM codegrant_webhooks").Scan(&told, &about); err != nil || told != webhook.TypeSignedOutEverywhere || about != alice.Subject {
		t.Errorf("told %s of %s, %v", told, about, err)
	}
	if stdout, _, _ := say(t, "users", "show", "alice", "--config", configuration); !strings.Contains(stdout, "disabled") || strings.Contains(stdout, "admins") {
		t.Errorf("alice: %s", stdout)
	}
	if _, stderr, status := say(t, "sync", "--config", configuration, "--endpoint", "http://127.0.0.1:1", "--max-share", "2"); status == 0 || !strings.Contains(stderr, "MaxShare") {
		t.Errorf("%d %s", status, stderr)
	}
}
