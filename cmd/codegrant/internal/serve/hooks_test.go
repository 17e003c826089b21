package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS728_OthersHearOfTheGateway: the gateway sends messages about people, sessions, refusals and
// organisations by itself, each to the endpoints that ask for it.
func TestS728_OthersHearOfTheGateway(t *testing.T) {
	var mu sync.Mutex
	got := map[string][]map[string]any{} // data, by endpoint and type
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var m struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal(text, &m); err != nil || r.Header.Get("Webhook-Signature") == "" {
			t.Errorf("%s: %v", text, err)
		}
		mu.Lock()
		defer mu.Unlock()
		key := r.URL.Path + " " + m.Type
		got[key] = append(got[key], m.Data)
	}))
	t.Cleanup(receiver.Close)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	g := newGate(t, strings.Replace(consoled, "routes:\n", `organizations: true
send_webhooks: true
webhooks:
  people: {url: "`+receiver.URL+`/people", secret: `+secret+`}
  rest: {url: "`+receiver.URL+`/rest", secret: `+secret+`, events: [organizations, sessions, refusals]}
routes:
`, 1))
	g.writeFile("keys", newSealingKey())
	g.start()
	data := func(key string) map[string]any {
		t.Helper()
		var found map[string]any
		g.until("there is "+key, func() bool {
			mu.Lock()
			defer mu.Unlock()
			if all := got[key]; len(all) > 0 {
				found = all[0]
			}
			return found != nil
		})
		return found
	}
	bob := codegranttest.NewBrowser(t)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	user, _ := data("/people user.created")["user"].(map[string]any)
	started := data("/rest session.started")
	if started["sub"] == "" || started["sub"] != user["subject"] || started["pool"] != "default" || started["session"] == "" {
		t.Errorf("%v of %v", started, user)
	}
	if status, _ := g.get(bob.Client, "/reports"); status != http.StatusForbidden {
		t.Fatal(status)
	}
	if refused := data("/rest refusal.request"); refused["sub"] != user["subject"] || refused["path"] != "/reports" || refused["reference"] == "" || !strings.Contains(refused["reason"].(string), "group analysts") {
		t.Errorf("%v", refused)
	}
	g.signOut(bob.Client)
	if ended := data("/rest session.ended"); ended["session"] != started["session"] {
		t.Errorf("%v, want that of %v", ended, started)
	}

	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/console", "alice@example.com", codegranttest.Password)
	page := alice.Open(g.url + "/console/organizations")
	for _, form := range page.Forms {
		if form.Values.Get("do") == "create" {
			page = alice.Submit(page, form, map[string]string{"name": "Acme"})
		}
	}
	created := data("/rest organization.created")
	if o, _ := created["organization"].(map[string]any); o["name"] != "Acme" || o["id"] != page.URL.Query().Get("id") {
		t.Errorf("%v at %s", created, page.URL)
	}
	mu.Lock()
	defer mu.Unlock()
	for key := range got {
		if strings.HasPrefix(key, "/people ") != strings.Contains(key, " user.") {
			t.Errorf("%s was sent", key)
		}
	}
}

// TestS728_RefusalsAreBounded: strangers cause no message by requests that are refused, and few by
// sign-ins; those that find no room are counted, and leave room for sessions.
func TestS728_RefusalsAreBounded(t *testing.T) {
	var h hooks
	line := func(message string, attrs ...any) slog.Record {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
		r.Add(attrs...)
		return r
	}
	h.hear(line("signed in", "sub", "a"), "default", "issuer")
	if all := h.take(); len(all) != 0 {
		t.Errorf("nobody hears, and %d wait", len(all))
	}
	h.wanted.Store(true)
	for range 5 * maxRefusals {
		h.hear(line("request refused", "reason", "a stranger's"), "default", "issuer")
		h.hear(line("sign-in refused", "reason", strings.Repeat("x", 10000)), "default", "issuer")
		h.hear(line("sign-in started"), "default", "issuer")
	}
	h.hear(line("signed in", "sub", "a", "session", "s"), "default", "issuer")
	all := h.take()
	if len(all) != maxRefusals+1 || h.dropped.Load() != 4*maxRefusals {
		t.Errorf("%d wait, %d are dropped", len(all), h.dropped.Load())
	}
	if last := all[len(all)-1]; last.Type != "session.started" || last.Issuer != "issuer" || last.Subject != "a" {
		t.Errorf("%+v", last)
	}
	if what := all[0].Data.(heard); len(what.Reason) > 310 {
		t.Errorf("a reason of %d bytes", len(what.Reason))
	}
	for range 2 * maxHeard {
		h.hear(line("signed in", "sub", "a"), "default", "issuer")
	}
	if all := h.take(); len(all) != maxHeard {
		t.Errorf("%d wait", len(all))
	}
}

// hooked has the gateway send messages, to a receiver that is not there.
const hooked = "send_webhooks: true\nwebhooks: {crm: {url: 'http://127.0.0.1:1/', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}\n"

// TestAlertsOfWebhooks: one is raised when a message was given up, and one when one waits for
// longer than an hour.
func TestAlertsOfWebhooks(t *testing.T) {
	g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	g.write(strings.Replace(stored, "replica: true", "replica: {outbox: true}", 1) + hooked + oneUpstream + "ops_listen: " + g.address + "\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	g.until("it sends", func() bool { return strings.Contains(g.metrics(), `codegrant_webhook_given_up{endpoint="crm"} 0`) })
	before := g.metrics()
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, died := range []int64{0, 7} {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO codegrant_webhooks (endpoint, person, message, type, issuer, subject, body, created, attempts, due, held_until, claim, failure, died) "+
			"VALUES ('crm', ?, 'msg_1', 'user.updated', 'i', 's', '{}', 1, 3, ?, 0, '', 'answered 500', ?)", fmt.Sprint(died), time.Now().Add(time.Hour).UnixMilli(), died); err != nil {
			t.Fatal(err)
		}
	}
	g.raised(before, "CodegrantWebhooksGivenUp")
	g.raised(before, "CodegrantWebhooksLate")
	g.end()
}
