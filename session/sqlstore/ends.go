package sqlstore

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/session"
)

var _ session.Ends = (*Store)(nil)

const (
	endColumns = "id, pool, subject, earlier, void, until"
	// endsAtATime is how many ends one statement puts on record.
	endsAtATime = 100
	// One call in so many removes ends that have had their time, more of them than
	// so many calls bring.
	endsSweptOneIn  = 16
	endsSweptAtMost = 200
	// endsKept is how long they stay after it: clocks differ.
	endsKept = 10 * time.Minute
)

// PutEnds implements [session.Ends].
func (s *Store) PutEnds(ctx context.Context, ends ...session.End) error {
	const operation = "put ends of sessions on record"
	swept := endsSweptAtMost + len(ends)
	for chunk := range slices.Chunk(ends, endsAtATime) {
		var args []any
		var rows []string
		for _, e := range chunk {
			// A value that does not fit has never belonged to a session.
			if len(e.ID) > maxName || len(e.Pool) > maxPool || len(e.Subject) > maxName {
				continue
			}
			var marks []string
			for _, value := range []any{e.ID, e.Pool, e.Subject, micros(e.Before), flag(e.Void), micros(e.Until)} {
				args = append(args, value)
				marks = append(marks, s.engine.placeholder(len(args)))
			}
			rows = append(rows, "("+strings.Join(marks, ", ")+")")
		}
		if len(rows) == 0 {
			continue
		}
		if _, err := s.count(ctx, operation, "INSERT INTO codegrant_session_ends ("+endColumns+") VALUES "+strings.Join(rows, ", "), args...); err != nil {
			return err
		}
	}
	if rand.N(endsSweptOneIn) == 0 {
		// Those that stay take room until another call comes by.
		_, _ = s.count(ctx, "remove ends of sessions", s.engine.removeEnds, micros(s.now().Add(-endsKept)), swept)
	}
	return nil
}

// EndsAfter implements [session.Ends].
func (s *Store) EndsAfter(ctx context.Context, after int64, limit int) ([]session.End, error) {
	const operation = "read ends of sessions"
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.engine.placeholder
	query := "SELECT number, " + endColumns + " FROM codegrant_session_ends WHERE number > " + p(1) + " ORDER BY number LIMIT " + p(2)
	var found []session.End
	err := s.again(ctx, true, func() error {
		found = nil
		rows, err := s.db.QueryContext(ctx, query, after, max(limit, 0))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e session.End
			var before, until int64
			var void int
			if err := rows.Scan(&e.Number, &e.ID, &e.Pool, &e.Subject, &before, &void, &until); err != nil {
				return err
			}
			e.Before, e.Void, e.Until = moment(before), void != 0, moment(until)
			found = append(found, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, s.fail(ctx, operation, err)
	}
	return found, nil
}
