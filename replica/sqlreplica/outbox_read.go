package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Entry is one change in the outbox.
type Entry struct {
	ID     int64     // of the row; see [Outbox] for what its order says
	At     time.Time // when the change was made
	Record replica.Record
}

// Outbox takes the oldest changes out of the outbox, up to n of them ([replica.PageSize]
// says what n may be), and hands them to f. When f returns nil they are gone. When it
// returns an error they stay, and the error is returned, wrapped; the next call takes
// the same ones. The number is of the changes that are gone; 0 says that there are
// none which nobody else is busy with.
//
// Any number of processes may call it at once. The changes of one person are handed
// out in the order in which they were made, and not before those that somebody else
// has of the same person are done with: PostgreSQL, MySQL and MariaDB give others
// to others, and SQLite lets everybody wait.
//
// Writes of f through tx are committed together with the removal: they happen once for each
// change. Other effects of f, such as a message that it sends, can happen again, because the
// process may end before the removal is committed, or the engine may ask to repeat the
// transaction. The isolation is READ COMMITTED. While the transaction lasts, changes of the
// people in it wait, and on SQLite all other writers wait.
func (s *Store) Outbox(ctx context.Context, n int, f func(ctx context.Context, tx *sql.Tx, entries []Entry) error) (int, error) {
	var taken int
	err := s.again(ctx, func() (err error) {
		taken, err = s.takeOnce(ctx, replica.PageSize(n), f)
		return err
	})
	if err != nil {
		return 0, s.fail(ctx, "take from the outbox", err)
	}
	return taken, nil
}

// waiting is an entry that is not read yet.
type waiting struct {
	id              int64
	issuer, subject string
}

// person is whose entry it is.
func (w waiting) person() [2]string { return [2]string{w.issuer, w.subject} }

// The entries among which a call looks for people with whom nobody is busy.
const (
	minWindow = 256
	maxWindow = 1 << 17
)

// takeOnce hands out entries of people with whom nobody is busy. Who holds the first
// entry of a person holds all of theirs: a row of theirs with a smaller id cannot
// appear, because whoever changes a person holds the person's row until the change
// is committed, and has the id from after that.
func (s *Store) takeOnce(ctx context.Context, n int, f func(context.Context, *sql.Tx, []Entry) error) (int, error) {
	tried := make(map[[2]string]bool)
	for window := max(minWindow, 4*n); ; window *= 8 {
		queue, err := s.oldest(ctx, window)
		if err != nil {
			return 0, err
		}
		full := len(queue) == window
		for len(queue) > 0 {
			// The first of a person in what one statement has seen is their first.
			var batch []waiting
			var rest []waiting
			mine := make(map[[2]string]bool)
			for i, w := range queue {
				if len(batch) == n {
					rest = append(rest, queue[i:]...)
					break
				}
				if tried[w.person()] {
					continue
				}
				mine[w.person()] = true
				batch = append(batch, w)
			}
			for person := range mine {
				tried[person] = true
			}
			queue = rest
			if len(batch) == 0 {
				break
			}
			if taken, err := s.take(ctx, batch, f); err != nil || taken > 0 {
				return taken, err
			}
		}
		if !full || window >= maxWindow {
			return 0, nil
		}
	}
}

// oldest returns the oldest entries, of one moment.
func (s *Store) oldest(ctx context.Context, n int) ([]waiting, error) {
	var queue []waiting
	q := s.engine.sql("SELECT id, issuer, subject FROM codegrant_outbox ORDER BY id LIMIT ").bind(n)
	err := each(ctx, s.db, q, "an entry of the outbox", func(rows *sql.Rows) error {
		var w waiting
		err := rows.Scan(&w.id, &w.issuer, &w.subject)
		queue = append(queue, w)
		return err
	})
	return queue, err
}

// take hands out those entries of a batch whose people nobody is busy with. The
// batch begins with the first entry of each.
func (s *Store) take(ctx context.Context, batch []waiting, f func(context.Context, *sql.Tx, []Entry) error) (int, error) {
	tx, err := s.db.BeginTx(ctx, s.engine.readCommitted)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of f it matters

	first := make(map[[2]string]int64)
	var heads []int64
	for _, w := range batch {
		if _, known := first[w.person()]; !known {
			first[w.person()] = w.id
			heads = append(heads, w.id)
		}
	}
	held := make(map[int64]bool)
	lock := in(s.engine.sql(s.engine.lockEntries), "id", kindID, heads).sql(s.engine.lockEntriesEnd)
	err = each(ctx, tx, lock, "an entry of the outbox", func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		held[id] = true
		return err
	})
	if err != nil || len(held) == 0 {
		return 0, err
	}

	var ids []int64
	for _, w := range batch {
		if held[first[w.person()]] {
			ids = append(ids, w.id)
		}
	}
	var entries []Entry
	q := s.engine.sql("SELECT id, " + s.engine.readTime("created_at") + ", record FROM codegrant_outbox WHERE ")
	err = each(ctx, tx, in(q, "id", kindID, ids).sql(" ORDER BY id"), "an entry of the outbox", func(rows *sql.Rows) error {
		var e Entry
		var object []byte
		if err := rows.Scan(&e.ID, timeColumn{&e.At}, &object); err != nil {
			return err
		}
		if err := json.Unmarshal(object, &e.Record); err != nil {
			return fmt.Errorf("row %d of codegrant_outbox: %w", e.ID, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := f(ctx, tx, entries); err != nil {
		return 0, &hookError{"the function that takes them", err}
	}
	for removed := range slices.Chunk(ids, s.engine.removedAtOnce()) {
		if err := in(s.engine.sql("DELETE FROM codegrant_outbox WHERE "), "id", kindID, removed).exec(ctx, tx); err != nil {
			return 0, err
		}
	}
	return len(entries), tx.Commit()
}

// removedAtOnce is how many entries one statement removes.
func (e *engine) removedAtOnce() int {
	if e.oneByOne {
		return 1
	}
	return replica.MaxPage
}
