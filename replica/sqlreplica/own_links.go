package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/codegrant/codegrant/replica"
)

// Link implements [replica.Linker]. It is Merge of one identity that stands alone: what
// comes with it can sign nobody in.
func (s *Store) Link(ctx context.Context, identity, person int64, by string, along ...string) (replica.Change, error) {
	told, err := s.linkAgain(ctx, func(told *replica.Change) error {
		return s.linkingFamily(ctx, []int64{identity, person}, func(tx *sql.Tx, people []row, family []row) error {
			a, b := people[0], people[1]
			if a.ID == b.ID {
				before := a.User
				*told = replica.Change{User: a.User, Before: &before}
				return nil
			}
			var others []int64
			for _, of := range family {
				switch {
				case of.ID == identity && (!of.user().Enabled || !of.Deleted.IsZero()):
					return fmt.Errorf("%w: user %d is disabled or deleted", replica.ErrConflict, identity)
				case of.ID != identity && of.Deleted.IsZero() && !slices.Contains(along, of.Issuer):
					return fmt.Errorf("%w: user %d is one of several identities of user %d", replica.ErrConflict, identity, a.ID)
				case of.ID != a.ID:
					others = append(others, of.ID)
				}
			}
			var err error
			*told, err = s.linkAll(ctx, tx, a.ID, others, b.ID, by)
			return err
		})
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("link user %d to user %d", identity, person), err)
	}
	return told, nil
}

// Separate implements [replica.Linker].
func (s *Store) Separate(ctx context.Context, identity int64) (replica.Change, error) {
	told, err := s.linkAgain(ctx, func(told *replica.Change) error {
		return s.linkingFamily(ctx, []int64{identity}, func(tx *sql.Tx, _ []row, family []row) error {
			i := slices.IndexFunc(family, func(of row) bool { return of.ID == identity })
			if i < 0 {
				return errAgain
			}
			if family[i].LinkedTo != 0 && !replica.StaysWithout(usersOf(family), family[i].User) {
				return fmt.Errorf("%w: nobody can sign in as user %d without user %d", replica.ErrConflict, family[i].LinkedTo, identity)
			}
			p, err := s.link(ctx, tx, identity, 0, "")
			if err != nil {
				return err
			}
			*told = p.seen()
			return s.linked(ctx, tx, p)
		})
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("separate user %d", identity), err)
	}
	return told, nil
}

func usersOf(rows []row) []replica.User {
	users := make([]replica.User, len(rows))
	for i, r := range rows {
		users[i] = r.user()
	}
	return users
}

// linkAll makes a person and the identities that are linked to them identities of another
// one, and returns the change of the person.
func (s *Store) linkAll(ctx context.Context, tx *sql.Tx, from int64, ids []int64, into int64, by string) (told replica.Change, err error) {
	for _, id := range append([]int64{from}, ids...) {
		p, err := s.link(ctx, tx, id, into, by)
		if err != nil {
			return replica.Change{}, err
		}
		if id == from {
			p.change.Merged = &replica.Merged{From: from, Into: into}
			told = p.seen()
		}
		if err := s.linked(ctx, tx, p); err != nil {
			return replica.Change{}, err
		}
	}
	return told, nil
}

// linkingFamily is linking that holds every identity of the person of the first one, too:
// none of them is disabled, deleted, linked or unlinked while it lasts.
func (s *Store) linkingFamily(ctx context.Context, identities []int64, f func(tx *sql.Tx, people, family []row) error) error {
	ids, err := s.familyOf(ctx, s.db, identities[0])
	if err != nil {
		return err
	}
	return s.linking(ctx, slices.Concat(identities, ids), func(tx *sql.Tx, people []row) error {
		now, err := s.familyOf(ctx, tx, identities[0])
		if err != nil {
			return err
		}
		if !slices.Equal(now, ids) {
			return errAgain
		}
		var family []row
		for _, id := range ids {
			found, err := s.readRows(ctx, tx, s.byID(id))
			if err != nil {
				return err
			}
			family = append(family, found...)
		}
		return f(tx, people, family)
	})
}

// familyOf returns every identity of the person whose an identity is, in order.
func (s *Store) familyOf(ctx context.Context, q querier, identity int64) ([]int64, error) {
	people, err := s.peopleOf(ctx, q, []int64{identity})
	if err != nil {
		return nil, err
	}
	ids, err := s.identitiesOf(ctx, q, people[0])
	return append(ids, people[0]), err
}
