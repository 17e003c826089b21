package organization_test

import (
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/organization"
)

// TestS747_ARemovedManagerStaysOut: with the removal of a manager, and with a lower role, the
// invitations to their addresses end, and those that they made. Others go on.
func TestS747_ARemovedManagerStaysOut(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		for name, lose := range map[string]func(o organization.Organization, who int64) error{
			"removed": func(o organization.Organization, who int64) error { return r.Remove(t.Context(), o.ID, who, "ann") },
			"lowered": func(o organization.Organization, who int64) error {
				return r.Change(t.Context(), o.ID, who, "member", "ann")
			},
		} {
			t.Run(name, func(t *testing.T) {
				acme, bolt := r.create(t, "Acme"), r.create(t, "Bolt")
				ann, _ := r.person(t, "ann")
				eve, eveID := r.person(t, "eve-"+name)
				_, fayID := r.person(t, "fay-"+name)
				invite := func(s *organization.Store, o organization.Organization, email, by string) string {
					t.Helper()
					_, token, err := s.Invite(t.Context(), o.ID, email, "admin", by)
					if err != nil {
						t.Fatal(err)
					}
					return token
				}
				own := invite(r.Store, acme, eveID.Email, "ann") // before she is a member
				for _, o := range []organization.Organization{acme, bolt} {
					r.set(t, o, ann, "admin")
					r.set(t, o, eve, "admin")
				}
				friend := invite(organization.As(r.Store, eveID), acme, fayID.Email, eveID.Username)
				others := invite(r.Store, acme, "gus@example.com", "ann")
				elsewhere := invite(organization.As(r.Store, eveID), bolt, fayID.Email, eveID.Username)
				r.told = nil
				if err := lose(acme, eve); err != nil {
					t.Fatal(err)
				}
				for _, one := range []struct {
					id    *codegrant.Identity
					token string
				}{{eveID, own}, {fayID, friend}} {
					_, err := r.Accept(t.Context(), one.id, one.token)
					is(t, err, organization.ErrInvitation)
				}
				for _, token := range []string{others, elsewhere} {
					if _, _, err := r.Invited(t.Context(), token); err != nil {
						t.Errorf("somebody else's invitation, or another organization's: %v", err)
					}
				}
				revoked := 0
				for _, c := range r.told {
					if c.Kind == organization.InvitationRevoked && c.By == "ann" && c.Organization.ID == acme.ID {
						revoked++
					}
				}
				if revoked != 2 {
					t.Errorf("told: %+v", r.told)
				}
			})
		}
		// A higher role takes nothing back.
		acme := r.create(t, "Acme")
		hal, halID := r.person(t, "hal")
		_, token, err := r.Invite(t.Context(), acme.ID, halID.Email, "member", "ann")
		if err != nil {
			t.Fatal(err)
		}
		r.set(t, acme, hal, "member")
		r.set(t, acme, hal, "admin")
		if _, _, err := r.Invited(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}
