package organization_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/organization"
)

// TestS743_AnInvitationIsForOneAddress, verified by the pool, whoever has its token.
func TestS743_AnInvitationIsForOneAddress(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme := r.create(t, "Acme")
		_, annID := r.person(t, "ann")
		_, eveID := r.person(t, "eve")
		invitation, token, err := r.Invite(t.Context(), acme.ID, "Ann@Example.com", "admin", "a test")
		if err != nil || invitation.Email != "ann@example.com" {
			t.Fatal(invitation, err)
		}
		unverified, machine, acting := *annID, *annID, *annID
		unverified.EmailVerified, machine.Machine, acting.Actor = false, true, &codegrant.Actor{Subject: "agent"}
		for name, id := range map[string]*codegrant.Identity{
			"somebody else": eveID, "the address, unverified": &unverified, "a machine": &machine, "who acts for the person": &acting, "nobody": nil,
		} {
			if _, err := r.Accept(t.Context(), id, token); !errors.Is(err, organization.ErrOtherAddress) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, o, err := r.Invited(t.Context(), token); err != nil || o.ID != acme.ID {
			t.Errorf("it does not wait any more: %v", err)
		}
		other := *annID
		other.Email = "ANN@example.com"
		if o, err := r.Accept(t.Context(), &other, token); err != nil || o.ID != acme.ID {
			t.Fatal(err)
		}
		if got := actsFor(t, r.Store, annID); got != "Acme admin" {
			t.Errorf("who accepted acts for %q", got)
		}
	})
}

// TestS744_AnInvitationIsGoodOnce, for a time, and until it is taken back or made anew.
func TestS744_AnInvitationIsGoodOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme := r.create(t, "Acme")
		ann, annID := r.person(t, "ann")
		invite := func() (organization.Invitation, string) {
			t.Helper()
			i, token, err := r.Invite(t.Context(), acme.ID, "ann@example.com", "member", "a test")
			if err != nil {
				t.Fatal(err)
			}
			return i, token
		}
		gone := func(what, token string) {
			t.Helper()
			if _, err := r.Accept(t.Context(), annID, token); !errors.Is(err, organization.ErrInvitation) {
				t.Errorf("%s: accepting it says %v", what, err)
			}
			if _, _, err := r.Invited(t.Context(), token); !errors.Is(err, organization.ErrInvitation) {
				t.Errorf("%s: looking at it says %v", what, err)
			}
			if got := actsFor(t, r.Store, annID); got != "" {
				t.Errorf("%s: ann acts for %q", what, got)
			}
		}
		gone("one that never was", "NEVERWAS")
		gone("none", "")
		i, first := invite()
		again, second, err := r.Resend(t.Context(), acme.ID, i.ID, "a test")
		if err != nil || again.ID != i.ID || again.Sent != 2 || second == first {
			t.Fatal(again, err)
		}
		gone("the token before", first)
		_, third := invite()
		gone("and the one before that", second)
		if all, err := r.Invitations(t.Context(), acme.ID); err != nil || len(all) != 1 || all[0].Sent != 3 {
			t.Errorf("one address has %v, %v", all, err)
		}
		r.now = r.now.Add(7 * 24 * time.Hour)
		gone("one that has expired", third)
		i, fourth := invite()
		if err := r.Revoke(t.Context(), acme.ID, i.ID, "a test"); err != nil {
			t.Fatal(err)
		}
		is(t, r.Revoke(t.Context(), acme.ID, i.ID, "a test"), organization.ErrNotFound)
		gone("one that was taken back", fourth)
		_, fifth := invite()

		// Many at once: one of them.
		var mu sync.Mutex
		accepted := 0
		own := r.another(t)
		own.OnChange = nil
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := own.Accept(t.Context(), annID, fifth)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					accepted++
				} else if !errors.Is(err, organization.ErrInvitation) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if accepted != 1 {
			t.Errorf("it was accepted %d times", accepted)
		}
		if err := r.Remove(t.Context(), acme.ID, ann, "a test"); err != nil {
			t.Fatal(err)
		}
		gone("one that was used", fifth)
		_, sixth := invite()
		if err := r.Delete(t.Context(), acme.ID, "a test"); err != nil {
			t.Fatal(err)
		}
		gone("that of an organization that is gone", sixth)
	})
}

// TestAMemberKeepsTheirRole: an invitation neither raises nor lowers anybody.
func TestAMemberKeepsTheirRole(t *testing.T) {
	r := newRig(t)
	acme := r.create(t, "Acme")
	ann, annID := r.person(t, "ann")
	_, token, err := r.Invite(t.Context(), acme.ID, "ann@example.com", "member", "a test")
	if err != nil {
		t.Fatal(err)
	}
	r.set(t, acme, ann, "admin")
	if _, err := r.Accept(t.Context(), annID, token); err != nil || actsFor(t, r.Store, annID) != "Acme admin" {
		t.Errorf("%v, and acts for %q", err, actsFor(t, r.Store, annID))
	}
}

// TestS745_TheTableHasNoToken, nor has a change that is told.
func TestS745_TheTableHasNoToken(t *testing.T) {
	r := newRig(t)
	acme := r.create(t, "Acme")
	_, token, err := r.Invite(t.Context(), acme.ID, "ann@example.com", "member", "a test")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := r.db.Query("SELECT id || email || role || token || invited_by FROM codegrant_organization_invitations")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		seen++
		if strings.Contains(strings.ToLower(row), strings.ToLower(token)) {
			t.Errorf("the table has the token: %s", row)
		}
	}
	if seen != 1 || len(token) < 24 {
		t.Errorf("%d rows, and a token of %d characters", seen, len(token))
	}
}
