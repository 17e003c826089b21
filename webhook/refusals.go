package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Refusals are apart from all other messages, because strangers can cause any number of them: they
// have no order, each endpoint gets one at a time, and few of them wait or are kept. In the table
// the person of a refusal begins with one of these signs, which are before every digit.
const (
	refusalsOfPeople    = "+"
	refusalsOfStrangers = "-"
)

// MaxRefusals is how many refusals of people, and how many of strangers, wait for an endpoint at
// once. No more than this are kept of those that were given up. Processes that add some at the
// same moment can exceed it a little.
const MaxRefusals = 1000

// apart makes a message a refusal: it has a place by its time, and no other message has the same.
func (d *Delivery) apart() {
	sign := refusalsOfStrangers
	if d.Subject != "" {
		sign = refusalsOfPeople
	}
	d.person = sign + fmt.Sprintf("%013d", d.Created.UnixMilli()) + d.Message
}

func (d *Delivery) isRefusal() bool { return d.person != "" && d.person < "0" }

// room is how many more refusals of a sign may wait for an endpoint.
func (q *Queue) room(ctx context.Context, tx *sql.Tx, endpoint, sign string) (int, error) {
	var n int
	err := tx.QueryRowContext(ctx, sqldialect.Number(q.dialect, "SELECT COUNT(*) FROM (SELECT 1 FROM codegrant_webhooks WHERE endpoint = ? AND died = 0 AND person >= ? AND person < ? LIMIT "+
		strconv.Itoa(MaxRefusals)+") waiting"), endpoint, sign, string(sign[0]+1)).Scan(&n)
	return MaxRefusals - n, err
}

// fitting leaves out refusals that find no room, and says how many.
func (q *Queue) fitting(ctx context.Context, tx *sql.Tx, all []Delivery) (fit []Delivery, dropped int, err error) {
	room := make(map[[2]string]int)
	for _, d := range all {
		if d.isRefusal() {
			of := [2]string{d.Endpoint, d.person[:1]}
			if _, asked := room[of]; !asked {
				if room[of], err = q.room(ctx, tx, of[0], of[1]); err != nil {
					return nil, 0, err
				}
			}
			if room[of] <= 0 {
				dropped++
				continue
			}
			room[of]--
		}
		fit = append(fit, d)
	}
	return fit, dropped, nil
}

// giveUp keeps a message apart.
func (q *Queue) giveUp(ctx context.Context, d *Delivery, now time.Time, failure string) error {
	_, err := q.exec(ctx, "UPDATE codegrant_webhooks SET held_until = 0, claim = '', attempts = ?, failure = ?, died = ? WHERE id = ? AND claim = ?",
		d.Attempts, failure, now.UnixMilli(), d.ID, d.claim)
	if err != nil || !d.isRefusal() {
		return err
	}
	var last int64
	err = q.db.QueryRowContext(ctx, sqldialect.Number(q.dialect, "SELECT d.id FROM codegrant_webhooks d WHERE d.endpoint = ? AND d.died > 0 AND "+isRefusal+" ORDER BY d.id DESC LIMIT 1 OFFSET "+strconv.Itoa(MaxRefusals)),
		d.Endpoint).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = q.exec(ctx, bare("DELETE FROM codegrant_webhooks WHERE d.endpoint = ? AND d.died > 0 AND d.id <= ? AND "+isRefusal), d.Endpoint, last)
	}
	return err
}
