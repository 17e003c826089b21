package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/codegrant/codegrant/replica"
)

// ApplyIdentity is [Store.Apply] for an identity of a person who is in the replica, named by
// any of their identities. The same transaction links the identity to the person, as
// [Store.Merge] does. If there is no such person, as after an erasure, it writes nothing and
// returns [replica.ErrNotFound].
//
// It returns the identity as it is then. OnChange and the outbox get the statement and
// the link one after the other.
func (s *Store) ApplyIdentity(ctx context.Context, snapshot replica.Snapshot, person int64, by string) (replica.User, error) {
	if err := snapshot.Validate(); err != nil {
		return replica.User{}, fmt.Errorf("apply snapshot: %w", err)
	}
	var user replica.User
	err := s.again(ctx, func() (err error) {
		user, err = s.applyIdentity(ctx, snapshot, person, by)
		return err
	})
	if err != nil {
		return replica.User{}, s.fail(ctx, fmt.Sprintf("apply snapshot of user %d", person), err)
	}
	return user, nil
}

func (s *Store) applyIdentity(ctx context.Context, snapshot replica.Snapshot, person int64, by string) (user replica.User, err error) {
	if _, err := s.peopleOf(ctx, s.db, []int64{person}); err != nil {
		return user, err
	}
	decide := s.decide(snapshot)
	p, err := s.look(ctx, s.db, s.bySubject(snapshot.Issuer, snapshot.Subject), decide)
	if err != nil {
		return user, err
	}
	held := []int64{person}
	if p.before != nil {
		held = append(held, p.before.ID)
	}
	err = s.linking(ctx, held, func(tx *sql.Tx, people []row) error {
		if p.before == nil {
			if err := s.adopt(ctx, tx, p, decide); err != nil {
				return err
			}
		} else if p, err = s.look(ctx, tx, s.byID(p.before.ID), decide); err != nil {
			return err
		}
		if !p.refused && !p.nothing() {
			if err := s.write(ctx, tx, p); err != nil {
				return err
			}
			if err := s.linked(ctx, tx, p); err != nil {
				return err
			}
		}
		user = p.seen().User
		was := user.ID // the person whose identity it was
		if len(people) > 1 {
			was = people[1].ID
		}
		if was == people[0].ID {
			return nil
		}
		others, err := s.identitiesOf(ctx, tx, was)
		if err != nil {
			return err
		}
		if _, err := s.linkAll(ctx, tx, was, others, people[0].ID, by); err != nil {
			return err
		}
		user.LinkedTo = people[0].ID
		return nil
	})
	return user, err
}
