package webhook

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// DeadQuery selects messages that were given up. The zero value selects all.
type DeadQuery struct {
	Endpoint string // empty: any
	IDs      []int64
	After    int64 // rows with larger ids, for the next page
	Limit    int   // of [Queue.Dead]; 0 is 100
}

// where is the condition, and what it compares with.
func (q DeadQuery) where() (string, []any) {
	condition, args := " WHERE d.died > 0 AND d.id > ?", []any{q.After}
	if q.Endpoint != "" {
		condition, args = condition+" AND d.endpoint = ?", append(args, q.Endpoint)
	}
	if len(q.IDs) > 0 {
		condition += " AND d.id IN (0"
		for _, id := range q.IDs {
			condition, args = condition+", ?", append(args, id)
		}
		condition += ")"
	}
	return condition, args
}

// bare is a condition for a statement that gives the table no other name.
func bare(condition string) string { return strings.ReplaceAll(condition, "d.", "") }

// Dead lists messages that were given up, the oldest first.
func (q *Queue) Dead(ctx context.Context, query DeadQuery) ([]Delivery, error) {
	condition, args := query.where()
	limit := query.Limit
	if limit <= 0 {
		limit = 100
	}
	all, err := q.list(ctx, "SELECT "+deliveryColumns+" FROM codegrant_webhooks d"+condition+" ORDER BY d.id LIMIT "+strconv.Itoa(limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list webhooks that were given up: %w", err)
	}
	return all, nil
}

// CountDead counts messages that were given up, however many a page of them has.
func (q *Queue) CountDead(ctx context.Context, query DeadQuery) (n int64, err error) {
	condition, args := query.where()
	err = q.db.QueryRowContext(ctx, sqldialect.Number(q.dialect, "SELECT COUNT(*) FROM codegrant_webhooks d"+condition), args...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count webhooks that were given up: %w", err)
	}
	return n, nil
}

// Resend queues messages again that were given up, with as many tries as new ones, and
// returns how many. They arrive after newer messages about the same person that were sent
// meanwhile.
func (q *Queue) Resend(ctx context.Context, query DeadQuery, now time.Time) (int64, error) {
	condition, args := query.where()
	n, err := q.exec(ctx, "UPDATE codegrant_webhooks SET died = 0, attempts = 0, due = ?"+bare(condition), append([]any{now.UnixMilli()}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("resend webhooks: %w", err)
	}
	return n, nil
}

// Discard removes messages that were given up, and returns how many.
func (q *Queue) Discard(ctx context.Context, query DeadQuery) (int64, error) {
	condition, args := query.where()
	n, err := q.exec(ctx, "DELETE FROM codegrant_webhooks"+bare(condition), args...)
	if err != nil {
		return 0, fmt.Errorf("discard webhooks: %w", err)
	}
	return n, nil
}

// Size counts the messages of an endpoint.
type Size struct {
	Endpoint      string
	Waiting, Dead int64
	Oldest        time.Time // when the oldest that waits came; zero: there is none
}

// Sizes counts the rows of each endpoint. Do not call it more than about once a minute. It
// leaves out endpoints without rows.
func (q *Queue) Sizes(ctx context.Context) (all []Size, err error) {
	rows, err := q.db.QueryContext(ctx, "SELECT endpoint, SUM(CASE WHEN died = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN died = 0 THEN 0 ELSE 1 END), "+
		"COALESCE(MIN(CASE WHEN died = 0 THEN created END), 0) FROM codegrant_webhooks GROUP BY endpoint ORDER BY endpoint")
	if err != nil {
		return nil, fmt.Errorf("count webhooks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Size
		var oldest int64
		if err := rows.Scan(&s.Endpoint, &s.Waiting, &s.Dead, &oldest); err != nil {
			return nil, fmt.Errorf("count webhooks: %w", err)
		}
		if oldest != 0 {
			s.Oldest = time.UnixMilli(oldest).UTC()
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
