package serve

import (
	"context"
	"encoding/json"
	"errors"
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
	"unicode/utf8"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/webhook"
)

// TestS728_OthersHearOfTheGateway: the gateway sends messages about people, sessions, refusals and
// organizations by itself, each to the endpoints that ask for it.
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

// heardLine is a line of the log of a pool.
func heardLine(message string, attrs ...any) slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	r.Add(attrs...)
	return r
}

// taken is a queue that takes all, until it fails.
type taken struct {
	all  []webhook.Event
	most int // in one call
	fail func(call int) error
	call int
}

func (q *taken) post(_ context.Context, events ...webhook.Event) (int, error) {
	q.call++
	q.most = max(q.most, len(events))
	var err error
	if q.fail != nil {
		err = q.fail(q.call)
	}
	if err == nil || errors.Is(err, errWritten) {
		q.all = append(q.all, events...)
	}
	return 0, err
}

var errWritten = errors.New("the connection was lost, and all was written")

// TestS728_RefusalsAreBounded: strangers cause no message by requests that are refused, and few by
// sign-ins; those that find no room are counted, and leave room for sessions and for refusals of
// people.
func TestS728_RefusalsAreBounded(t *testing.T) {
	var h hooks
	take := func() []webhook.Event {
		t.Helper()
		var q taken
		if err := h.post(t.Context(), q.post); err != nil {
			t.Fatal(err)
		}
		return q.all
	}
	h.hear(heardLine("signed in", "sub", "a"), "default", "issuer")
	if all := take(); len(all) != 0 {
		t.Errorf("nobody hears, and %d wait", len(all))
	}
	h.wanted.Store(true)
	for range 500 {
		h.hear(heardLine("request refused", "reason", "a stranger's"), "default", "issuer")
		h.hear(heardLine("sign-in refused", "reason", strings.Repeat("x", 10000)), "default", "issuer")
		h.hear(heardLine("sign-in started"), "default", "issuer")
	}
	h.hear(heardLine("signed in", "sub", "a", "session", "s"), "default", "issuer")
	h.hear(heardLine("request refused", "sub", strings.Repeat("é", 300)+"\x00"), "default", "issuer")
	all := take()
	if len(all) != 102 || h.lines[ofStrangers].dropped.Load() != 400 || h.lines[ofPeople].dropped.Load() != 0 || h.lines[ofSessions].dropped.Load() != 0 {
		t.Errorf("%d wait, %d are dropped", len(all), h.lines[ofStrangers].dropped.Load())
	}
	if first := all[0]; first.Type != "session.started" || first.Issuer != "issuer" || first.Subject != "a" {
		t.Errorf("%+v", first)
	}
	if what := all[len(all)-1].Data.(parts.Happened); len(what.Reason) > 310 {
		t.Errorf("a reason of %d bytes", len(what.Reason))
	}
	if sub := all[1].Subject; len(sub) > 255 || !utf8.ValidString(sub) || sub == "" {
		t.Errorf("a subject that no column takes: %q", sub)
	}
}

// TestS786_EventsOfAnOutage: what happens while the database does not answer is told afterwards, in
// order and in pieces, from where it ended. An event that is told again has the same id, and no
// other has.
func TestS786_EventsOfAnOutage(t *testing.T) {
	var h hooks
	h.wanted.Store(true)
	const sessions = 5000
	q := taken{fail: func(call int) error {
		switch {
		case call <= 20, call%5 == 1:
			return errors.New("no connection")
		case call%5 == 3:
			return errWritten
		}
		return nil
	}}
	for n := range sessions {
		h.hear(heardLine("signed in", "sub", "a", "session", fmt.Sprint(n)), "default", "issuer")
		if n%50 == 0 {
			_ = h.post(t.Context(), q.post)
		}
	}
	for range 1000 {
		if h.post(t.Context(), q.post) == nil {
			break
		}
	}
	ids, next := make(map[string]string), 0
	for _, e := range q.all {
		session := e.Data.(parts.Happened).Session
		if was, again := ids[session]; again {
			if was != e.ID {
				t.Fatalf("session %s has the ids %q and %q", session, was, e.ID)
			}
			continue
		}
		if session != fmt.Sprint(next) {
			t.Fatalf("session %s comes where %d should", session, next)
		}
		ids[session] = e.ID
		next++
	}
	distinct := make(map[string]bool)
	for _, id := range ids {
		distinct[id] = true
	}
	if next != sessions || len(distinct) != sessions || q.most > atOnceTold || h.lines[ofSessions].dropped.Load() != 0 {
		t.Errorf("%d of %d sessions came, with %d ids, %d at once at most", next, sessions, len(distinct), q.most)
	}

	// What finds no room is counted, and the memory is bounded.
	for range maxHeard[ofSessions] + 7 {
		h.hear(heardLine("signed out", "sub", "a", "session", "s"), "default", "issuer")
	}
	if n := h.lines[ofSessions].dropped.Load(); n != 7 {
		t.Errorf("%d dropped", n)
	}
	if n := h.forget(); n != maxHeard[ofSessions] || h.lines[ofSessions].dropped.Load() != int64(7+n) {
		t.Errorf("%d forgotten", n)
	}
}

// TestS786_OneIdPerEvent: two processes that see the same session end give the message one id. Other
// ends, and each refusal, have another.
func TestS786_OneIdPerEvent(t *testing.T) {
	id := func(message string, attrs ...any) string {
		var h hooks
		h.wanted.Store(true)
		h.hear(heardLine(message, attrs...), "default", "issuer")
		var q taken
		if err := h.post(t.Context(), q.post); err != nil || len(q.all) != 1 || q.all[0].ID == "" {
			t.Fatalf("%v, %v", q.all, err)
		}
		return q.all[0].ID
	}
	ended := id("session ended", "sub", "a", "session", "s", "reason", "one process says this")
	if again := id("session ended", "reason", "another that", "session", "s", "sub", "a"); again != ended {
		t.Errorf("%q and %q", ended, again)
	}
	if out := id("signed out", "sub", "a", "session", "s"); out != ended {
		t.Errorf("%q and %q", ended, out)
	}
	for _, other := range []string{
		id("signed in", "sub", "a", "session", "s"), id("session ended", "sub", "a", "session", "t"), id("session ended", "sub", "b", "session", "s"),
		id("session ended", "sub", "a"), id("signed out everywhere", "sub", "a"),
	} {
		if other == ended {
			t.Errorf("%q twice", other)
		}
	}
	for what, attr := range map[string]string{"signed out everywhere": "sub", "sign-in refused": "session"} {
		first, second := id(what, attr, "a"), id(what, attr, "a")
		if first == second {
			t.Errorf("two events %q have one id", what)
		}
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
