package organization

import (
	"context"
	"database/sql"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
)

// Erase removes people from every organisation, in a transaction of the caller's: as
// members, by any identity, what their sessions have chosen, invitations to the addresses that
// their pool has verified, and their names as of whoever added or invited others. An organisation may be without a manager afterwards: nobody may refuse an
// erasure. It returns how many rows are gone, by what they were.
func (s *Store) Erase(ctx context.Context, tx *sql.Tx, identities []replica.User) (map[string]int64, error) {
	removed := make(map[string]int64)
	del := func(what, statement string, args ...any) error {
		n, err := s.exec(ctx, tx, statement, args...)
		removed[what] += n
		return err
	}
	for _, u := range identities {
		if err := del("memberships of organisations", "DELETE FROM codegrant_organization_members WHERE user_id = ?", u.ID); err != nil {
			return nil, fail("erase", err)
		}
		if err := del("choices of organisations", "DELETE FROM codegrant_organization_choices WHERE person = ?", personOf(&codegrant.Identity{Issuer: u.Issuer, Subject: u.Subject})); err != nil {
			return nil, fail("erase", err)
		}
		if err := del("invitations that were sent", "DELETE FROM codegrant_organization_sent WHERE inviter = ?", personOf(&codegrant.Identity{Issuer: u.Issuer, Subject: u.Subject})); err != nil {
			return nil, fail("erase", err)
		}
		for _, name := range []string{u.Username, u.Subject} { // see by
			for _, column := range []string{"members SET added_by = '' WHERE added_by", "invitations SET invited_by = '' WHERE invited_by"} {
				if name == "" {
					continue
				}
				if err := del("names in organisations", "UPDATE codegrant_organization_"+column+" = ?", name); err != nil {
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
		}
	}
	return removed, nil
}
