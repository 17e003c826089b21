package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// sessionEvents are those that a receiver has got, by the person's sub.
type sessionEvents struct {
	mu   sync.Mutex
	seen map[string]bool     // by id
	all  map[string][]string // type and session
}

func (e *sessionEvents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var m struct {
		Type string
		Data struct{ Sub, Session, Reason string }
	}
	if err != nil || json.Unmarshal(text, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if id := r.Header.Get("Webhook-Id"); !e.seen[id] {
		e.seen[id] = true
		e.all[m.Data.Sub] = append(e.all[m.Data.Sub], strings.TrimSpace(m.Type+" "+m.Data.Session))
	}
}

// of are a person's, without the names of sessions, in some order.
func (e *sessionEvents) of(sub string) (types []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.all[sub] {
		name, _, _ := strings.Cut(strings.TrimPrefix(one, "session."), " ")
		types = append(types, name)
	}
	slices.Sort(types)
	return types
}

// TestS787_EveryEndIsTold: whatever ends a session at the gateway, and whatever begins one, others
// hear of it, once for each session.
func TestS787_EveryEndIsTold(t *testing.T) {
	events := &sessionEvents{seen: make(map[string]bool), all: make(map[string][]string)}
	receiver := httptest.NewServer(events)
	t.Cleanup(receiver.Close)
	g := newGate(t, "    sessions_per_person: 3\n"+strings.Replace(consoled, "routes:\n", `send_webhooks: true
webhooks: {crm: {url: "`+receiver.URL+`/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, events: [sessions]}}
routes:
`, 1))
	g.writeFile("keys", newSealingKey())
	g.start()
	signIn := func() *codegranttest.Browser {
		t.Helper()
		b := codegranttest.NewBrowser(t)
		if page := b.SignIn(g.url+"/", "bob@example.com", codegranttest.Password); page.Status != http.StatusOK {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		return b
	}
	first := signIn()
	own := func(b *codegranttest.Browser) (others []string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/auth/sessions", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		response, err := b.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var list struct {
			Sessions []struct {
				ID      string
				Current bool
			}
		}
		if err := json.NewDecoder(response.Body).Decode(&list); err != nil || len(list.Sessions) == 0 {
			t.Fatal(response.Status, list, err)
		}
		for _, s := range list.Sessions {
			if !s.Current {
				others = append(others, s.ID)
			}
		}
		return others
	}
	end := func(b *codegranttest.Browser, which string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/sessions", strings.NewReader(url.Values{"end": {which}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Origin", g.url)
		response, err := b.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("end %s: %s", which, response.Status)
		}
	}
	pool := g.settings().Pools[0]
	bob, _ := g.api("AdminGetUser", map[string]string{"UserPoolId": pool.Config.Pool.ID, "Username": "bob"})["UserAttributes"].([]any)
	sub := ""
	for _, a := range bob {
		if a := a.(map[string]any); a["Name"] == "sub" {
			sub = a["Value"].(string)
		}
	}
	var want []string
	step := func(what string, more ...string) {
		t.Helper()
		want = append(want, more...)
		slices.Sort(want)
		g.until(what+" is told: "+strings.Join(more, ", "), func() bool { return len(events.of(sub)) >= len(want) })
		if got := events.of(sub); !slices.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	step("a sign-in", "started")

	page := first.Open(g.url + "/auth/login?prompt=login&redirect_uri=%2F")
	if page = first.SignIn(page.URL.String(), "bob@example.com", codegranttest.Password); page.Status != http.StatusOK {
		t.Fatal(page.Status, page.Body)
	}
	step("a sign-in that takes the place of another, as a step-up does", "ended", "started")

	signIn()
	step("a sign-in in another browser", "started")
	others := own(first)
	if len(others) != 1 {
		t.Fatal(others)
	}
	end(first, others[0])
	step("the end of another session of theirs", "ended")

	signIn()
	signIn()
	end(first, "others")
	step("the end of all others", "started", "started", "ended", "ended")

	signIn()
	signIn()
	last := signIn()
	step("one session more than the limit", "started", "started", "started", "ended")

	g.signOut(last.Client)
	step("a sign-out", "ended")

	browser := signIn()
	step("a sign-in", "started")
	if err := g.pool.DisableUser(pool.Config.Pool.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	g.markStale()
	if _, body := g.get(browser.Client, "/"); strings.Contains(body, "for bob@example.com") {
		t.Fatal(body)
	}
	step("the pool no longer stands behind it", "ended")
	if err := g.pool.EnableUser(pool.Config.Pool.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	signIn()
	end(signIn(), "everywhere")
	step("the limit, their own, and all that are left", "started", "started", "ended", "ended", "signed_out_everywhere")
}

// people are those of a replica, by sub.
type people struct {
	replica.Store
	errs map[string]error
}

func (p people) UserBySubject(_ context.Context, _, subject string) (replica.User, error) {
	return replica.User{Subject: subject}, p.errs[subject]
}

// TestS787_EndsOfTheErased: a browser that comes back with a session of somebody who was erased has
// nobody hear their name. A replica that does not answer has the messages wait.
func TestS787_EndsOfTheErased(t *testing.T) {
	of := func(kind, subject string) webhook.Event {
		return webhook.Event{Kind: webhook.Sessions, Type: kind, Issuer: "i", Subject: subject}
	}
	events := []webhook.Event{
		of(webhook.TypeSessionEnded, "gone"), of(webhook.TypeSessionEnded, "here"), of(webhook.TypeSessionStarted, "gone"), of(webhook.TypeSessionEnded, ""),
	}
	users := people{errs: map[string]error{"gone": fmt.Errorf("look: %w", replica.ErrNotFound)}}
	known, err := ofKnown(t.Context(), users, events)
	if err != nil || !slices.EqualFunc(known, events[1:], func(a, b webhook.Event) bool { return a.Type == b.Type && a.Subject == b.Subject }) {
		t.Errorf("%+v, %v", known, err)
	}
	users.errs["here"] = replica.ErrUnavailable
	if known, err := ofKnown(t.Context(), users, events); !errors.Is(err, replica.ErrUnavailable) {
		t.Errorf("%+v, %v", known, err)
	}
}
