package webhook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestS788_ErasedFromMessages: with a person go all messages that name them, by issuer and sub, or
// by row, those that wait and those that were given up, and nobody else's.
func TestS788_ErasedFromMessages(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		to := []Endpoint{{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{Organizations, Sessions, Refusals}}}
		type data struct {
			Name   string `json:"name"`
			Person int64  `json:"person,omitempty"`
			Role   string `json:"role,omitempty"`
		}
		org := func(name string, person int64, role string) Event {
			return Event{Kind: Organizations, Type: "organization.member_added", Subject: "org_1", At: time.Now(), Data: data{name, person, role}}
		}
		about := func(kind, issuer, subject string) Event {
			return Event{Kind: kind, Type: kind + ".x", Issuer: issuer, Subject: subject, At: time.Now(), Data: data{Name: "of " + issuer + subject}}
		}
		events := []Event{
			org("hers", 7, "admin"), org("hers, without a role", 7, ""), about(Sessions, "i", "ann"), about(Refusals, "i", "ann"),
			org("another row", 77, "admin"), org("another row", 17, ""), org(`"person":7,`, 0, ""), org("nobody", 0, ""),
			about(Sessions, "i", "bob"), about(Sessions, "j", "ann"), about(Refusals, "", ""),
		}
		if _, err := r.queue.Post(t.Context(), to, events...); err != nil {
			t.Fatal(err)
		}
		if _, err := r.db.ExecContext(t.Context(), "UPDATE codegrant_webhooks SET died = 1 WHERE id IN (SELECT id FROM (SELECT MIN(id) AS id FROM codegrant_webhooks) x)"); err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{"rolled back", "committed"} {
			tx, err := r.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := r.queue.Erase(t.Context(), tx, replica.User{ID: 7, Issuer: "i", Subject: "ann"})
			if err != nil || n != 4 {
				t.Fatalf("%s: %d, %v", end, n, err)
			}
			left := 11
			if end == "committed" {
				err, left = tx.Commit(), 7
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				t.Fatal(err)
			}
			all, err := r.queue.list(t.Context(), "SELECT "+deliveryColumns+" FROM codegrant_webhooks d ORDER BY d.id")
			if err != nil || len(all) != left {
				t.Fatalf("%s: %d are left, %v", end, len(all), err)
			}
			if end == "committed" && slices.ContainsFunc(all, func(d Delivery) bool { return d.Issuer == "i" && d.Subject == "ann" }) {
				t.Error(fmt.Sprint(all))
			}
		}
	})
}

// TestErasuresDoNotWaitForEachOther: an erasure has no name, and is still of one person: the
// message that a receiver does not take holds up no other one.
func TestErasuresDoNotWaitForEachOther(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		_, key := secret(t)
		s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}})
		for _, subject := range []string{"ann", "bob"} {
			r.state(t, subject, subject)
			u, err := r.users.UserBySubject(t.Context(), testIssuer, subject)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.users.Erase(t.Context(), u.ID, sqlreplica.EraseOptions{By: "an operator"}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.take(t.Context()); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		now := time.Now().Add(time.Second)
		first, err := r.queue.next(t.Context(), "crm", "a", now, now.Add(time.Minute))
		if err != nil || first == nil || first.Type != TypeErased {
			t.Fatalf("%+v, %v", first, err)
		}
		first.Attempts = 8
		if err := r.queue.later(t.Context(), first, now.Add(10*time.Hour), "answered 422"); err != nil {
			t.Fatal(err)
		}
		second, err := r.queue.next(t.Context(), "crm", "b", now, now.Add(time.Minute))
		if err != nil || second == nil || string(second.body) == string(first.body) {
			t.Errorf("the erasure of bob waits for that of ann: %+v, %v", second, err)
		}
	})
}
