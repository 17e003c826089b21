package organization_test

import (
	"testing"

	"github.com/codegrant/codegrant/organization"
)

// TestInvalidIsNotUnavailable: what is not text to a database is neither an id nor an address.
func TestInvalidIsNotUnavailable(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig) {
		acme := r.create(t, "Acme")
		ann, annID := r.person(t, "ann")
		r.set(t, acme, ann, "admin")
		as := organization.As(r.Store, annID)
		for _, bad := range []string{"\x00", "\xff", "", acme.ID + "\x00"} {
			_, _, err := as.Resend(t.Context(), acme.ID, bad, "a test")
			is(t, err, organization.ErrNotFound)
			is(t, as.Revoke(t.Context(), acme.ID, bad, "a test"), organization.ErrNotFound)
			is(t, r.Remove(t.Context(), bad, ann, "a test"), organization.ErrNotFound)
			_, err = r.Get(t.Context(), bad)
			is(t, err, organization.ErrNotFound)
		}
		for _, bad := range []string{"a\x00b@example.com", "a\xffb@example.com"} {
			_, _, err := as.Invite(t.Context(), acme.ID, bad, "member", "a test")
			is(t, err, organization.ErrAddress)
		}
	})
}
