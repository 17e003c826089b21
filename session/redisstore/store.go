package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/session"
)

// Store is a [session.Store] in Redis. It is safe for concurrent use, by any number
// of processes.
//
// Get may answer from a copy in this process. The server has it dropped when the
// session changes, which takes milliseconds; a lost connection drops every copy; and
// none is used for longer than Config.CacheFor.
type Store struct {
	dialer  *dialer
	cache   *cache // nil: none
	timeout time.Duration
	onAsk   func(context.Context) // nil: nobody
	now     func() time.Time

	sessions string // what keys of sessions begin with
	persons  string // what keys of the index begin with
	shelves  string // what keys of the cupboard begin with
}

var _ session.Store = (*Store)(nil)

// New returns a store. It does not connect: the first call does, and each one after
// it until one succeeds.
func New(config Config) (*Store, error) {
	c, err := config.resolve()
	if err != nil {
		return nil, err
	}
	s := &Store{
		dialer: &dialer{config: c}, timeout: c.Timeout, onAsk: c.OnAsk, now: c.Now,
		sessions: c.Prefix + "s:", persons: c.Prefix + "u:", shelves: c.Prefix + "c:",
	}
	if !c.DisableCache {
		s.cache = newCache(c.CacheFor, c.CacheBytes)
		s.dialer.onWord = s.hear
	}
	return s, nil
}

// Shared reports that several processes may keep their sessions here.
func (s *Store) Shared() bool { return true }

// Close ends the connections. Calls that follow return [session.ErrUnavailable].
func (s *Store) Close() error {
	s.dialer.close()
	if s.cache != nil {
		s.cache.changedAll()
	}
	return nil
}

// hear takes the server's word of what has changed, or nil where a connection was
// lost or everything was deleted.
func (s *Store) hear(words []rueidis.RedisMessage) {
	if words == nil {
		s.cache.changedAll()
		return
	}
	for i := range words {
		if key, err := words[i].ToString(); err == nil {
			if id, ok := strings.CutPrefix(key, s.sessions); ok {
				s.cache.changed(id)
			}
		}
	}
}

// Create implements [session.Store]. It is not repeated after a lost connection, for
// it might find its own record in the way.
func (s *Store) Create(ctx context.Context, r session.Record) error {
	const operation = "create session"
	if err := s.ready(ctx, operation, r); err != nil {
		return err
	}
	now, indexed, err := s.now(), int64(0), error(nil)
	r.Version = 1
	// The index comes first: a process that ends between the two leaves a name
	// without a session, which does no harm and goes by itself.
	if life(r, now) > 0 {
		if indexed, err = s.index(ctx, r, now); err != nil {
			return s.fail(ctx, operation, err)
		}
	}
	defer s.cache.write(r.ID)()
	answer, err := s.eval(ctx, once, scriptCreate, s.sessions+r.ID, decimal(micros(now)), decimal(life(r, now)),
		rueidis.BinaryString(encode(r, indexed)))
	if err != nil {
		return s.fail(ctx, operation, err)
	}
	switch created, err := answer.AsInt64(); {
	case err != nil:
		return s.fail(ctx, operation, err)
	case created == 0:
		return fmt.Errorf("%s: %w", operation, session.ErrExists)
	}
	return nil
}

// Get implements [session.Store].
func (s *Store) Get(ctx context.Context, id string) (session.Record, error) {
	const operation = "get session"
	if err := ctx.Err(); err != nil {
		return session.Record{}, s.fail(ctx, operation, err)
	}
	now := s.now()
	r, ok := s.cache.get(id, now)
	if !ok || !now.Before(r.Expires) { // whose end may just have been put off elsewhere
		var err error
		if r, err = s.read(ctx, id, now); err != nil {
			if errors.Is(err, rueidis.Nil) {
				return session.Record{}, fmt.Errorf("%s: %w", operation, session.ErrNotFound)
			}
			return session.Record{}, s.fail(ctx, operation, err)
		}
	}
	if !now.Before(r.Expires) {
		return session.Record{}, fmt.Errorf("%s: %w", operation, session.ErrNotFound)
	}
	return r, nil
}

// read asks Redis for a record, and keeps a copy. What is missing is [rueidis.Nil].
func (s *Store) read(ctx context.Context, id string, now time.Time) (session.Record, error) {
	if len(id) > maxID {
		return session.Record{}, rueidis.Nil
	}
	ticket := s.cache.read(id)
	var r session.Record
	answers, err := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Get().Key(s.sessions + id).Build()}
	})
	if err == nil {
		var value []byte
		if value, err = answers[0].AsBytes(); err == nil {
			r, err = decode(id, value)
		}
	}
	if err != nil {
		s.cache.done(id, ticket)
		return session.Record{}, err
	}
	s.cache.keep(ticket, r, now)
	return r, nil
}

// CompareAndSwap implements [session.Store]. It is not repeated after a lost
// connection, for it might then conflict with itself.
func (s *Store) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	const operation = "replace session"
	if err := s.ready(ctx, operation, r); err != nil {
		return session.Record{}, err
	}
	defer s.cache.write(r.ID)()
	now, next := s.now(), r
	next.Version++
	brought := rueidis.BinaryString(appendSwapped(nil, next))
	args := []string{
		decimal(micros(now)), rueidis.BinaryString(binary.BigEndian.AppendUint64(nil, uint64(r.Version))), brought,
		rueidis.BinaryString(r.Sealed), decimal(micros(r.Expires)), decimal(life(r, now)),
	}
	for {
		answer, err := s.eval(ctx, once, scriptSwap, s.sessions+r.ID, args...)
		if err != nil {
			return session.Record{}, s.fail(ctx, operation, err)
		}
		code, rest, err := codeAndBytes(answer)
		if err != nil {
			return session.Record{}, s.fail(ctx, operation, err)
		}
		switch code {
		case 0:
			return session.Record{}, fmt.Errorf("%s: %w", operation, session.ErrNotFound)
		case codeConflict:
			return session.Record{}, fmt.Errorf("%s: %w", operation, session.ErrConflict)
		case codeFormat:
			return session.Record{}, s.fail(ctx, operation, ErrFormat)
		}
		h, err := decodeHead(r.ID, append([]byte(brought), rest...))
		if err != nil {
			return session.Record{}, s.fail(ctx, operation, err)
		}
		next.Pool, next.Subject, next.Created = h.record.Pool, h.record.Subject, h.record.Created
		if code == 1 {
			return next, nil
		}
		if len(args) > 6 {
			return session.Record{}, s.fail(ctx, operation, errors.New("the session changed hands again and again"))
		}
		indexed, err := s.index(ctx, next, now)
		if err != nil {
			return session.Record{}, s.fail(ctx, operation, err)
		}
		args = append(args, decimal(indexed), rueidis.BinaryString(appendPerson(nil, next.Pool, next.Subject)))
	}
}

// Delete implements [session.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	const operation = "delete session"
	if err := ctx.Err(); err != nil {
		return s.fail(ctx, operation, err)
	}
	defer s.cache.write(id)()
	answer, err := s.eval(ctx, again, scriptDelete, s.sessions+id)
	if err != nil {
		return s.fail(ctx, operation, err)
	}
	value, err := answer.AsBytes()
	if err != nil {
		return s.fail(ctx, operation, err)
	}
	if h, err := decodeHead(id, value); err == nil {
		// The session is gone, whether or not this works; its name then goes by
		// itself.
		_ = s.unindex(ctx, h.record.Pool, h.record.Subject, []head{h})
	}
	return nil
}

// DeleteExpired implements [session.Store]: Redis deletes them by itself, so that
// there are none.
func (s *Store) DeleteExpired(ctx context.Context, _ int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.fail(ctx, "delete expired sessions", err)
	}
	return 0, nil
}

// ready checks what is to be written.
func (s *Store) ready(ctx context.Context, operation string, r session.Record) error {
	err := ctx.Err()
	if err == nil {
		err = fits(r)
	}
	if err != nil {
		return s.fail(ctx, operation, err)
	}
	return nil
}

// life is how long Redis is to keep a record, in milliseconds; 0 where it has
// expired. It is a duration, so that it does not matter what time Redis thinks it is.
func life(r session.Record, now time.Time) int64 {
	return max(0, (micros(r.Expires)-micros(now)+999)/1000)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
