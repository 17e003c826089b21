package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Apply implements [replica.Store]: one read for a user who is as stated, and
// otherwise a statement more, or a short transaction where that is not enough.
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

// GrantLocalGroup implements [replica.Store].
func (s *Store) GrantLocalGroup(ctx context.Context, userID int64, group string) (replica.Change, error) {
	return s.changeLocal(ctx, "grant local group", userID, group, func(stored *row, now time.Time) replica.Change {
		change := replica.DecideGrant(stored.User, group, now)
		if change.Empty() && stored.unclaimed[group] { // as before, but by our word from now on
			before := stored.User
			change.Before, change.Fields = &before, []string{"groups"}
			change.User.Updated = storedTime(now)
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
	change, err := s.change(ctx, s.byID(id), func(stored *row) (*plan, error) {
		if stored == nil {
			return nil, replica.ErrNotFound
		}
		return &plan{before: stored, change: decide(stored, s.now())}, nil
	})
	if err != nil {
		return replica.Change{}, s.fail(ctx, fmt.Sprintf("%s of user %d", operation, id), err)
	}
	return change, nil
}

// change reads the user whose ID is selected, and makes what decide says so.
func (s *Store) change(ctx context.Context, id *statement, decide decision) (replica.Change, error) {
	var made, lost *plan
	err := s.again(ctx, func() error {
		p, err := s.changeOnce(ctx, id, decide)
		if err == nil {
			made = p.or(lost)
		} else if s.isLost(err) {
			lost = p
		}
		return err
	})
	if err != nil {
		return replica.Change{}, err
	}
	return made.seen(), nil
}

// changeOnce returns what it has made, and with an error what it was about to, if it
// came so far.
func (s *Store) changeOnce(ctx context.Context, id *statement, decide decision) (*plan, error) {
	p, err := s.look(ctx, s.db, id, decide)
	if err != nil || p.nothing() {
		return p, err
	}
	if s.swaps() && p.of == nil {
		if done, err := s.swap(ctx, p); err != nil || done {
			return p, err
		}
	}

	person, err := s.personNamed(ctx, s.db, p.of)
	if err != nil {
		return nil, err
	}
	if p.of != nil && person == 0 && !p.of.Is(p.change.User) {
		// The replica of the other pool is late: this one would be a second person.
		if _, err := s.Apply(ctx, p.of.Snapshot()); err != nil {
			return nil, err
		}
		if person, err = s.personNamed(ctx, s.db, p.of); err != nil {
			return nil, err
		}
	}
	tx, err := s.db.BeginTx(ctx, s.engine.change)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	if err := s.holdPerson(ctx, tx, p, person); err != nil {
		return nil, err
	}
	if p.before == nil {
		if err := s.adopt(ctx, tx, p, decide); err != nil || p.refused {
			return p, err
		}
	} else {
		// Decide again, with the row held: what was read may be history.
		if err := s.engine.sql(s.engine.lock+"id = ").bind(p.before.ID).hold(ctx, tx); err != nil {
			return nil, err
		}
		if p, err = s.look(ctx, tx, s.byID(p.before.ID), decide); err != nil || p.nothing() {
			return p, err
		}
		if p.before == nil {
			return nil, errAgain // the user was deleted in between
		}
	}
	if err := s.write(ctx, tx, p); err != nil {
		return nil, err
	}
	if err := s.linkFirst(ctx, tx, p, person); err != nil {
		return nil, err
	}
	if err := s.record(ctx, tx, p); err != nil {
		return nil, err
	}
	if err := s.tell(ctx, tx, p); err != nil {
		return nil, err
	}
	return p, tx.Commit()
}

// adopt plans anew for a newcomer who has an account already.
func (s *Store) adopt(ctx context.Context, tx *sql.Tx, p *plan, decide decision) error {
	accounts, err := s.tables.adopt(ctx, tx, []replica.User{p.change.User})
	if err != nil || accounts[0] == nil {
		return err
	}
	adopted, err := decide(accounts[0])
	if err != nil {
		return err
	}
	*p = *adopted
	p.change.Adopted = !p.refused
	return nil
}

// tell has the application join the transaction of a change.
func (s *Store) tell(ctx context.Context, tx *sql.Tx, p *plan) error {
	if s.onChange == nil || p.change.Empty() {
		return nil
	}
	if err := s.onChange(ctx, tx, p.seen()); err != nil {
		return &hookError{"OnChange", err}
	}
	return nil
}

// look reads the user whose ID is selected, nil for nobody, and decides.
func (s *Store) look(ctx context.Context, q querier, id *statement, decide decision) (*plan, error) {
	rows, err := s.readRows(ctx, q, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return decide(nil)
	}
	return decide(&rows[0])
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
