package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Merge makes two people one, for ever or until [Store.Unlink]: every identity of from
// is one of into from then on, and by is who has said so. Either may be named by any of
// its identities. It returns the change of the identity that from was known by; one that
// is empty says that they were one person before.
//
// It happens as a whole or not at all, in the transaction that OnChange joins with
// [replica.Merged], so that an application's own rows move with it, and the outbox
// gets. Any number of calls at once leave each identity with one person, and every person
// known by an identity that is linked to no other.
//
// Rights are not merged: each identity has the groups that it had. The caller ends the
// sessions of from: they know who the person was.
func (s *Store) Merge(ctx context.Context, from, into int64, by string) (replica.Change, error) {
	told, err := s.linkAgain(ctx, func(told *replica.Change) error {
		return s.linking(ctx, []int64{from, into}, func(tx *sql.Tx, people []row) error {
			a, b := people[0], people[1]
			if a.ID == b.ID {
				before := a.User
				*told = replica.Change{User: a.User, Before: &before}
				return nil
			}
			ids, err := s.identitiesOf(ctx, tx, a.ID)
			if err != nil {
				return err
			}
			*told, err = s.linkAll(ctx, tx, a.ID, ids, b.ID, by)
			return err
		})
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("merge user %d into user %d", from, into), err)
	}
	return told, nil
}

// linkAgain runs an operation that tells what it has changed, again where it may. Where a
// change was made and the answer was lost, the next run finds nothing to do: what the first
// one told holds.
func (s *Store) linkAgain(ctx context.Context, operation func(told *replica.Change) error) (replica.Change, error) {
	var told, lost replica.Change
	err := s.again(ctx, func() error {
		told = replica.Change{}
		err := operation(&told)
		switch {
		case s.isLost(err) && !told.Empty():
			lost = told
		case err == nil && told.Empty() && !lost.Empty():
			told = lost
		}
		return err
	})
	return told, err
}

// Unlink makes an identity a person of its own again. Rows that an application moved at
// the merge stay where they are, unless OnChange moves them back. An empty change means
// that the identity was not linked.
func (s *Store) Unlink(ctx context.Context, id int64) (replica.Change, error) {
	told, err := s.linkAgain(ctx, func(told *replica.Change) error {
		return s.linking(ctx, []int64{id}, func(tx *sql.Tx, _ []row) error {
			p, err := s.link(ctx, tx, id, 0, "")
			if err != nil {
				return err
			}
			*told = p.seen()
			return s.linked(ctx, tx, p)
		})
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("unlink user %d", id), err)
	}
	return told, nil
}

// Identities implements [replica.IdentityLister].
func (s *Store) Identities(ctx context.Context, person int64) ([]replica.User, error) {
	users, err := s.readMany(ctx, s.engine.sql("SELECT id FROM codegrant_users WHERE id = ").bind(person).sql(" OR linked_to = ").bind(person))
	if err != nil {
		return nil, s.fail(ctx, "list identities", err)
	}
	slices.SortStableFunc(users, func(a, b replica.User) int { return int(min(a.LinkedTo, 1) - min(b.LinkedTo, 1)) })
	return users, nil
}

// linking runs f in a transaction that holds the people whom the identities are of, as
// they are while it lasts: one that was merged meanwhile has it begin again.
func (s *Store) linking(ctx context.Context, identities []int64, f func(tx *sql.Tx, people []row) error) error {
	people, err := s.peopleOf(ctx, s.db, identities)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, s.engine.change)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	held := slices.Concat(people, identities)
	slices.Sort(held)
	held = slices.Compact(held)
	if err := in(s.engine.sql(s.engine.lock), "id", kindID, held).hold(ctx, tx); err != nil {
		return err
	}
	now, err := s.peopleOf(ctx, tx, identities)
	if err != nil {
		return err
	}
	if !slices.Equal(now, people) {
		return errAgain
	}
	rows := make([]row, len(people))
	for i, id := range people {
		found, err := s.readRows(ctx, tx, s.byID(id))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return replica.ErrNotFound
		}
		rows[i] = found[0]
	}
	if err := f(tx, rows); err != nil {
		return err
	}
	return tx.Commit()
}

// peopleOf returns the people whom the identities are of.
func (s *Store) peopleOf(ctx context.Context, q querier, identities []int64) ([]int64, error) {
	people := make([]int64, len(identities))
	for i, id := range identities {
		err := s.engine.sql("SELECT COALESCE(linked_to, id) FROM codegrant_users WHERE id = ").bind(id).scan(ctx, q, &people[i])
		if errors.Is(err, sql.ErrNoRows) {
			return nil, replica.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
	}
	return people, nil
}

// identitiesOf returns those that are linked to a person.
func (s *Store) identitiesOf(ctx context.Context, q querier, person int64) (ids []int64, err error) {
	list := s.engine.sql("SELECT id FROM codegrant_users WHERE linked_to = ").bind(person).sql(" ORDER BY id")
	err = each(ctx, q, list, "an identity", func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// link writes whose identity a row is, 0 for its own, and returns what that changes.
func (s *Store) link(ctx context.Context, tx *sql.Tx, id, person int64, by string) (*plan, error) {
	found, err := s.readRows(ctx, tx, s.byID(id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, replica.ErrNotFound
	}
	stored := &found[0]
	p := &plan{before: stored, change: replica.DecideLink(stored.User, person, s.now())}
	if p.change.Empty() {
		return p, nil
	}
	var to, who any // NULL
	var at time.Time
	if person != 0 {
		to, who, at = person, by, storedTime(s.now())
	}
	err = s.engine.sql("UPDATE codegrant_users SET linked_to = ").bind(to).sql(", linked_by = ").bind(who).sql(", linked_at = ").bind(at).
		sql(", updated_at = ").bind(p.change.User.Updated).sql(" WHERE id = ").bind(id).exec(ctx, tx)
	if err != nil {
		return nil, err
	}
	if d, ok := s.tables.(djangoTables); ok {
		if err := d.turnLinked(ctx, tx, stored, person); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// personNamed returns the person whom a first sign-in says that the user is, 0 where
// nobody is said or stored.
func (s *Store) personNamed(ctx context.Context, q querier, of *replica.Of) (person int64, err error) {
	if of == nil {
		return 0, nil
	}
	err = s.engine.sql("SELECT COALESCE(linked_to, id) FROM codegrant_users WHERE issuer = ").bind(of.Issuer).
		sql(" AND subject = ").bind(of.Subject).scan(ctx, q, &person)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return person, err
}

// holdPerson holds the rows of a person and of the user who is to be theirs, before the
// transaction reads anything: MySQL shows what was there at the first read.
func (s *Store) holdPerson(ctx context.Context, tx *sql.Tx, p *plan, person int64) error {
	if person == 0 {
		return nil
	}
	held := []int64{person}
	if p.before != nil && p.before.ID != person {
		held = append(held, p.before.ID)
		slices.Sort(held)
	}
	if err := in(s.engine.sql(s.engine.lock), "id", kindID, held).hold(ctx, tx); err != nil {
		return err
	}
	if now, err := s.personNamed(ctx, tx, p.of); err != nil {
		return err
	} else if now != person {
		return errAgain // they were merged with somebody meanwhile
	}
	return nil
}

// linkFirst makes a user who signs in for the first time an identity of a person whose
// row is held. Somebody whom others are linked to stays.
func (s *Store) linkFirst(ctx context.Context, tx *sql.Tx, p *plan, person int64) error {
	id := p.change.User.ID
	if p.of == nil || person == 0 || person == id {
		return nil
	}
	others, err := s.identitiesOf(ctx, tx, id)
	if err != nil || len(others) > 0 {
		return err
	}
	all, err := s.identitiesOf(ctx, tx, person)
	if err != nil {
		return err
	}
	for _, other := range append(all, person) {
		found, err := s.readRows(ctx, tx, s.byID(other))
		if err != nil {
			return err
		}
		// Two of one pool are two people, or one of them says so of themselves, unless it is
		// about this pool that something is known.
		if p.of.Issuer != p.change.User.Issuer && len(found) > 0 && other != id && found[0].Issuer == p.change.User.Issuer && found[0].Deleted.IsZero() {
			return fmt.Errorf("%w: user %d has an identity of %s already, which is another one; merge them by hand if they are one person",
				replica.ErrConflict, person, found[0].Issuer)
		}
	}
	linked, err := s.link(ctx, tx, id, person, p.of.By)
	if err != nil {
		return err
	}
	p.change.User.LinkedTo = linked.change.User.LinkedTo
	p.change.Fields = append(p.change.Fields, "linked_to")
	slices.Sort(p.change.Fields)
	if !p.change.Created { // the application may have rows of theirs
		p.change.Merged = &replica.Merged{From: id, Into: person}
	}
	return nil
}

// linked tells of a link that is written.
func (s *Store) linked(ctx context.Context, tx *sql.Tx, p *plan) error {
	if err := s.record(ctx, tx, p); err != nil {
		return err
	}
	return s.tell(ctx, tx, p)
}

// turnLinked has the account of an identity off while it is linked: a backend that knows
// nothing of links would let the person in as somebody else. It is as before afterwards.
func (d djangoTables) turnLinked(ctx context.Context, tx *sql.Tx, was *row, person int64) error {
	switch {
	case person != 0 && was.LinkedTo != 0: // to somebody else: it is off
		return nil
	case person != 0:
		return errors.Join(
			d.engine.sql("UPDATE codegrant_users SET was_active = ").bind(!was.inactive).sql(" WHERE id = ").bind(was.ID).exec(ctx, tx),
			d.engine.sql("UPDATE auth_user SET is_active = ").bind(false).sql(" WHERE id = ").bind(was.ID).exec(ctx, tx),
		)
	}
	var active sql.NullBool
	if err := d.engine.sql("SELECT was_active FROM codegrant_users WHERE id = ").bind(was.ID).scan(ctx, tx, &active); err != nil {
		return err
	}
	own := row{inactive: !active.Bool, deactivated: was.deactivated}.turned(was.Enabled)
	return errors.Join(
		d.engine.sql("UPDATE codegrant_users SET was_active = NULL, deactivated = ").bind(own.deactivated).sql(" WHERE id = ").bind(was.ID).exec(ctx, tx),
		d.engine.sql("UPDATE auth_user SET is_active = ").bind(!own.inactive).sql(" WHERE id = ").bind(was.ID).exec(ctx, tx),
	)
}
