package organization_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS767_ErasedFromOrganizations: with the transaction, and nothing of anybody else.
func TestS767_ErasedFromOrganizations(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		ann, annID := r.person(t, "ann")
		bea, beaID := r.person(t, "bea")
		o := r.create(t, "Acme")
		for _, email := range []string{"Ann@example.com", "other@example.com"} {
			if _, _, err := r.Invite(t.Context(), o.ID, email, "member", "a test"); err != nil {
				t.Fatal(err)
			}
		}
		r.set(t, o, ann, "admin")
		r.set(t, o, bea, "admin")
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
			if err != nil || removed["memberships of organizations"] != 1 || removed["invitations"] != 1 {
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

// TestS767_ErasedAsWhoInvited: their names are gone, and invitations to an address that is
// perhaps somebody else's are not.
func TestS767_ErasedAsWhoInvited(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		const sub = "5f0c1f2e-sub-of-ann"
		if _, err := r.users.Apply(t.Context(), replica.Snapshot{Issuer: issuer, Subject: sub, Username: "ann", Email: "eve@example.com", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		user, err := r.users.UserBySubject(t.Context(), issuer, sub)
		if err != nil {
			t.Fatal(err)
		}
		o := r.create(t, "Acme")
		want := map[string]string{"ann": "", sub: "", "anna": "anna", "Ann": "Ann"}
		for by := range want {
			person, _ := r.person(t, "member-"+by)
			if err := r.Set(t.Context(), o.ID, person, "member", by); err != nil {
				t.Fatal(err)
			}
			if _, _, err := r.Invite(t.Context(), o.ID, fmt.Sprintf("by-%x@example.com", by), "member", by); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.Invite(t.Context(), o.ID, "eve@example.com", "member", "a test"); err != nil {
			t.Fatal(err)
		}
		tx, err := r.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		removed, err := r.Erase(t.Context(), tx, []replica.User{user})
		if err != nil || removed["names in organizations"] != 4 || removed["invitations"] != 0 {
			t.Fatalf("%v, %v", removed, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]int)
		members, err := r.Members(t.Context(), o.ID, 0)
		for _, m := range members {
			got[m.By]++
		}
		invited, err2 := r.Invitations(t.Context(), o.ID)
		for _, i := range invited {
			got[i.By]++
		}
		if want := map[string]int{"": 4, "anna": 2, "Ann": 2, "a test": 1}; err != nil || err2 != nil || !maps.Equal(got, want) {
			t.Errorf("they were added and invited by %v, want %v; %v, %v", got, want, err, err2)
		}
	})
}
