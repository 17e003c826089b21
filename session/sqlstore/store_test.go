package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, 0).Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func TestStore(t *testing.T) {
	for _, e := range slices.Concat(testEngines, waysToTalk) {
		t.Run(e.name, func(t *testing.T) {
			sessiontest.Run(t, func(t *testing.T) sessiontest.Harness {
				c := new(clock)
				s, _ := e.store(t, Config{Now: c.now})
				return sessiontest.Harness{Store: s, Now: c.now, Advance: c.advance}
			})
		})
	}
}

// methods are the calls of the contract, each with arguments that fit any store.
var methods = map[string]func(context.Context, *Store) error{
	"Create": func(ctx context.Context, s *Store) error { return s.Create(ctx, session.Record{ID: "m"}) },
	"Get":    func(ctx context.Context, s *Store) error { _, err := s.Get(ctx, "a"); return err },
	"CompareAndSwap": func(ctx context.Context, s *Store) error {
		_, err := s.CompareAndSwap(ctx, session.Record{ID: "a", Version: 1})
		return err
	},
	"Delete":          func(ctx context.Context, s *Store) error { return s.Delete(ctx, "a") },
	"List":            func(ctx context.Context, s *Store) error { _, err := s.List(ctx, session.Query{}); return err },
	"DeleteBySubject": func(ctx context.Context, s *Store) error { _, err := s.DeleteBySubject(ctx, "p", "s"); return err },
	"MarkStale":       func(ctx context.Context, s *Store) error { _, err := s.MarkStale(ctx, "p", "s"); return err },
	"DeleteExpired":   func(ctx context.Context, s *Store) error { _, err := s.DeleteExpired(ctx, 1); return err },
}

func TestNotMigrated(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, err := New(openDB(t, e.driver, e.create(t)), Config{Dialect: e.dialect})
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range methods {
			err := call(t.Context(), s)
			if !errors.Is(err, ErrNotMigrated) || !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "Store.Migrate") {
				t.Errorf("%s = %v, want %v", name, err, ErrNotMigrated)
			}
		}
	})
}

func TestS151_AClosedDatabaseIsUnavailable(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, db := e.store(t, Config{})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for name, call := range methods {
			err := call(t.Context(), s)
			if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) || errors.Is(err, ErrNotMigrated) {
				t.Errorf("%s = %v, want %v alone", name, err, session.ErrUnavailable)
			}
		}
		if err := s.Migrate(t.Context()); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("Migrate = %v, want %v", err, session.ErrUnavailable)
		}
	})
}

// Everything at once, on the sessions of a few people: engines that lock by row
// and by index answer that with deadlocks.
func TestS152_DeadlocksAreNotTheCallers(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, _ := e.store(t, Config{})
		record := func(n int) session.Record {
			now := time.Now()
			return session.Record{ID: fmt.Sprint(n % 20), Pool: "p", Subject: fmt.Sprint(n % 4), Created: now, LastSeen: now, Expires: now.Add(time.Hour)}
		}
		calls := []func(n int) error{
			func(n int) error { return s.Create(t.Context(), record(n)) },
			func(n int) error {
				expired := record(n)
				expired.Expires = time.Now()
				return s.Create(t.Context(), expired)
			},
			func(n int) error {
				r, err := s.Get(t.Context(), fmt.Sprint(n%20))
				if err == nil {
					r.Expires = r.Expires.Add(time.Minute)
					_, err = s.CompareAndSwap(t.Context(), r)
				}
				return err
			},
			func(n int) error { _, err := s.MarkStale(t.Context(), "p", fmt.Sprint(n%4)); return err },
			func(n int) error { _, err := s.DeleteBySubject(t.Context(), "p", fmt.Sprint(n%4)); return err },
			func(n int) error { _, err := s.DeleteExpired(t.Context(), 10); return err },
			func(n int) error { return s.Delete(t.Context(), fmt.Sprint(n%20)) },
		}
		var wg sync.WaitGroup
		for i, call := range append(calls, calls...) {
			wg.Go(func() {
				for n := range 40 {
					if err := call(n + i); errors.Is(err, session.ErrUnavailable) {
						t.Errorf("call %d: %v", i%len(calls), err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestS113_WhatDoesNotFitIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, db := e.store(t, Config{})
		if e.dialect == MySQL {
			db.SetMaxOpenConns(1) // the mode is the connection's
			if _, err := db.ExecContext(t.Context(), "SET SESSION sql_mode = ''"); err != nil {
				t.Fatal(err)
			}
		}
		long := strings.Repeat("x", 513)
		for name, r := range map[string]session.Record{
			"ID": {ID: long}, "pool": {ID: "a", Pool: long}, "subject": {ID: "a", Subject: long}, "content": {ID: "a", Sealed: make([]byte, 1<<24)},
		} {
			r.Expires = time.Now().Add(time.Hour)
			if err := s.Create(t.Context(), r); !errors.Is(err, errTooLong) || !errors.Is(err, session.ErrUnavailable) {
				t.Errorf("Create with a long %s = %v, want %v", name, err, errTooLong)
			}
		}
		r := session.Record{ID: "a", Expires: time.Now().Add(time.Hour), Sealed: []byte("kept")}
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		r.Version, r.Sealed = 1, make([]byte, 1<<24)
		if _, err := s.CompareAndSwap(t.Context(), r); !errors.Is(err, errTooLong) {
			t.Errorf("CompareAndSwap with long content = %v, want %v", err, errTooLong)
		}
		if got, err := s.Get(t.Context(), "a"); err != nil || string(got.Sealed) != "kept" {
			t.Errorf("Get = %d bytes, %v", len(got.Sealed), err)
		}
	})
}

func TestConfiguration(t *testing.T) {
	_, err := New(nil, Config{})
	if err == nil || !strings.Contains(err.Error(), "database") || !strings.Contains(err.Error(), "Dialect") {
		t.Errorf("New() = %v, want both faults", err)
	}
	for dialect, shared := range map[Dialect]bool{SQLite: false, PostgreSQL: true, MySQL: true} {
		s, err := New(openDB(t, "sqlite", ":memory:"), Config{Dialect: dialect})
		if err != nil || s.Shared() != shared {
			t.Errorf("dialect %d: shared is not %v: %v", dialect, shared, err)
		}
	}
}

// TestCountLive: sessions that live are counted, up to a limit, and nothing else is.
func TestCountLive(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		c := new(clock)
		s, _ := e.store(t, Config{Now: c.now})
		for i := range 5 {
			record := session.Record{ID: fmt.Sprint("live", i), Pool: "p", Subject: "s", Created: c.now(), Expires: c.now().Add(time.Hour), Sealed: []byte("x")}
			switch i {
			case 3:
				record.Expires = c.now().Add(time.Minute)
			case 4:
				record.Pool = session.OncePool
			}
			if err := s.Create(t.Context(), record); err != nil {
				t.Fatal(err)
			}
		}
		c.advance(2 * time.Minute)
		for limit, want := range map[int]int{10: 3, 2: 2} {
			if n, err := s.CountLive(t.Context(), limit); err != nil || n != want {
				t.Errorf("up to %d there are %d, %v", limit, n, err)
			}
		}
	})
}
