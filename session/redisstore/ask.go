package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// repeat says what may happen to a script when the connection is lost, and nobody
// knows whether it ran.
type repeat bool

const (
	once  repeat = false
	again repeat = true
)

// A server that reads its data back refuses everything. One that has little is waited
// for, since somebody may stand in the middle of a sign-in; for the others there are
// answers at once.
const (
	startingTries = 2
	startingPause = 100 * time.Millisecond
)

// ask runs one round trip within the time it may take. Answers are there if there is
// no error; each of them may be one of Redis's.
func (s *Store) ask(ctx context.Context, commands func(b rueidis.Builder) []rueidis.Completed) ([]rueidis.RedisResult, error) {
	if s.onAsk != nil {
		s.onAsk(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	for tries := 0; ; tries++ {
		answers, err := s.try(ctx, commands)
		switch {
		case err == nil && slices.ContainsFunc(answers, readOnly):
			s.dialer.drop()
			if tries == 0 { // nothing was written
				continue
			}
			return answers, nil
		case err == nil && tries < startingTries && slices.ContainsFunc(answers, starting): // nothing was done
			if pause(ctx, startingPause) != nil {
				return answers, nil
			}
			continue
		case err == nil:
			return answers, nil
		case context.Cause(ctx) == errTimeout:
			return nil, errTimeout
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		// A caller that waits while another one makes the connection gets the error of
		// the other one's context. Nothing was sent by then.
		if foreign := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); !foreign || tries == 3 {
			return nil, err
		}
	}
}

// readOnly reports whether the server is a replica, which a primary becomes in a
// fail-over. Older servers say so somewhere in what they say of a script.
func readOnly(answer rueidis.RedisResult) bool {
	said, ok := rueidis.IsRedisErr(answer.Error())
	return ok && strings.Contains(said.Error(), "READONLY ")
}

// starting reports whether the server does not have its data yet.
func starting(answer rueidis.RedisResult) bool {
	said, ok := rueidis.IsRedisErr(answer.Error())
	return ok && said.IsLoading()
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) try(ctx context.Context, commands func(b rueidis.Builder) []rueidis.Completed) ([]rueidis.RedisResult, error) {
	client, err := s.dialer.client(ctx)
	if err != nil {
		return nil, err
	}
	list := commands(client.B())
	for i := range list {
		// Not to be used again for another command: one that is answered because
		// its connection broke may still be read by who was to write it there.
		list[i] = list[i].Pin()
	}
	answers := client.DoMulti(ctx, list...)
	for _, answer := range answers {
		if err := answer.NonRedisError(); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// eval runs a script on the key that it is about.
func (s *Store) eval(ctx context.Context, r repeat, script, key string, args ...string) (rueidis.RedisResult, error) {
	answers, err := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{evaluation(b, r, script, key, args)}
	})
	if err != nil {
		return rueidis.RedisResult{}, err
	}
	return answers[0], nil
}

func evaluation(b rueidis.Builder, r repeat, script, key string, args []string) rueidis.Completed {
	command := b.Eval().Script(script).Numkeys(1).Key(key).Arg(args...).Build()
	if r == again {
		return command.ToRetryable()
	}
	return command
}

// Codes that scripts answer with, beside 1 and 0.
const (
	codeConflict = -1
	codeFormat   = -2
)

// codeAndBytes reads the answer {code} or {code, bytes}.
func codeAndBytes(answer rueidis.RedisResult) (code int64, b []byte, err error) {
	parts, err := answer.ToArray()
	if err != nil {
		return 0, nil, err
	}
	if len(parts) == 0 {
		return 0, nil, errors.New("an answer without anything in it")
	}
	if code, err = parts[0].AsInt64(); err == nil && len(parts) > 1 {
		b, err = parts[1].AsBytes()
	}
	return code, b, err
}
