package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// History has a store keep what the pool said of people until it said something else,
// in the table codegrant_history, in the transaction that makes the change. The row of
// codegrant_users is how somebody is now: who never changes costs nothing. A sign-in is
// no change, and neither is a link between identities.
//
// Every process that writes to the replica has to keep it. [Store.Migrate] of a store
// that keeps it begins, and of one that does not says that there is a gap: nobody learns
// how people were before a gap.
type History struct {
	// Keep is how far back it reaches, at least; [Store.TrimHistory] removes what is
	// older. 0: as far as Entries allows.
	Keep time.Duration

	// Entries is how many entries there are at most after a trim; the oldest go. 0: any
	// number.
	Entries int64
}

func (h *History) check() error {
	if h.Keep < 0 || h.Entries < 0 || h.Keep == 0 && h.Entries == 0 {
		return errors.New("set Keep or Entries: it has to end somewhere")
	}
	return nil
}

// ErrNoHistory means that nobody can tell how it was: the history does not reach that far
// back, or there is none.
var ErrNoHistory = errors.New("the history does not reach that far back")

var historyTable = []column{{"user_id", kindID}, {"until", kindTime}, {"record", kindJSON}}

// past is what goes into historyTable for a plan, nil where that is nothing.
func (s *Store) past(p *plan) ([]any, error) {
	if s.history == nil || p.before == nil || p.change.Created || p.change.Adopted || !slices.ContainsFunc(p.change.Fields, kept) {
		return nil, nil
	}
	was := p.before.User
	was.Groups = slices.DeleteFunc(slices.Clone(was.Groups), unstated)
	object, err := json.Marshal(replica.NewRecordedUser(was))
	if err != nil {
		return nil, err
	}
	return []any{was.ID, p.change.User.Updated, string(object)}, nil
}

// kept reports whether a difference in the field is kept.
func kept(field string) bool {
	return field != "first_sign_in" && field != "last_sign_in" && field != "linked_to"
}

// remember writes how the people of the plans were, within the transaction that changes
// them.
func (s *Store) remember(ctx context.Context, tx *sql.Tx, plans ...*plan) error {
	var rows [][]any
	content := 0
	flush := func() error {
		defer func() { rows, content = nil, 0 }()
		return s.engine.split(historyTable, rows, func(rows [][]any) error {
			return s.engine.sql("").insertInto("codegrant_history", historyTable, rows).exec(ctx, tx)
		})
	}
	for _, p := range plans {
		row, err := s.past(p)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		rows = append(rows, row)
		if content += len(row[len(row)-1].(string)); content > maxContent {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// startHistory begins the history where it is kept, and ends it where it is not.
func (s *Store) startHistory(ctx context.Context) error {
	return s.again(ctx, func() error {
		since, err := s.historyStart(ctx)
		switch {
		case err != nil:
			return err
		case s.history == nil && !since.IsZero():
			return s.engine.sql("DELETE FROM codegrant_history_start WHERE id = 1").exec(ctx, s.db)
		case s.history != nil && since.IsZero():
			return s.engine.sql("INSERT INTO codegrant_history_start (id, since) VALUES (").bind(1, storedTime(s.now())).sql(")").exec(ctx, s.db)
		}
		return nil
	})
}

// historyStart is since when every change is kept; zero: not every one is.
func (s *Store) historyStart(ctx context.Context) (since time.Time, err error) {
	err = s.engine.sql("SELECT "+s.engine.readTime("since")+" FROM codegrant_history_start WHERE id = 1").scan(ctx, s.db, timeColumn{&since})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return since, err
}

// AsOf returns how people were at a time, given their present rows. It leaves out people
// who were not in the replica then, and marks people who were deleted then. It returns
// [ErrNoHistory] if the history of one of them does not reach back so far.
//
// Enabled is the value of the pool alone. LinkedTo is the person of the identity then.
func (s *Store) AsOf(ctx context.Context, users []replica.User, at time.Time) ([]replica.User, error) {
	at = storedTime(at)
	past := make(map[int64]replica.User)
	var since time.Time
	err := s.again(ctx, func() (err error) {
		clear(past)
		for some := range slices.Chunk(users, replica.MaxPage) {
			ids := make([]int64, len(some))
			for i, u := range some {
				ids[i] = u.ID
			}
			// The first entry of a person that ended after that time held at it.
			first := in(s.engine.sql("SELECT min(id) AS id FROM codegrant_history WHERE "), "user_id", kindID, ids).
				sql(" AND until > ").bind(at).sql(" GROUP BY user_id")
			q := s.engine.sql("SELECT h.user_id, h.record FROM (" + first.text.String() + ") f JOIN codegrant_history h ON h.id = f.id")
			q.args = first.args
			err := each(ctx, s.db, q, "an entry of the history", func(rows *sql.Rows) error {
				var id int64
				var object []byte
				if err := rows.Scan(&id, &object); err != nil {
					return err
				}
				var recorded replica.RecordedUser
				if err := json.Unmarshal(object, &recorded); err != nil {
					return fmt.Errorf("of user %d: %w", id, err)
				}
				past[id] = recorded.User()
				return nil
			})
			if err != nil {
				return err
			}
		}
		// It only moves forward: what was removed meanwhile is noticed.
		since, err = s.historyStart(ctx)
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, "look at the history", err)
	}
	reaches := !since.IsZero() && !at.Before(since)
	var then []replica.User
	for _, u := range users {
		was, changed := past[u.ID]
		switch {
		case u.Created.After(at): // the row did not exist, whatever is kept of later
		case !u.Updated.After(at): // as they are
			then = append(then, u)
		case !reaches && since.IsZero():
			return nil, fmt.Errorf("look at the history: %w: none is kept without a gap", ErrNoHistory)
		case !reaches:
			return nil, fmt.Errorf("look at the history: %w: it begins at %s", ErrNoHistory, since.Format(time.RFC3339))
		case changed:
			then = append(then, was)
		default:
			then = append(then, u) // nothing but sign-ins and links since
		}
	}
	return then, nil
}

// TrimHistory removes entries that are older than the history keeps, some at a time, and
// returns how many. After an interruption, the next call continues.
func (s *Store) TrimHistory(ctx context.Context) (removed int, err error) {
	if s.history == nil {
		return 0, nil
	}
	var cut time.Time
	if s.history.Keep > 0 {
		cut = storedTime(s.now().Add(-s.history.Keep))
	}
	err = s.again(ctx, func() error {
		if s.history.Entries == 0 {
			return nil
		}
		var oldest time.Time
		err := s.engine.sql("SELECT "+s.engine.readTime("until")+" FROM codegrant_history ORDER BY id DESC LIMIT 1 OFFSET ").bind(s.history.Entries).
			scan(ctx, s.db, timeColumn{&oldest})
		cut = later(cut, oldest)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err == nil && !cut.IsZero() {
		// First nobody is told of then any more, and then it goes.
		err = s.again(ctx, func() error {
			return s.engine.sql("UPDATE codegrant_history_start SET since = ").bind(cut).sql(" WHERE id = 1 AND since < ").bind(cut).exec(ctx, s.db)
		})
		for n := 1; err == nil && n > 0; removed += n {
			err = s.again(ctx, func() (err error) {
				n, err = s.trim(ctx, "codegrant_history", cut)
				return err
			})
		}
		for n := 1; err == nil && n > 0; removed += n {
			err = s.again(ctx, func() (err error) {
				n, err = s.trim(ctx, "codegrant_group_history", cut)
				return err
			})
		}
	}
	if err != nil {
		return removed, s.fail(ctx, "trim the history", err)
	}
	return removed, nil
}

// trim removes some entries of a table, and returns how many.
func (s *Store) trim(ctx context.Context, table string, cut time.Time) (int, error) {
	var ids []int64
	list := s.engine.sql("SELECT id FROM " + table + " WHERE until <= ").bind(cut).sql(" ORDER BY until LIMIT ").bind(replica.MaxPage)
	err := each(ctx, s.db, list, "an entry of the history", func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return len(ids), in(s.engine.sql("DELETE FROM "+table+" WHERE "), "id", kindID, ids).exec(ctx, s.db)
}

// HistorySize is how much of the history there is.
type HistorySize struct {
	Since   time.Time // from when on every change is kept; zero: there is a gap, or none is
	Entries int64
}

// HistorySize counts row by row: ask once a minute, not once a request.
func (s *Store) HistorySize(ctx context.Context) (size HistorySize, err error) {
	err = s.again(ctx, func() (err error) {
		if size.Since, err = s.historyStart(ctx); err != nil {
			return err
		}
		return s.engine.sql("SELECT count(*) FROM codegrant_history").scan(ctx, s.db, &size.Entries)
	})
	if err != nil {
		return HistorySize{}, s.fail(ctx, "look at the history", err)
	}
	return size, nil
}
