package sqlreplica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Apply implements [replica.Store]: one read for a user who is as stated, and
// otherwise one short transaction.
func (s *Store) Apply(ctx context.Context, snapshot replica.Snapshot) (replica.Change, error) {
	if err := snapshot.Validate(); err != nil {
		return replica.Change{}, fmt.Errorf("apply snapshot: %w", err)
	}
	change, err := s.change(ctx, s.bySubject(snapshot.Issuer, snapshot.Subject), s.decide(snapshot))
	if err != nil {
		return replica.Change{}, s.fail(ctx, "apply snapshot", err)
	}
	return change, nil
}

func (s *Store) decide(snapshot replica.Snapshot) decision {
	return func(stored *row) (replica.Change, error) {
		if stored == nil {
			return replica.Decide(s.policy, nil, snapshot, s.now()), nil
		}
		if err := expect(stored.User, snapshot.Issuer, snapshot.Subject); err != nil {
			return replica.Change{}, err
		}
		change := replica.Decide(s.policy, &stored.User, snapshot, s.now())
		stored.claim(&change)
		return change, nil
	}
}

// GrantLocalGroup implements [replica.Store].
func (s *Store) GrantLocalGroup(ctx context.Context, userID int64, group string) (replica.Change, error) {
	return s.changeLocal(ctx, "grant local group", userID, group, func(stored *row, now time.Time) replica.Change {
		change := replica.DecideGrant(stored.User, group, now)
		if change.Empty() && stored.unclaimed[group] { // as before, but by our word from now on
			before := stored.User
			change.Before, change.Fields = &before, []string{"groups"}
			change.User.Updated = now.UTC().Truncate(time.Microsecond)
			stored.granted = group
		}
		return change
	})
}

// RevokeLocalGroup implements [replica.Store].
func (s *Store) RevokeLocalGroup(ctx context.Context, userID int64, group string) (replica.Change, error) {
	return s.changeLocal(ctx, "revoke local group", userID, group, func(stored *row, now time.Time) replica.Change {
		return replica.DecideRevoke(stored.User, group, now)
	})
}

func (s *Store) changeLocal(ctx context.Context, operation string, id int64, group string,
	decide func(*row, time.Time) replica.Change) (replica.Change, error) {
	if err := replica.CheckGroupName(group); err != nil {
		return replica.Change{}, fmt.Errorf("%s: %w", operation, err)
	}
	change, err := s.change(ctx, s.byID(id), func(stored *row) (replica.Change, error) {
		if stored == nil {
			return replica.Change{}, replica.ErrNotFound
		}
		return decide(stored, s.now()), nil
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("%s of user %d", operation, id), err)
	}
	return change, nil
}

// A decision says what is to become of a user, nil for nobody.
type decision func(stored *row) (replica.Change, error)

// change reads the user whose ID is selected, and makes what decide says so.
func (s *Store) change(ctx context.Context, id *statement, decide decision) (replica.Change, error) {
	var change replica.Change
	err := s.again(ctx, func() (err error) {
		change, err = s.changeOnce(ctx, id, decide)
		return err
	})
	return change, err
}

func (s *Store) changeOnce(ctx context.Context, id *statement, decide decision) (replica.Change, error) {
	stored, change, err := s.look(ctx, s.db, id, decide)
	if err != nil || change.Empty() {
		return stored.seen(change), err
	}

	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return replica.Change{}, err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	if change.Created {
		if stored, err = s.tables.adopt(ctx, tx, change.User); err != nil {
			return replica.Change{}, err
		}
		if stored != nil {
			if change, err = decide(stored); err != nil {
				return replica.Change{}, err
			}
			change.Adopted = true
		}
	} else {
		// Decide again, with the row held: what was read may be history.
		if err := s.engine.sql(s.engine.lock).bind(stored.ID).sql(s.engine.lockEnd).exec(ctx, tx); err != nil {
			return replica.Change{}, err
		}
		stored, change, err = s.look(ctx, tx, s.byID(stored.ID), decide)
		if err != nil || change.Empty() {
			return stored.seen(change), err
		}
		if change.Created {
			return replica.Change{}, errAgain // the user was deleted in between
		}
	}
	if err := s.write(ctx, tx, stored, &change); err != nil {
		return replica.Change{}, err
	}
	change = stored.seen(change)
	if s.onChange != nil {
		if err := s.onChange(ctx, tx, change); err != nil {
			return replica.Change{}, &hookError{err}
		}
	}
	if err := tx.Commit(); err != nil {
		return replica.Change{}, err
	}
	return change, nil
}

// look reads the user whose ID is selected, nil for nobody, and decides.
func (s *Store) look(ctx context.Context, q querier, id *statement, decide decision) (*row, replica.Change, error) {
	rows, err := s.readRows(ctx, q, id)
	if err != nil {
		return nil, replica.Change{}, err
	}
	if len(rows) == 0 {
		change, err := decide(nil)
		return nil, change, err
	}
	change, err := decide(&rows[0])
	return &rows[0], change, err
}

const (
	manyRepeats  = 11
	firstBackoff = 2 * time.Millisecond
	lastBackoff  = 200 * time.Millisecond
)

// again runs an operation, and repeats it while its error allows that, with
// growing pauses, half of each by chance.
func (s *Store) again(ctx context.Context, operation func() error) error {
	pause := firstBackoff
	for repeated := 0; ; repeated++ {
		err := operation()
		if err == nil || ctx.Err() != nil || repeated >= s.repeats(err) {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause = min(2*pause, lastBackoff)
	}
}
