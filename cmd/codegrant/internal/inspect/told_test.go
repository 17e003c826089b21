package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/webhook"
)

// TestS787_EndsByCommand: whatever command ends sessions, others hear of it; but nobody hears the
// name of somebody who is erased. Sessions end also if nobody can be told.
func TestS787_EndsByCommand(t *testing.T) {
	withoutAWS(t)
	config := commandtest.Stores(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(config), "crm")
	if err := os.WriteFile(secret, []byte(webhook.NewSecret()), 0o600); err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), "replica: true", "replica: {outbox: true}", 1) +
		"webhooks: {crm: {url: 'https://crm.example.com/', secret_file: " + secret + ", events: [sessions]}}\n"
	if err := os.WriteFile(config, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	queue, err := webhook.NewQueue(o.DB.DB, o.DB.Dialect)
	if err == nil {
		err = queue.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	other, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: "google", Username: "google", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	enter := func(subject string) string {
		t.Helper()
		id, now := session.NewHandle().RecordID(), time.Now()
		if err := o.Sessions.Create(t.Context(), session.Record{ID: id, Pool: o.Bound, Subject: subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	told := func(what string, want ...string) {
		t.Helper()
		rows, err := o.DB.QueryContext(t.Context(), "SELECT type, issuer, subject, body FROM codegrant_webhooks ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var kind, issuer, subject, body string
			if err := rows.Scan(&kind, &issuer, &subject, &body); err != nil {
				t.Fatal(err)
			}
			if issuer != o.Issuer || !strings.Contains(body, `"pool":"default"`) || !strings.Contains(body, `"reason":"`) || !strings.Contains(body, `"sub":"`+subject+`"`) {
				t.Errorf("%s: %s", what, body)
			}
			got = append(got, kind+" "+subject)
			if _, session, ok := strings.Cut(body, `"session":"`); ok {
				got[len(got)-1] += " " + session[:strings.IndexByte(session, '"')]
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: told of %q, want %q", what, got, want)
		}
		if _, err := o.DB.ExecContext(t.Context(), "DELETE FROM codegrant_webhooks"); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		stdout, stderr, status := say(t, append([]string{args[0], args[1], "--config", config}, args[2:]...)...)
		if status != 0 {
			t.Fatalf("%v: %d %s%s", args, status, stdout, stderr)
		}
		return stderr
	}
	id := enter("sub-0")
	run("sessions", "end", "--", id)
	told("one", "session.ended sub-0 "+id[:12])
	run("sessions", "end", "--user", "alice")
	told("all", "session.signed_out_everywhere sub-0")
	run("users", "merge", "--from", "google", "--into", "alice", "--yes")
	told("merge", "session.signed_out_everywhere google")
	run("users", "unlink", "google", "--yes")
	told("unlink", "session.signed_out_everywhere google")

	// The sessions end, whether or not others can be told.
	id = enter("sub-0")
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if says := run("sessions", "end", "--", id); !strings.Contains(says, "not done: the receivers of webhooks") {
		t.Errorf("it does not say that nobody is told: %s", says)
	}
	if _, err := o.Sessions.Get(t.Context(), id); err == nil {
		t.Error("the session goes on")
	}
	told("without the secret")
	if err := os.WriteFile(secret, []byte(webhook.NewSecret()), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, u := range []int64{alice.ID, other.User.ID} {
		if _, err := o.DB.ExecContext(t.Context(), "UPDATE codegrant_users SET deleted_at = updated_at, enabled = 0 WHERE id = ?", u); err != nil {
			t.Fatal(err)
		}
	}
	enter("sub-0")
	run("users", "erase", "sub-0", "--yes")
	told("erase")
}
