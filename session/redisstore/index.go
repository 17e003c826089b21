package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/session"
)

// The index of a person is a sorted set of session IDs, by the time until which each
// is named there. In a cluster it is on another node than most of the sessions, so
// that nothing changes both at once. What holds instead:
//
//   - A live session is in the index. It is named there before it is made, and before
//     it may live longer; and for longer than it lives, so that few swaps need to.
//   - A name in the index need not have a session. Those are passed over when
//     somebody looks, and go when their time comes, as does the index as a whole.
//   - A name is taken out only by who deleted its session, and only if nobody has
//     written it since: another session of that ID may be in the making.
//
// Code that acts on a name first reads the session to see whose it is. The index decides nothing.

// slack is the least that a session is named for longer than it lives. It is also
// how far the clocks of processes may be apart.
const slack = 10 * time.Minute

// batch is how many sessions are asked for at once.
const batch = 100

// personKey is where the index of a person is. It has 128 bits of a hash, for names
// are long and a confusion would do no harm.
func (s *Store) personKey(pool, subject string) string {
	sum := sha256.Sum256(appendPerson(nil, pool, subject))
	return s.persons + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// index names a session in the index of whose it is, and returns until when.
func (s *Store) index(ctx context.Context, r session.Record, now time.Time) (int64, error) {
	lives := life(r, now)
	until := now.UnixMilli() + 1 + lives + max(slack.Milliseconds(), lives/2)
	answer, err := s.eval(ctx, again, scriptIndex, s.personKey(r.Pool, r.Subject), decimal(now.UnixMilli()), decimal(until), r.ID)
	if err != nil {
		return 0, err
	}
	return answer.AsInt64()
}

// unindex takes sessions that were deleted out of the index.
func (s *Store) unindex(ctx context.Context, pool, subject string, deleted []head) error {
	if len(deleted) == 0 {
		return nil
	}
	args := make([]string, 0, 2*len(deleted))
	for _, h := range deleted {
		args = append(args, h.record.ID, decimal(h.indexed))
	}
	answer, err := s.eval(ctx, again, scriptUnindex, s.personKey(pool, subject), args...)
	if err != nil {
		return err
	}
	return answer.Error()
}

// named returns the IDs in the index of a person, in no useful order.
func (s *Store) named(ctx context.Context, pool, subject string) ([]string, error) {
	answers, err := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Zrange().Key(s.personKey(pool, subject)).Min("0").Max("-1").Build()}
	})
	if err != nil {
		return nil, err
	}
	return answers[0].AsStrSlice()
}

// DeleteBySubject implements [session.Store].
func (s *Store) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	return s.each(ctx, "delete sessions", scriptDeleteOf, pool, subject)
}

// MarkStale implements [session.Store].
func (s *Store) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	return s.each(ctx, "mark sessions", scriptMark, pool, subject)
}

// each runs a script on every session that is named for a person, and says how many
// it was about. Each of them is seen to, also if there is one that cannot be.
func (s *Store) each(ctx context.Context, operation, script, pool, subject string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.fail(ctx, operation, err)
	}
	if len(pool) > maxPool || len(subject) > maxSubject {
		return 0, nil
	}
	ids, err := s.named(ctx, pool, subject)
	if err != nil {
		return 0, s.fail(ctx, operation, err)
	}
	n, faults := 0, error(nil)
	for ids := range slices.Chunk(ids, batch) {
		changed, deleted, err := s.eachOf(ctx, script, ids, pool, subject)
		n += changed
		if err != nil {
			faults = errors.Join(faults, err)
			if !errors.Is(err, ErrFormat) {
				break // Redis does not answer, and the next batch would wait as long
			}
		}
		// They are gone, whether or not this works.
		_ = s.unindex(ctx, pool, subject, deleted)
	}
	if faults != nil {
		return n, s.fail(ctx, operation, faults)
	}
	return n, nil
}

func (s *Store) eachOf(ctx context.Context, script string, ids []string, pool, subject string) (n int, deleted []head, faults error) {
	defer s.cache.write(ids...)()
	args := []string{decimal(micros(s.now())), rueidis.BinaryString(appendPerson(nil, pool, subject))}
	answers, err := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		commands := make([]rueidis.Completed, len(ids))
		for i, id := range ids {
			commands[i] = evaluation(b, again, script, s.sessions+id, args)
		}
		return commands
	})
	if err != nil {
		return 0, nil, err
	}
	for i, answer := range answers {
		code, value, err := codeAndBytes(answer)
		switch {
		case err != nil:
			faults = errors.Join(faults, err)
			continue
		case code == codeFormat:
			faults = errors.Join(faults, ErrFormat)
			continue
		}
		n += int(code)
		if h, err := decodeHead(ids[i], value); err == nil {
			deleted = append(deleted, h)
		}
	}
	return n, deleted, faults
}
