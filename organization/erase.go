package organization

import (
	"context"
	"database/sql"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// Erase removes people from every organization, in a transaction of the caller. It removes
// memberships of all identities, choices of their sessions, and invitations to addresses
// that the pool has verified. It also removes their names where they added or invited
// others. An organization may have no manager afterwards: nobody may refuse an erasure.
// Erase returns the number of removed rows, by kind.
func (s *Store) Erase(ctx context.Context, tx *sql.Tx, identities []replica.User) (map[string]int64, error) {
	removed := make(map[string]int64)
	del := func(what, statement string, args ...any) error {
		n, err := s.exec(ctx, tx, statement, args...)
		removed[what] += n
		return err
	}
	held := func(id string) error { // they tell of nothing, and are not counted
		_, err := s.exec(ctx, tx, "DELETE FROM codegrant_organization_sent WHERE id = ?", id)
		return fail("erase", err)
	}
	for _, u := range identities {
		person := personOf(&codegrant.Identity{Issuer: u.Issuer, Subject: u.Subject})
		if err := del("memberships of organizations", "DELETE FROM codegrant_organization_members WHERE user_id = ?", u.ID); err != nil {
			return nil, fail("erase", err)
		}
		if err := del("choices of organizations", "DELETE FROM codegrant_organization_choices WHERE person = ?", person); err != nil {
			return nil, fail("erase", err)
		}
		if err := del("invitations that were sent", "DELETE FROM codegrant_organization_sent WHERE inviter = ?", person); err != nil {
			return nil, fail("erase", err)
		}
		if err := held(holdsInviter + person); err != nil {
			return nil, err
		}
		for _, name := range []string{u.Username, u.Subject} { // see by
			for _, column := range []string{"members SET added_by = '' WHERE added_by", "invitations SET invited_by = '' WHERE invited_by"} {
				if name == "" {
					continue
				}
				if err := del("names in organizations", "UPDATE codegrant_organization_"+column+" = ?", name); err != nil {
					return nil, fail("erase", err)
				}
			}
		}
		// An address that is not verified may be somebody else's.
		if address, err := addressed(u.Email); err == nil && u.EmailVerified {
			if err := del("invitations", "DELETE FROM codegrant_organization_invitations WHERE email = ?", address); err != nil {
				return nil, fail("erase", err)
			}
			if err := del("invitations that were sent", "DELETE FROM codegrant_organization_sent WHERE address = ?", hashed(address)); err != nil {
				return nil, fail("erase", err)
			}
			if err := held(holdsAddress + hashed(address)); err != nil {
				return nil, err
			}
		}
	}
	return removed, nil
}
