package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// methods are the calls of the contract that need Redis.
var methods = map[string]func(context.Context, *Store) error{
	"Create": func(ctx context.Context, s *Store) error { return s.Create(ctx, record("m")) },
	"Get":    func(ctx context.Context, s *Store) error { _, err := s.Get(ctx, "a"); return err },
	"CompareAndSwap": func(ctx context.Context, s *Store) error {
		_, err := s.CompareAndSwap(ctx, session.Record{ID: "a", Version: 1})
		return err
	},
	"Delete": func(ctx context.Context, s *Store) error { return s.Delete(ctx, "a") },
	"List":   func(ctx context.Context, s *Store) error { _, err := s.List(ctx, session.Query{}); return err },
	"List of one": func(ctx context.Context, s *Store) error {
		_, err := s.List(ctx, session.Query{Pool: "p", Subject: "s"})
		return err
	},
	"DeleteBySubject": func(ctx context.Context, s *Store) error { _, err := s.DeleteBySubject(ctx, "p", "s"); return err },
	"MarkStale":       func(ctx context.Context, s *Store) error { _, err := s.MarkStale(ctx, "p", "s"); return err },
}

// wantUnavailable calls every method, and wants a fault of no other kind. None may wait for
// a server that never answers; how busy the machine is does not count.
func wantUnavailable(t *testing.T, s *Store, says string) {
	t.Helper()
	var wg sync.WaitGroup
	for name, call := range methods {
		wg.Go(func() {
			began := time.Now()
			err := call(t.Context(), s)
			if took := time.Since(began); took > patience/2 {
				t.Errorf("%s took %v", name, took)
			}
			if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrConflict) ||
				!strings.Contains(err.Error(), says) {
				t.Errorf("%s = %v, want %v with %q", name, err, session.ErrUnavailable, says)
			}
		})
	}
	wg.Wait()
}

func TestS151_NobodyListens(t *testing.T) {
	for name, config := range map[string]Config{
		"one server": {URL: fmt.Sprint("redis://127.0.0.1:", freePort(t))},
		"a cluster":  {URL: fmt.Sprint("redis://127.0.0.1:", freePort(t), ",127.0.0.1:", freePort(t))},
		"sentinels":  {URL: fmt.Sprint("redis://127.0.0.1:", freePort(t), ",127.0.0.1:", freePort(t)), MasterName: "m"},
		"a socket":   {URL: "unix://" + t.TempDir() + "/none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, config)
			wantUnavailable(t, s, "")
		})
	}
}

func TestS151_NobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // connections are made, and nothing is said
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, Config{URL: "redis://" + l.Addr().String(), Timeout: 300 * time.Millisecond})
	wantUnavailable(t, s, "")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s = open(t, Config{URL: "redis://" + l.Addr().String(), Timeout: time.Minute})
	began := time.Now()
	_, err = s.Get(ctx, "a")
	if took := time.Since(began); took > patience/2 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Get = %v, after %v", err, took)
	}
}

// A server that hangs is not waited for longer than Timeout, by many at once; the
// time of one is not up because that of another is.
func TestS151_AServerThatHangs(t *testing.T) {
	server := startRedis(t)
	for name, off := range map[string]bool{"with copies": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, server.address())
			s := open(t, Config{URL: p.url(), Timeout: 500 * time.Millisecond, DisableCache: off})
			create(t, open(t, Config{URL: server.url(), Prefix: s.dialer.config.Prefix}), record("there"))
			p.mute(true)
			for range 3 {
				wantUnavailable(t, s, "")
			}
			var wg sync.WaitGroup
			for range 500 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					if _, err := s.Get(ctx, "a"); !errors.Is(err, session.ErrUnavailable) {
						t.Errorf("Get = %v", err)
					}
				})
			}
			wg.Wait()
			p.mute(false)
			p.cut()
			if !until(patience, func() bool { _, err := s.Get(t.Context(), "there"); return err == nil }) {
				t.Error("it does not recover")
			}
		})
	}
}

// A caller whose time is up leaves the connection to the others, and with it the
// copies.
func TestS152_ADeadlineCostsNoConnection(t *testing.T) {
	for name, off := range map[string]bool{"with copies": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			raw, s := rawClient(t, server.address()), open(t, Config{URL: server.url(), DisableCache: off})
			for range 100 { // on each of its connections
				refused(t, s, "a")
			}
			connections := func() string {
				m := must(t, raw, "INFO", "stats")
				text, _ := m.ToString()
				_, text, _ = strings.Cut(text, "total_connections_received:")
				n, _, _ := strings.Cut(text, "\r\n")
				return n
			}
			before := connections()
			resume := server.pause(raw)
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				if _, err := s.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("Get = %v", err)
				}
				cancel()
			}
			resume()
			if !refused(t, s, "a") {
				t.Error("found")
			}
			if after := connections(); after != before {
				t.Errorf("%s connections before, %s after", before, after)
			}
		})
	}
}

// S-152: connections that were cut off are not noticed by who reads, or does what may
// be done twice.
func TestS152_ConnectionsCutOff(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.address())
	s := open(t, Config{URL: p.url(), DisableCache: true})
	for i := range 50 {
		id := fmt.Sprint(i)
		// What may not be done twice may fail once.
		if !until(patience, func() bool { return s.Create(t.Context(), record(id)) == nil }) {
			t.Fatal("it does not recover")
		}
		for j, call := range []func() error{
			func() error { _, err := s.Get(t.Context(), id); return err },
			func() error { _, err := s.List(t.Context(), session.Query{}); return err },
			func() error { _, err := s.MarkStale(t.Context(), "pool", "alice"); return err },
			func() error { return s.Delete(t.Context(), id) },
			func() error { _, err := s.DeleteBySubject(t.Context(), "pool", "alice"); return err },
		} {
			p.cut()
			if err := call(); err != nil {
				t.Errorf("call %d: %v", j, err)
			}
		}
	}
}

// The address leads to another server, and the one that was the primary keeps its
// connections: whoever writes goes on where the address leads.
func TestS152_APrimaryThatBecameAReplica(t *testing.T) {
	for name, off := range map[string]bool{"with copies": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			first, second := startRedis(t), startRedis(t)
			p := startProxy(t, first.address())
			s := open(t, Config{URL: p.url(), DisableCache: off})
			create(t, s, record("a"))
			must(t, rawClient(t, first.address()), "REPLICAOF", "127.0.0.1", strconv.Itoa(second.port))
			if err := s.Create(t.Context(), record("b")); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "replica") {
				t.Errorf("Create = %v", err)
			}
			p.lead(second.address())
			if !until(patience, func() bool { return s.Create(t.Context(), record("b")) == nil }) {
				t.Fatal("the connections to a replica are kept")
			}
			// Not each write gives them up while there is nothing better.
			must(t, rawClient(t, second.address()), "REPLICAOF", "127.0.0.1", strconv.Itoa(first.port))
			made := p.count()
			for range 50 {
				if err := s.Delete(t.Context(), "b"); !errors.Is(err, session.ErrUnavailable) {
					t.Errorf("Delete = %v", err)
				}
			}
			if more := p.count() - made; more > 60 {
				t.Errorf("%d connections for 50 writes", more)
			}
		})
	}
}

func TestS152_KilledAndStartedAgain(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, Config{URL: server.url(), CacheFor: time.Hour})
	other := open(t, Config{URL: server.url(), CacheFor: time.Hour, Prefix: s.dialer.config.Prefix})
	create(t, s, record("stays"), record("ended"), record("ended meanwhile"))
	for _, id := range []string{"stays", "ended", "ended meanwhile"} {
		copied(t, s, id)
	}
	if err := other.Delete(t.Context(), "ended"); err != nil {
		t.Fatal(err)
	}
	server.kill()
	if !until(patience, func() bool { _, err := s.Get(t.Context(), "stays"); return errors.Is(err, session.ErrUnavailable) }) {
		t.Fatal("a copy outlives its connection")
	}
	wantUnavailable(t, s, "")
	wantUnavailable(t, other, "")

	server.restart()
	began := time.Now()
	if !until(patience, func() bool { return other.Delete(t.Context(), "ended meanwhile") == nil }) {
		t.Fatal("it does not recover")
	}
	t.Logf("served again %v after the server was up", time.Since(began))
	if !until(patience, func() bool { _, err := s.Get(t.Context(), "stays"); return err == nil }) {
		t.Fatal("it does not recover")
	}
	if !refused(t, s, "ended") || !refused(t, s, "ended meanwhile") {
		t.Error("what was ended is back")
	}
	if n, err := s.DeleteBySubject(t.Context(), "pool", "alice"); n != 1 || err != nil {
		t.Errorf("DeleteBySubject = %d, %v", n, err)
	}

	// The same without data: everybody is signed out, and may sign in.
	create(t, s, record("forgotten"))
	copied(t, s, "forgotten")
	must(t, rawClient(t, server.address()), "FLUSHALL")
	if !until(patience, func() bool { return refused(t, s, "forgotten") }) {
		t.Error("a copy outlives FLUSHALL")
	}
	create(t, s, record("forgotten"))
}

func TestANodeOfTheClusterIsGone(t *testing.T) {
	nodes := startCluster(t)
	s := open(t, Config{URL: clusterURL(nodes), Timeout: time.Second})
	patient := open(t, Config{URL: clusterURL(nodes), Prefix: s.dialer.config.Prefix})
	for i := range 30 {
		create(t, patient, record(fmt.Sprint(i)))
	}
	if page, err := patient.List(t.Context(), session.Query{}); len(page) != 30 || err != nil {
		t.Fatalf("List = %d, %v", len(page), err)
	}
	nodes[2].kill()
	unavailable := 0
	for i := range 30 {
		switch _, err := s.Get(t.Context(), fmt.Sprint(i)); {
		case errors.Is(err, session.ErrUnavailable):
			unavailable++
		case err != nil:
			t.Errorf("Get = %v", err)
		}
	}
	if unavailable == 0 {
		t.Error("every session is there, and a third of them should not be")
	}
	// What is on a server that is down is not left out in silence.
	if page, err := s.List(t.Context(), session.Query{}); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("List = %d records, %v", len(page), err)
	}
	nodes[2].restart()
	back := func() bool {
		_, err := s.List(t.Context(), session.Query{})
		return err == nil && s.Create(t.Context(), record(fmt.Sprint("later", time.Now().UnixNano()))) == nil
	}
	if !until(patience, back) {
		t.Error("it does not recover")
	}
}

func TestAStoreThatStartsBeforeItsServer(t *testing.T) {
	server := startRedis(t)
	server.kill()
	s := open(t, Config{URL: server.url()})
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Get = %v", err)
	}
	server.restart()
	if !refused(t, s, "a") {
		t.Error("found")
	}
}

// A server without memory left takes no session, and lets go of those it has.
func TestNoMemoryLeft(t *testing.T) {
	server := startRedis(t)
	s := open(t, Config{URL: server.url()})
	create(t, s, record("a"), record("b"), record("c"))
	must(t, rawClient(t, server.address()), "CONFIG", "SET", "maxmemory", "1")
	if err := s.Create(t.Context(), record("d")); !errors.Is(err, session.ErrUnavailable) || !strings.Contains(err.Error(), "maxmemory") {
		t.Errorf("Create = %v", err)
	}
	if refused(t, s, "a") {
		t.Error("it cannot be read")
	}
	if err := s.Delete(t.Context(), "a"); err != nil || !refused(t, s, "a") {
		t.Errorf("Delete = %v", err)
	}
	n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 2)
}

func TestClose(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	create(t, s, record("a"))
	refused(t, s, "a")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	wantUnavailable(t, s, "clos")
	s = open(t, Config{URL: testenv.Redis(t)})
	s.Close()
	wantUnavailable(t, s, "clos")
}

// TestS148_NoGoroutineIsLeft counts, since what runs belongs to the client.
func TestS148_NoGoroutineIsLeft(t *testing.T) {
	server := startRedis(t)
	before := runtime.NumGoroutine()
	for range 5 {
		p := startProxy(t, server.address())
		s := open(t, Config{URL: p.url(), Timeout: 300 * time.Millisecond})
		if !until(patience, func() bool { return s.Create(t.Context(), record(fmt.Sprint(time.Now().UnixNano()))) == nil }) {
			t.Fatal("no session is kept")
		}
		p.mute(true)
		wantUnavailable(t, s, "")
		p.mute(false)
		p.cut()
		s.Close()
		p.Close()
		p.cut()
	}
	if !until(patience, func() bool { return runtime.NumGoroutine() <= before }) {
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines, and %d before\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
	}
}
