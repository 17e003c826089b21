package webhook

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS727_ToldInTheTransaction: what is told in a transaction is a message once it is committed,
// and never if it is not; endpoints get the kinds that they name, and people unless they name any.
// Messages about one thing come one after the other.
func TestS727_ToldInTheTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		endpoint := func(name string, events ...string) Endpoint {
			return Endpoint{Name: name, URL: "https://" + name + ".example.com/", Secrets: []Secret{key}, Events: events}
		}
		to := []Endpoint{endpoint("all"), endpoint("orgs", Organizations), endpoint("both", Organizations, Sessions, "deleted")}
		at := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
		event := func(kind, what, id string) Event {
			return Event{Kind: kind, Type: what, Subject: id, At: at, Data: map[string]string{"id": id}}
		}
		for _, commit := range []bool{false, true} {
			tx, err := r.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.queue.Tell(t.Context(), tx, to, event(Organizations, "organization.created", "org_1"), event(Organizations, "organization.renamed", "org_1"), event(Sessions, TypeSessionStarted, "x"), event(Refusals, TypeSignInRefused, "")); err != nil {
				t.Fatal(err)
			}
			if !commit {
				err = tx.Rollback()
			} else {
				err = tx.Commit()
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]int64{"all": 0, "orgs": 2, "both": 3} {
				if !commit {
					want = 0
				}
				if waiting, _ := r.size(t, name); waiting != want {
					t.Errorf("committed %v: %d wait for %s, want %d", commit, waiting, name, want)
				}
			}
		}
		first, err := r.queue.next(t.Context(), "orgs", "a", at, at.Add(time.Minute))
		if err != nil || first == nil || first.Type != "organization.created" || first.Subject != "org_1" {
			t.Fatalf("%+v, %v", first, err)
		}
		var m struct {
			Type      string
			Timestamp time.Time
			Data      map[string]string
		}
		if err := json.Unmarshal(first.body, &m); err != nil || m.Type != first.Type || !m.Timestamp.Equal(at) || m.Data["id"] != "org_1" {
			t.Errorf("%s: %v", first.body, err)
		}
		if second, err := r.queue.next(t.Context(), "orgs", "b", at, at.Add(time.Minute)); err != nil || second != nil {
			t.Errorf("the second is sent before the first: %+v, %v", second, err)
		}
		if err := r.queue.taken(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if second, err := r.queue.next(t.Context(), "orgs", "b", at, at.Add(time.Minute)); err != nil || second == nil || second.Type != "organization.renamed" {
			t.Errorf("%+v, %v", second, err)
		}
		if _, err := r.queue.Post(t.Context(), to, event(Refusals, TypeRequestRefused, "x")); err != nil {
			t.Error(err)
		}
		if _, err := r.queue.Post(t.Context(), to, event(Sessions, TypeSessionEnded, "y")); err != nil {
			t.Error(err)
		}
		if waiting, _ := r.size(t, "both"); waiting != 4 {
			t.Errorf("%d wait", waiting)
		}
		if _, err := r.queue.Post(t.Context(), to, Event{Kind: Sessions, Data: make(chan int)}); err == nil {
			t.Error("what is not JSON becomes a message")
		}
		if !Wanted(to, People) || !Wanted(to, Organizations) || Wanted(to, Refusals) || Wanted(to[1:], People) {
			t.Error("who wants what")
		}
		if e := endpoint("x", "people", "refusals"); e.Check() != nil || !e.hears(recordOf("created")) || endpoint("x", "sessions").hears(recordOf("created")) {
			t.Error("people by name")
		}
	})
}

// recordOf is a change with an event.
func recordOf(event string) replica.Record { return replica.Record{Events: []string{event}} }
