package webhook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
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
