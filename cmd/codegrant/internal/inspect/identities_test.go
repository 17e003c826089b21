package inspect

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// TestS771_OperatorsEndEveryIdentity: whoever has moved from another pool, or is known by
// another pool, too, is listed and signed out by each identity.
func TestS771_OperatorsEndEveryIdentity(t *testing.T) {
	withoutAWS(t)
	config := commandtest.Stores(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), "client_id: c1", `client_id: c1, moved_from: {id: eu-west-1_Before123,
  key: "hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=", sessions: {domain: old.auth.eu-west-1.amazoncognito.com, client_id: c0}}`, 1)
	if err := os.WriteFile(config, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	const before, elsewhere = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Before123", "https://elsewhere.example.com"
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, issuer := range []string{before, elsewhere} {
		c, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: issuer, Subject: "alice-before", Username: "alice", At: time.Now()})
		if err == nil {
			_, err = o.Users.Merge(t.Context(), c.User.ID, alice.ID, "test")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bound, err := codegrant.SessionPool(cognito.Pool{Region: "eu-west-1", ID: "eu-west-1_Before123", Domain: "old.auth.eu-west-1.amazoncognito.com", ClientID: "c0"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, subject := range []string{"alice-before", "alice-before", "somebody else"} {
		id, now := session.NewHandle().RecordID(), time.Now()
		ids = append(ids, id)
		if err := o.Sessions.Create(t.Context(), session.Record{ID: id, Pool: bound, Subject: subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr, status := say(t, "sessions", "--user", "alice@example.com", "--config", config)
	if status != 0 || strings.Count(stdout, "alice-before") != 2 || strings.Count(stdout, "sub-0") != 2 || strings.Contains(stdout, "somebody") {
		t.Errorf("listed: %d %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = say(t, "sessions", "end", "--config", config, "--", ids[0])
	if status != 0 || stdout != "ended 1 session\n" {
		t.Errorf("one: %d %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = say(t, "sessions", "end", "--user", "alice@example.com", "--config", config)
	if status != 0 || !strings.Contains(stdout, "ended 3 sessions\n") || strings.Count(stdout, "not done: refresh tokens of ") != 3 || strings.Count(stderr, "sessions ended") != 3 {
		t.Errorf("all: %d %s%s", status, stdout, stderr)
	}
	for i, left := range []bool{false, false, true} {
		if _, err := o.Sessions.Get(t.Context(), ids[i]); (err == nil) != left {
			t.Errorf("session %d: %v", i, err)
		}
	}
	for issuer, subject := range map[string]string{o.Issuer: "sub-0", before: "alice-before", elsewhere: "alice-before"} {
		if at, err := o.Marks.NotBefore(t.Context(), issuer, subject); err != nil || at.IsZero() {
			t.Errorf("%s: marked %v, %v", issuer, at, err)
		}
	}
}
