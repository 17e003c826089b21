package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// broken are stores with one fault each, and a case of the suite that must see it.
var broken = map[string]struct {
	caughtBy string
	breaks   func(*faultyStore)
}{
	"folds case": {"bytes_are_bytes", func(s *faultyStore) { s.name = strings.ToLower }},
	"trims":      {"bytes_are_bytes", func(s *faultyStore) { s.name = strings.TrimSpace }},
	"joins pool and subject": {"boundaries", func(s *faultyStore) {
		s.person = func(pool, subject string) (string, string) { return "", pool + subject }
	}},
	"cuts what is long": {"longest_names", func(s *faultyStore) {
		s.person = func(pool, subject string) (string, string) { return pool[:min(len(pool), 255)], subject }
	}},
	"keeps seconds": {"instants", func(s *faultyStore) {
		s.write = func(r *session.Record) { r.LastSeen = r.LastSeen.Truncate(time.Second) }
	}},
	"drops the time zone": {"instants", func(s *faultyStore) {
		s.write = func(r *session.Record) {
			c := r.Created
			r.Created = time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), time.UTC)
		}
	}},
	"loses the lease": {"swap", func(s *faultyStore) {
		s.write = func(r *session.Record) { r.LeaseUntil = time.Time{} }
	}},
	"keeps 64 KB of content": {"large_content", func(s *faultyStore) {
		s.write = func(r *session.Record) { r.Sealed = r.Sealed[:min(len(r.Sealed), 1<<16-1)] }
	}},
	"overwrites": {"exists", func(s *faultyStore) {
		s.create = func(ctx context.Context, r session.Record) error {
			if err := s.Store.Create(ctx, r); !errors.Is(err, session.ErrExists) {
				return err
			}
			return errors.Join(s.Store.Delete(ctx, r.ID), s.Store.Create(ctx, r))
		}
	}},
	"recreates": {"swap_never_recreates", func(s *faultyStore) {
		s.swap = func(ctx context.Context, r session.Record) (session.Record, error) {
			got, err := s.Store.CompareAndSwap(ctx, r)
			if errors.Is(err, session.ErrNotFound) && r.Version > 0 {
				return r, s.Store.Create(ctx, r)
			}
			return got, err
		}
	}},
	"lets the last writer win": {"swap_conflict", func(s *faultyStore) {
		s.swap = func(ctx context.Context, r session.Record) (session.Record, error) {
			for {
				got, err := s.Store.CompareAndSwap(ctx, r)
				if !errors.Is(err, session.ErrConflict) {
					return got, err
				}
				current, err := s.Store.Get(ctx, r.ID)
				if err != nil {
					return session.Record{}, err
				}
				r.Version = current.Version
			}
		}
	}},
	"marks without a version": {"mark_stale", func(s *faultyStore) {
		s.mark = func(ctx context.Context, pool, subject string) (int, error) { return 1, nil }
	}},
	"ends one session of each person": {"delete_by_subject", func(s *faultyStore) {
		s.remove = func(ctx context.Context, pool, subject string) (int, error) {
			page, err := s.Store.List(ctx, session.Query{Pool: pool, Subject: subject, Limit: 1})
			if err != nil || len(page) == 0 {
				return 0, err
			}
			return 1, s.Store.Delete(ctx, page[0].ID)
		}
	}},
	"ends a page of sessions": {"many_sessions_of_one_person", func(s *faultyStore) {
		s.remove = func(ctx context.Context, pool, subject string) (int, error) {
			page, err := s.Store.List(ctx, session.Query{Pool: pool, Subject: subject})
			for _, r := range page {
				err = errors.Join(err, s.Store.Delete(ctx, r.ID))
			}
			return len(page), err
		}
	}},
	"takes an empty name for everybody": {"delete_by_subject", func(s *faultyStore) {
		s.remove = func(ctx context.Context, pool, subject string) (int, error) {
			page, err := s.Store.List(ctx, session.Query{Pool: pool, Subject: subject, Limit: 1000})
			for _, r := range page {
				err = errors.Join(err, s.Store.Delete(ctx, r.ID))
			}
			return len(page), err
		}
	}},
	"forgets the cursor":  {"list", func(s *faultyStore) { s.query = func(q *session.Query) { q.After = "" } }},
	"forgets the subject": {"list_of_a_person", func(s *faultyStore) { s.query = func(q *session.Query) { q.Subject = "" } }},
	"lists without end": {"list_without_a_limit", func(s *faultyStore) {
		s.query = func(q *session.Query) {
			if q.Limit <= 0 {
				q.Limit = 1000
			}
		}
	}},
	"answers from a copy": {"swap_after_a_conflict", func(s *faultyStore) {
		copies := make(map[string]session.Record)
		s.get = func(ctx context.Context, id string) (session.Record, error) {
			if r, ok := copies[id]; ok {
				return r, nil
			}
			r, err := s.Store.Get(ctx, id)
			if err == nil {
				copies[id] = r
			}
			return r, err
		}
	}},
	"takes a lost context for a missing session": {"cancelled", func(s *faultyStore) {
		s.get = func(ctx context.Context, id string) (session.Record, error) {
			r, err := s.Store.Get(ctx, id)
			if errors.Is(err, session.ErrUnavailable) {
				err = session.ErrNotFound
			}
			return r, err
		}
	}},
	"says two things at once": {"missing", func(s *faultyStore) {
		s.get = func(ctx context.Context, id string) (session.Record, error) {
			r, err := s.Store.Get(ctx, id)
			if err != nil {
				err = fmt.Errorf("%w: %w", session.ErrUnavailable, err)
			}
			return r, err
		}
	}},
}

// faultyStore is a store that keeps the contract, behind the fault.
type faultyStore struct {
	session.Store
	name   func(string) string
	person func(pool, subject string) (string, string)
	write  func(*session.Record)
	query  func(*session.Query)

	create func(context.Context, session.Record) error
	get    func(context.Context, string) (session.Record, error)
	swap   func(context.Context, session.Record) (session.Record, error)
	remove func(context.Context, string, string) (int, error)
	mark   func(context.Context, string, string) (int, error)
}

func (s *faultyStore) who(pool, subject string) (string, string) {
	if s.name != nil {
		subject = s.name(subject)
	}
	if s.person != nil {
		pool, subject = s.person(pool, subject)
	}
	return pool, subject
}

func (s *faultyStore) Create(ctx context.Context, r session.Record) error {
	r.Pool, r.Subject = s.who(r.Pool, r.Subject)
	if s.write != nil {
		s.write(&r)
	}
	if s.create != nil {
		return s.create(ctx, r)
	}
	return s.Store.Create(ctx, r)
}

func (s *faultyStore) Get(ctx context.Context, id string) (session.Record, error) {
	if s.get != nil {
		return s.get(ctx, id)
	}
	return s.Store.Get(ctx, id)
}

func (s *faultyStore) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	if s.write != nil {
		s.write(&r)
	}
	if s.swap != nil {
		return s.swap(ctx, r)
	}
	return s.Store.CompareAndSwap(ctx, r)
}

func (s *faultyStore) List(ctx context.Context, q session.Query) ([]session.Record, error) {
	if q.Subject != "" {
		q.Pool, q.Subject = s.who(q.Pool, q.Subject)
	}
	if s.query != nil {
		s.query(&q)
	}
	return s.Store.List(ctx, q)
}

func (s *faultyStore) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	pool, subject = s.who(pool, subject)
	if s.remove != nil {
		return s.remove(ctx, pool, subject)
	}
	return s.Store.DeleteBySubject(ctx, pool, subject)
}

func (s *faultyStore) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	pool, subject = s.who(pool, subject)
	if s.mark != nil {
		return s.mark(ctx, pool, subject)
	}
	return s.Store.MarkStale(ctx, pool, subject)
}

// TestBrokenStore is the process in which TestTheSuiteSeesFaults runs the suite on
// a store that is to fail it.
func TestBrokenStore(t *testing.T) {
	fault, ok := broken[os.Getenv("CODEGRANT_TEST_FAULT")]
	if !ok {
		return
	}
	sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
		var passed atomic.Int64
		now := func() time.Time { return time.Unix(1_800_000_000, 0).Add(time.Duration(passed.Load())) }
		s := &faultyStore{Store: session.NewMemoryStore(session.MemoryConfig{Now: now})}
		fault.breaks(s)
		return sessiontest.Harness{Store: s, Now: now, Advance: func(d time.Duration) { passed.Add(int64(d)) }}
	})
}

// TestTheSuiteSeesFaults: a suite that passes everything proves nothing.
func TestTheSuiteSeesFaults(t *testing.T) {
	for name, fault := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenStore$/^"+fault.caughtBy+"$")
			command.Env = append(os.Environ(), "CODEGRANT_TEST_FAULT="+name)
			output, err := command.CombinedOutput()
			var exit *exec.ExitError
			switch {
			case err == nil:
				t.Errorf("the case %s passes a store that %s", fault.caughtBy, name)
			case !errors.As(err, &exit) || !strings.Contains(string(output), "why this matters: "):
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
