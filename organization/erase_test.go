package organization_test

import (
	"fmt"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestS767_ErasedFromOrganizations: with the transaction, and nothing of anybody else.
func TestS767_ErasedFromOrganizations(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		ann, annID := r.person(t, "ann")
		bea, beaID := r.person(t, "bea")
		o := r.create(t, "Acme")
		r.set(t, o, ann, "admin")
		r.set(t, o, bea, "admin")
		for _, email := range []string{"Ann@example.com", "other@example.com"} {
			if _, _, err := r.Invite(t.Context(), o.ID, email, "member", "a test"); err != nil {
				t.Fatal(err)
			}
		}
		for _, end := range []string{"rolled back", "committed"} {
			tx, err := r.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			user, err := r.users.User(t.Context(), ann)
			if err != nil {
				t.Fatal(err)
			}
			removed, err := r.Erase(t.Context(), tx, []replica.User{user})
			if err != nil || removed["memberships of organisations"] != 1 || removed["invitations"] != 1 {
				t.Fatalf("%v, %v", removed, err)
			}
			if end == "committed" {
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"rolled back": "Acme admin 2", "committed": " 1"}[end]
			invited, err := r.Invitations(t.Context(), o.ID)
			if got := fmt.Sprint(actsFor(t, r.Store, annID), " ", len(invited)); err != nil || got != want {
				t.Errorf("%s: %q, want %q, %v", end, got, want, err)
			}
			if got := actsFor(t, r.Store, beaID); got != "Acme admin" {
				t.Errorf("%s: bea acts for %q", end, got)
			}
		}
	})
}
