package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

const deliveryColumns = "d.id, d.endpoint, d.person, d.message, d.type, d.issuer, d.subject, d.created, d.attempts, d.failure, d.died"

func (d *Delivery) scan(rows *sql.Rows, more ...any) error {
	var created, died int64
	err := rows.Scan(append([]any{&d.ID, &d.Endpoint, &d.person, &d.Message, &d.Type, &d.Issuer, &d.Subject, &created, &d.Attempts, &d.Failure, &died}, more...)...)
	d.Created = time.UnixMilli(created).UTC()
	if died != 0 {
		d.Died = time.UnixMilli(died).UTC()
	}
	return err
}

func (q *Queue) list(ctx context.Context, statement string, args ...any) (all []Delivery, err error) {
	rows, err := q.db.QueryContext(ctx, sqldialect.Number(q.dialect, statement), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivery
		if err := d.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// A look reads some messages that are due, and more if none of them is the first of its person.
// A person with many messages must not hide those of others, and must not be read again and again.
const (
	minLook   = 64
	maxLook   = 4096
	maxBehind = 500 // people who are left out of the next look
)

const (
	// ordered messages come one after the other for each person; refusals have no order.
	// SUBSTR keeps engines from reading the index of people for it.
	isOrdered = "SUBSTR(d.person, 1, 1) NOT IN ('" + refusalsOfPeople + "', '" + refusalsOfStrangers + "')"
	isRefusal = "d.person < '0'"
	isDue     = "d.endpoint = ? AND d.died = 0 AND d.due <= ? AND d.held_until <= ?"
	isBehind  = "EXISTS (SELECT 1 FROM codegrant_webhooks e WHERE e.endpoint = d.endpoint AND e.died = 0 AND e.person = d.person AND e.id < d.id)"
)

// next takes hold of a message that is due and the first of its person, until a time. It returns
// nil if there is none.
func (q *Queue) next(ctx context.Context, endpoint, claim string, now, until time.Time) (*Delivery, error) {
	var behind []string
	for window := minLook; ; window = min(4*window, maxLook) {
		found, first, err := q.due(ctx, endpoint, now, window, behind)
		if err != nil {
			return nil, fmt.Errorf("look for webhooks that are due: %w", err)
		}
		for i := range found {
			d := &found[i]
			if first[i] {
				if held, err := q.hold(ctx, d, claim, now, until); err != nil || held {
					return d, err
				}
			}
			if !slices.Contains(behind, d.person) {
				behind = append(behind, d.person)
			}
		}
		if len(found) < window {
			return nil, nil
		}
		if len(behind) > maxBehind {
			return q.search(ctx, endpoint, claim, now, until)
		}
	}
}

// due lists messages that are due, but for those of some people, and whether each is the first of
// its person.
func (q *Queue) due(ctx context.Context, endpoint string, now time.Time, n int, but []string) (all []Delivery, first []bool, err error) {
	args := []any{endpoint, now.UnixMilli(), now.UnixMilli()}
	others := ""
	if len(but) > 0 {
		others = " AND d.person NOT IN (?" + strings.Repeat(", ?", len(but)-1) + ")"
		for _, person := range but {
			args = append(args, person)
		}
	}
	rows, err := q.db.QueryContext(ctx, sqldialect.Number(q.dialect, "SELECT "+deliveryColumns+", CASE WHEN "+isBehind+" THEN 0 ELSE 1 END FROM (SELECT "+deliveryColumns+", d.due FROM codegrant_webhooks d WHERE "+
		isDue+" AND "+isOrdered+others+" ORDER BY d.due, d.id LIMIT "+strconv.Itoa(n)+") d ORDER BY d.due, d.id"), args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d Delivery
		var is int
		if err := d.scan(rows, &is); err != nil {
			return nil, nil, err
		}
		all, first = append(all, d), append(first, is == 1)
	}
	return all, first, rows.Err()
}

// candidates is how many a process looks at for one that no other process takes meanwhile.
const candidates = 8

// search looks at every message that is due: very many people wait behind a first message.
func (q *Queue) search(ctx context.Context, endpoint, claim string, now, until time.Time) (*Delivery, error) {
	return q.oneOf(ctx, "WHERE "+isDue+" AND "+isOrdered+" AND NOT "+isBehind+" ORDER BY d.due, d.id", endpoint, claim, now, until)
}

// nextRefusal is next for refusals. They wait for nothing before them, and nothing waits for them.
func (q *Queue) nextRefusal(ctx context.Context, endpoint, claim string, now, until time.Time) (*Delivery, error) {
	return q.oneOf(ctx, "WHERE "+isDue+" AND "+isRefusal+" ORDER BY d.person, d.id", endpoint, claim, now, until)
}

func (q *Queue) oneOf(ctx context.Context, which, endpoint, claim string, now, until time.Time) (*Delivery, error) {
	found, err := q.list(ctx, "SELECT "+deliveryColumns+" FROM codegrant_webhooks d "+which+" LIMIT "+strconv.Itoa(candidates), endpoint, now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("look for webhooks that are due: %w", err)
	}
	for i := range found {
		if held, err := q.hold(ctx, &found[i], claim, now, until); err != nil || held {
			return &found[i], err
		}
	}
	return nil, nil
}

// hold takes hold of a message and reads its body, unless another process was first.
func (q *Queue) hold(ctx context.Context, d *Delivery, claim string, now, until time.Time) (bool, error) {
	n, err := q.exec(ctx, "UPDATE codegrant_webhooks SET held_until = ?, claim = ? WHERE id = ? AND died = 0 AND due <= ? AND held_until <= ?",
		until.UnixMilli(), claim, d.ID, now.UnixMilli(), now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("take a webhook: %w", err)
	}
	if n != 1 {
		return false, nil
	}
	err = q.db.QueryRowContext(ctx, sqldialect.Number(q.dialect, "SELECT body FROM codegrant_webhooks WHERE id = ? AND claim = ?"), d.ID, claim).Scan(&d.body)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // the person was erased
	}
	if err != nil {
		return false, fmt.Errorf("take a webhook: %w", err)
	}
	d.claim = claim
	return true, nil
}
