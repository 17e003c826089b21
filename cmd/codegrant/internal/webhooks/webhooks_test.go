package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// commands are those that the tests speak to.
type commands struct {
	Webhooks Command `cmd:""`
}

func say(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return commandtest.Say(t, new(commands), append([]string{"webhooks"}, args...)...)
}

// TestWebhooks: a message is given up, listed, sent again, given up again and discarded.
func TestWebhooks(t *testing.T) {
	took := make(chan string, 100)
	status := http.StatusGone
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(status)
		took <- string(body)
	}))
	defer server.Close()
	said, _, exit := say(t, "secret")
	if _, err := webhook.ParseSecret(strings.TrimSpace(said)); err != nil || exit != 0 {
		t.Fatalf("secret: %q, %v", said, err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "codegrant.yaml")
	written := fmt.Sprintf("database: sqlite:app.db\nreplica: {outbox: true}\nwebhooks: {crm: {url: %q, secret: %q}}\npools: [{id: eu-west-1_Ab12Cd34E, client_id: c1}]\n",
		server.URL, strings.TrimSpace(said))
	if err := os.WriteFile(config, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err, status := say(t, "resend", "--config", config); status == 0 || !strings.Contains(err, errWhich.Error()) {
		t.Errorf("resend of nothing: %d %s%s", status, out, err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"resend", "--all"}, {"discard", "--all"}, {"list", "--endpoint", "crm"}} {
		if out, said, status := say(t, append(args, "--config", config)...); status != 1 || !strings.Contains(said, errNoTables.Error()) || strings.Contains(said, "SQL") {
			t.Errorf("%v without tables: %d %s%s", args, status, out, said)
		}
	}
	if _, err := o.Users.Apply(t.Context(), replica.Snapshot{Issuer: o.Issuer, Subject: "sub-1", Username: "alice", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		s := send{at: at{Config: config}}
		go func() { ended <- s.Run(ctx, commandtest.Streams(t)) }()
		select {
		case body := <-took:
			if !strings.Contains(body, `"type":"user.created"`) {
				t.Errorf("sent %s", body)
			}
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("nothing was sent")
		}
		stop() // what is under way is written down
		if err := <-ended; err != context.Canceled {
			t.Errorf("ended: %v", err)
		}
	}
	send()
	out, _, exit := say(t, "list", "--config", config)
	if exit != 0 || !strings.Contains(out, "410 Gone") || !strings.Contains(out, "sub-1") {
		t.Fatalf("list: %d %s", exit, out)
	}
	var listed struct {
		GivenUp []dead `json:"given_up"`
	}
	out, _, _ = say(t, "list", "--json", "--config", config)
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed.GivenUp) != 1 || listed.GivenUp[0].Attempts != 1 {
		t.Fatalf("list --json: %s, %v", out, err)
	}
	if out, err, exit := say(t, "resend", "999", "--config", config); exit == 0 || !strings.Contains(err, "not in the list") {
		t.Errorf("resend of an unknown one: %d %s%s", exit, out, err)
	}
	if out, _, exit := say(t, "resend", fmt.Sprint(listed.GivenUp[0].ID), "--config", config); exit != 0 || !strings.Contains(out, "1 message") {
		t.Errorf("resend: %d %s", exit, out)
	}
	send()
	for _, command := range []string{"list", "resend", "discard"} {
		if out, err, exit := say(t, command, "--endpoint", "nobody", "--config", config); exit == 0 || !strings.Contains(err, `there is no endpoint "nobody"; there are: crm`) {
			t.Errorf("%s of an endpoint that does not exist: %d %s%s", command, exit, out, err)
		}
	}
	for _, whom := range [][]string{{"--all"}, {"--endpoint", "crm"}, {fmt.Sprint(listed.GivenUp[0].ID)}} {
		out, _, exit := say(t, append([]string{"discard", "--config", config}, whom...)...)
		if left, _, _ := say(t, "list", "--config", config); exit != 0 || !strings.Contains(out, "--yes") || !strings.Contains(out, "1 message") || !strings.Contains(left, "410 Gone") {
			t.Errorf("discard %v without --yes: %d %s%s", whom, exit, out, left)
		}
	}
	if out, _, exit := say(t, "discard", "--all", "--yes", "--config", config); exit != 0 || !strings.Contains(out, "discarded 1 message") {
		t.Errorf("discard: %d %s", exit, out)
	}
	if out, _, exit := say(t, "list", "--config", config); exit != 0 || !strings.Contains(out, "no message waits") {
		t.Errorf("list at the end: %d %s", exit, out)
	}
}
