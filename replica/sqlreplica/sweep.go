package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/codegrant/codegrant/replica"
)

// maxSwept is how many users one transaction of a sweep takes in.
const maxSwept = 200

// Sweep implements [replica.BatchStore].
func (s *Store) Sweep(ctx context.Context, issuer, pass string, o replica.SweepOptions) (replica.SweepResult, error) {
	var result replica.SweepResult
	if err := o.Validate(issuer, pass); err != nil {
		return result, err
	}
	operation := fmt.Sprintf("sweep after pass %q", pass)
	err := s.again(ctx, func() error {
		count := s.engine.sql("SELECT count(*), count(CASE WHEN ")
		return s.present(s.unseen(count, pass, o).sql(" THEN 1 END)"), issuer).scan(ctx, s.db, &result.Known, &result.Unseen)
	})
	if err != nil {
		return result, s.fail(ctx, operation, err)
	}
	if err := o.Allow(result.Known, result.Unseen); err != nil {
		return result, fmt.Errorf("%s: %w", operation, err)
	}

	var refused replica.BatchError
	for after := int64(0); ; {
		var users []user
		if err := s.again(ctx, func() (err error) {
			users, err = s.nextUnseen(ctx, issuer, pass, o, after)
			return err
		}); err != nil {
			return result, s.fail(ctx, operation, err)
		}
		if len(users) == 0 {
			break
		}
		after = users[len(users)-1].id
		err := s.sweepUsers(ctx, issuer, pass, o, users, &result)
		if refuses(err) && ctx.Err() == nil {
			for _, u := range users { // who is refused shows when they come one by one
				err = s.sweepUsers(ctx, issuer, pass, o, []user{u}, &result)
				if refuses(err) && ctx.Err() == nil {
					refused.Refused = append(refused.Refused, replica.Refusal{Index: -1, Subject: u.subject, Err: err})
				} else if err != nil {
					break
				}
			}
			if refuses(err) {
				err = nil
			}
		}
		if err != nil {
			return result, s.fail(ctx, operation, err)
		}
		if len(users) < maxSwept {
			break
		}
	}
	if refused.Refused != nil {
		return result, fmt.Errorf("%s: %w", operation, &refused)
	}
	return result, nil
}

// user is who a sweep is about.
type user struct {
	id      int64
	subject string
}

// unseen adds the condition that a pass has not seen a user, of whom nothing else
// was stated since it began.
func (s *Store) unseen(q *statement, pass string, o replica.SweepOptions) *statement {
	for i, table := range []string{"u", "c"} {
		if i > 0 {
			q.sql(" AND (c.user_id IS NULL OR ")
		}
		q.sql(table + ".pass <> ").bind(pass).sql(" AND " + table + ".as_of < ").bind(o.Began).
			sql(" AND (" + table + ".groups_as_of IS NULL OR " + table + ".groups_as_of < ").bind(o.Began).sql(")")
	}
	return q.sql(")")
}

// present adds the users of an issuer who are not deleted.
func (s *Store) present(q *statement, issuer string) *statement {
	return q.sql(" FROM " + usersAndConfirmations + "WHERE u.deleted_at IS NULL AND u.issuer = ").bind(issuer)
}

// nextUnseen returns the next users to sweep, by ID.
func (s *Store) nextUnseen(ctx context.Context, issuer, pass string, o replica.SweepOptions, after int64) ([]user, error) {
	q := s.present(s.engine.sql("SELECT u.id, u.subject"), issuer).sql(" AND u.id > ").bind(after).sql(" AND ")
	var users []user
	err := each(ctx, s.db, s.unseen(q, pass, o).sql(" ORDER BY u.id LIMIT ").bind(maxSwept), "a user", func(rows *sql.Rows) error {
		var u user
		err := rows.Scan(&u.id, &u.subject)
		users = append(users, u)
		return err
	})
	return users, err
}

// sweepUsers marks users as deleted, all or none, and adds them to the result.
func (s *Store) sweepUsers(ctx context.Context, issuer, pass string, o replica.SweepOptions, users []user, result *replica.SweepResult) error {
	ids := make([]int64, len(users))
	for i, u := range users {
		ids[i] = u.id
	}
	var gone []*plan
	lost := make(map[int64]*plan) // by ID
	err := s.again(ctx, func() (err error) {
		gone, err = s.sweepOnce(ctx, issuer, pass, o, ids, lost)
		if s.isLost(err) {
			for _, p := range gone {
				lost[p.before.ID] = p
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range gone {
		result.Changes = append(result.Changes, p.seen())
	}
	return nil
}

// sweepOnce returns who is gone, with an error who was about to be, and who is because
// of an earlier attempt.
func (s *Store) sweepOnce(ctx context.Context, issuer, pass string, o replica.SweepOptions, ids []int64, lost map[int64]*plan) ([]*plan, error) {
	tx, err := s.db.BeginTx(ctx, s.engine.change)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	rows, err := s.hold(ctx, tx, issuer, ids)
	if err != nil {
		return nil, err
	}
	groups := groupsOf(rows)
	var gone, already []*plan
	for i := range rows {
		stored := &rows[i]
		if stored.pass == pass || stored.confirmedBy == pass {
			continue // seen since
		}
		p := &plan{before: stored, change: replica.DecideGone(s.policy, stored.User, o.Began, s.now())}
		if !p.change.Empty() {
			gone = append(gone, p)
		} else if made := p.or(lost[stored.ID]); made != p {
			already = append(already, made)
		}
	}
	if len(gone) == 0 {
		return already, nil
	}
	return append(already, gone...), s.finish(ctx, tx, gone, groups)
}
