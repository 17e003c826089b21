package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// refusal is one of a stranger, or of a person.
func refusal(n int, subject string) Event {
	return Event{Kind: Refusals, Type: TypeSignInRefused, Subject: subject, At: time.Now(), Data: map[string]int{"n": n}}
}

// TestS785_StrangersHoldUpNobody: a flood of refusals of strangers neither delays nor drops
// messages about people, sessions and organizations, or refusals of people, and takes a bounded
// place. What finds no room is counted.
func TestS785_StrangersHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, key := secret(t)
		to := []Endpoint{{Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []Secret{key}, Events: []string{People, Organizations, Sessions, Refusals}}}
		var flood []Event
		for n := range 3 * MaxRefusals {
			flood = append(flood, refusal(n, ""))
		}
		if dropped, err := r.queue.Post(t.Context(), to, flood...); err != nil || dropped != 2*MaxRefusals {
			t.Fatalf("%d dropped, %v", dropped, err)
		}
		if dropped, err := r.queue.Post(t.Context(), to, refusal(0, ""), refusal(0, "alice"), Event{Kind: Sessions, Type: TypeSessionStarted, Subject: "alice", At: time.Now()}); err != nil || dropped != 1 {
			t.Fatalf("%d dropped, %v", dropped, err)
		}
		for n := range 20 {
			if _, err := r.queue.Post(t.Context(), to, Event{Kind: Organizations, Type: "organization.renamed", Subject: fmt.Sprint("org_", n%3), At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		r.state(t, "bob", "bob")

		// The receiver is overwhelmed by refusals.
		var mu sync.Mutex
		var got, busy, most int
		s := r.sender(t, to...)
		s.pace.pause = 5 * time.Second
		s.targets[0].client.Transport = roundTrip(func(request *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				return nil, err
			}
			w := httptest.NewRecorder()
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(string(body), `"refusal.`) {
				got++
				return w.Result(), nil
			}
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			busy--
			w.WriteHeader(http.StatusTooManyRequests)
			return w.Result(), nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(time.Minute)
		mu.Lock()
		if got != 22 || most != 1 {
			t.Errorf("%d messages came, want 22; %d refusals at once, want 1", got, most)
		}
		mu.Unlock()
		if waiting, dead := r.size(t, "crm"); waiting != MaxRefusals+1 || dead != 0 {
			t.Errorf("%d wait, %d are given up", waiting, dead)
		}
		stop()
		<-done
		r.db.Close()
	})
}

// TestS785_RefusalsWaitForNoOther: a refusal that is not taken holds up no other one, nor what else
// happens to the person. Few are kept of those that were given up.
func TestS785_RefusalsWaitForNoOther(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		to := []Endpoint{{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{Sessions, Refusals}}}
		if _, err := r.queue.Post(t.Context(), to, refusal(0, ""), refusal(1, ""), refusal(2, "alice"), refusal(3, "alice"),
			Event{Kind: Sessions, Type: TypeSessionEnded, Subject: "alice", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		now := time.Now().Add(time.Second)
		held := make(map[string]bool)
		for {
			d, err := r.queue.nextRefusal(t.Context(), "crm", rand16(), now, now.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if d == nil {
				break
			}
			if held[string(d.body)] = true; len(held) == 1 && d.Subject != "alice" {
				t.Errorf("a stranger's comes first: %+v", d)
			}
			if err := r.queue.later(t.Context(), d, now.Add(time.Hour), "answered 500"); err != nil {
				t.Fatal(err)
			}
		}
		if len(held) != 4 {
			t.Errorf("%d refusals: %v", len(held), held)
		}
		d, err := r.queue.next(t.Context(), "crm", "c", now, now.Add(time.Minute))
		if err != nil || d == nil || d.Type != TypeSessionEnded {
			t.Fatalf("%+v, %v", d, err)
		}
		if err := r.queue.taken(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if d, err := r.queue.next(t.Context(), "crm", "c", now, now.Add(time.Minute)); d != nil || err != nil {
			t.Errorf("%+v, %v", d, err)
		}

		var flood []Event
		for n := range MaxRefusals - 2 {
			flood = append(flood, refusal(n, ""))
		}
		if dropped, err := r.queue.Post(t.Context(), to, flood...); dropped != 0 || err != nil {
			t.Fatal(dropped, err)
		}
		if _, err := r.db.ExecContext(t.Context(), "UPDATE codegrant_webhooks SET died = 1"); err != nil {
			t.Fatal(err)
		}
		if dropped, err := r.queue.Post(t.Context(), to, refusal(7, ""), refusal(8, "")); dropped != 0 || err != nil {
			t.Fatal(dropped, err)
		}
		for range 2 {
			now := time.Now().Add(time.Second)
			d, err := r.queue.nextRefusal(t.Context(), "crm", "c", now, now.Add(time.Minute))
			if err != nil || d == nil {
				t.Fatal(d, err)
			}
			if err := r.queue.giveUp(t.Context(), d, now, "answered 410 Gone"); err != nil {
				t.Fatal(err)
			}
		}
		if waiting, dead := r.size(t, "crm"); waiting != 0 || dead != MaxRefusals {
			t.Errorf("%d wait, %d are kept", waiting, dead)
		}
	})
}

// TestManyOfOnePerson: those who wait behind a message of theirs hide nobody, however many they
// are, and the messages of each come in order.
func TestManyOfOnePerson(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		to := []Endpoint{{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{Organizations}}}
		at := time.Now().Add(-time.Hour)
		event := func(what, id string) Event {
			at = at.Add(time.Millisecond)
			return Event{Kind: Organizations, Type: what, Subject: id, At: at, Data: id}
		}
		var events []Event
		for range maxLook + 100 {
			events = append(events, event("organization.member_added", "org_large"))
		}
		for n := range 2 * maxBehind {
			id := fmt.Sprint("org_", n)
			events = append(events, event("organization.created", id), event("organization.renamed", id))
		}
		if _, err := r.queue.Post(t.Context(), to, events...); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for n := range 6 {
			d, err := r.queue.next(ctx, "crm", rand16(), now, now.Add(time.Minute))
			want := fmt.Sprint("org_", n-1)
			if n == 0 {
				want = "org_large"
			}
			if err != nil || d == nil || d.Subject != want || d.Type == "organization.renamed" || string(d.body) == "" {
				t.Fatalf("%d: %+v, %v", n, d, err)
			}
			if n == 5 {
				if _, err := r.db.ExecContext(t.Context(), sqldialect.Number(r.queue.dialect, "UPDATE codegrant_webhooks SET held_until = ? WHERE type = 'organization.created' AND subject <> ?"),
					now.Add(time.Hour).UnixMilli(), fmt.Sprint("org_", 2*maxBehind-1)); err != nil {
					t.Fatal(err)
				}
				d, err := r.queue.next(ctx, "crm", "c", now, now.Add(time.Minute))
				if err != nil || d == nil || d.Subject != fmt.Sprint("org_", 2*maxBehind-1) {
					t.Fatalf("behind all others: %+v, %v", d, err)
				}
			}
		}
		if d, err := r.queue.next(ctx, "crm", "c", now, now.Add(time.Minute)); d != nil || err != nil {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// TestS786_ToldTwice: an event that is told again, by this process or another, is a message with the
// same id. Events without a name are different ones.
func TestS786_ToldTwice(t *testing.T) {
	r := newRig(t)
	_, key := secret(t)
	to := []Endpoint{{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{Sessions}}}
	named := Event{ID: "session.ended s1", Kind: Sessions, Type: TypeSessionEnded, Subject: "alice", At: time.Now()}
	other, unnamed := named, named
	other.ID, unnamed.ID = "session.ended s2", ""
	for range 2 {
		if _, err := r.queue.Post(t.Context(), to, named, other, unnamed); err != nil {
			t.Fatal(err)
		}
	}
	all, err := r.queue.list(t.Context(), "SELECT "+deliveryColumns+" FROM codegrant_webhooks d ORDER BY d.id")
	if err != nil || len(all) != 6 {
		t.Fatal(all, err)
	}
	distinct := make(map[string]bool)
	for _, d := range all {
		distinct[d.Message] = true
		if len(d.Message) != 30 || d.Message != strings.ToLower(d.Message) {
			t.Errorf("id %s", d.Message)
		}
	}
	if all[0].Message != all[3].Message || all[1].Message != all[4].Message || len(distinct) != 4 {
		t.Errorf("%d ids: %+v", len(distinct), all)
	}
}
