package webhook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// onceTables have the events that are told once. An id is a hash of the event's, so it says
// nothing of whom the event is about.
var onceTables = map[Dialect]string{
	SQLite:     "CREATE TABLE IF NOT EXISTS codegrant_webhooks_once (id TEXT NOT NULL PRIMARY KEY, kept_until BIGINT NOT NULL)",
	PostgreSQL: `CREATE TABLE IF NOT EXISTS codegrant_webhooks_once (id text COLLATE "C" NOT NULL PRIMARY KEY, kept_until BIGINT NOT NULL)`,
	MySQL:      "CREATE TABLE IF NOT EXISTS codegrant_webhooks_once (id VARBINARY(64) NOT NULL PRIMARY KEY, kept_until BIGINT NOT NULL) ENGINE = InnoDB",
}

// PostOnce queues messages about events that nobody has posted once before, in one
// transaction, and says how many events these are. It knows an event by its ID, which is
// required, and remembers it for the given time, also when its messages were sent. Any
// number of processes can post the same events at once. After an error, none of them was posted.
func (q *Queue) PostOnce(ctx context.Context, endpoints []Endpoint, keep time.Duration, events ...Event) (posted int, err error) {
	defer func() {
		if err != nil {
			posted, err = 0, fmt.Errorf("post events once: %w; if a table is missing, run codegrant migrate", err)
		}
	}()
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	// In one order, so that two who post the same events do not wait for each other.
	sorted := slices.SortedFunc(slices.Values(events), func(a, b Event) int { return cmp.Compare(idOf(a.ID), idOf(b.ID)) })
	for _, event := range sorted {
		if event.ID == "" {
			return 0, fmt.Errorf("an event has no ID")
		}
		result, err := tx.ExecContext(ctx, sqldialect.Number(q.dialect, q.insertOnce), idOf(event.ID), event.At.Add(keep).UnixMilli())
		if err != nil {
			return 0, err
		}
		switch n, err := result.RowsAffected(); {
		case err != nil:
			return 0, err
		case n == 0:
			continue
		}
		if err := q.Tell(ctx, tx, endpoints, event); err != nil {
			return 0, err
		}
		posted++
	}
	return posted, tx.Commit()
}

// ForgetOnce removes what [Queue.PostOnce] need not remember any more.
func (q *Queue) ForgetOnce(ctx context.Context, now time.Time) error {
	if _, err := q.exec(ctx, "DELETE FROM codegrant_webhooks_once WHERE kept_until < ?", now.UnixMilli()); err != nil {
		return fmt.Errorf("forget events that were posted once: %w", err)
	}
	return nil
}
