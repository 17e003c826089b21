package organization_test

import (
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
)

// TestS789_AMemberIsNotInvited: an address is refused that the pool has verified to be a member's,
// by whatever identity and in whatever letters. An address that is not verified, or of somebody
// who is no member or is deleted, says nothing.
func TestS789_AMemberIsNotInvited(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme, bolt := r.create(t, "Acme"), r.create(t, "Bolt")
		apply := func(s replica.Snapshot) int64 {
			t.Helper()
			s.Username, s.At = s.Subject, time.Now()
			if s.Issuer == "" {
				s.Issuer = issuer
			}
			c, err := r.users.Apply(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			return c.User.ID
		}
		ann, _ := r.person(t, "ann")
		ben, benID := r.person(t, "ben")
		unsure := apply(replica.Snapshot{Subject: "unsure", Email: "somebody@example.com"})
		upper := apply(replica.Snapshot{Subject: "upper", Email: "Ünal.Upper@Example.com", EmailVerified: true})
		second := apply(replica.Snapshot{Issuer: "https://other.example.com", Subject: "second", Email: "second@example.com", EmailVerified: true})
		if _, err := r.users.Merge(t.Context(), second, ann, "test"); err != nil {
			t.Fatal(err)
		}
		for _, who := range []int64{ann, unsure, upper} {
			r.set(t, acme, who, "member")
		}
		invite := func(o organization.Organization, email string, want error) organization.Invitation {
			t.Helper()
			i, token, err := r.Invite(t.Context(), o.ID, email, "admin", "a test")
			is(t, err, want)
			if (token == "") != (want != nil) {
				t.Errorf("%s: token %q", email, token)
			}
			return i
		}
		for _, email := range []string{"ann@example.com", "ANN@Example.com", "second@example.com", "Ünal.UPPER@example.com"} {
			invite(acme, email, organization.ErrMember)
			invite(bolt, email, nil)
		}
		if all, err := r.Invitations(t.Context(), acme.ID); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		for _, email := range []string{"somebody@example.com", "new@example.com", "annn@example.com", strings.Repeat("a", 200) + "@example.com"} {
			invite(acme, email, nil)
		}

		// Who has become a member meanwhile gets no second mail.
		waits := invite(acme, benID.Email, nil)
		r.set(t, acme, ben, "member")
		_, _, err := r.Resend(t.Context(), acme.ID, waits.ID, "a test")
		is(t, err, organization.ErrMember)
		if !organization.IsRefusal(err) {
			t.Error("it is no refusal")
		}

		// An address of somebody who is deleted may be somebody else's by now.
		if _, err := r.db.ExecContext(t.Context(), "UPDATE codegrant_users SET deleted_at = updated_at WHERE subject = 'ben'"); err != nil {
			t.Fatal(err)
		}
		invite(acme, benID.Email, nil)
	})
}
