package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// TestS151_AServerThatReadsItsData: it has started and listens, and refuses everything
// until it has its data back. That is a fault, and no session is missing.
func TestS151_AServerThatReadsItsData(t *testing.T) {
	kind := cupboard.Kind{Name: "test.loading", MaxRecords: 10, MaxOfPerson: 10, MaxBytes: 100, Watched: true}
	kept := cupboard.Record{Key: cupboard.Key("a"), Person: "alice", Value: []byte("v"), Until: time.Now().Add(time.Hour)}
	server := startRedis(t, "--rdbcompression", "no", "--loading-process-events-interval-bytes", "1024")
	s := open(t, Config{URL: server.url(), CacheFor: time.Hour})
	create(t, s, record("there"))
	if err := s.Cupboard().Put(t.Context(), kind, kept); err != nil {
		t.Fatal(err)
	}
	raw := rawClient(t, server.address())
	must(t, raw, "EVAL", "for i = 1, 1000 do redis.call('SET', 'filler' .. i, string.rep('x', 2000)) end", "0")
	must(t, raw, "SAVE")
	raw.Close()
	server.kill()
	server.args = append(server.args, "--key-load-delay", "60000") // a minute for all of it
	server.restart()

	impatient := open(t, Config{URL: server.url(), Prefix: s.dialer.config.Prefix, Timeout: 5 * time.Second})
	wantUnavailable(t, impatient, "Redis is starting")
	shelves := impatient.Cupboard()
	for name, call := range map[string]func(context.Context) error{
		"Put":    func(ctx context.Context) error { return shelves.Put(ctx, kind, kept) },
		"Get":    func(ctx context.Context) error { _, err := shelves.Get(ctx, kind, kept.Key); return err },
		"Take":   func(ctx context.Context) error { _, err := shelves.Take(ctx, kind, kept.Key); return err },
		"Swap":   func(ctx context.Context) error { _, err := shelves.Swap(ctx, kind, kept); return err },
		"List":   func(ctx context.Context) error { _, err := shelves.List(ctx, kind, cupboard.Query{}); return err },
		"EndAll": func(ctx context.Context) error { _, err := shelves.EndAll(ctx, kind, "alice"); return err },
		"Len":    func(ctx context.Context) error { _, err := shelves.Len(ctx, kind); return err },
		"Watch":  func(ctx context.Context) error { _, err := shelves.Watch(ctx, kind, 0, 10); return err },
	} {
		err := call(t.Context())
		if !errors.Is(err, cupboard.ErrUnavailable) || errors.Is(err, cupboard.ErrNotFound) || !strings.Contains(err.Error(), "Redis is starting") {
			t.Errorf("%s = %v", name, err)
		}
	}

	must(t, rawClient(t, server.address()), "CONFIG", "SET", "key-load-delay", "0")
	found := func() bool {
		_, err := s.Get(t.Context(), "there")
		if err != nil && !errors.Is(err, session.ErrUnavailable) {
			t.Fatalf("Get = %v", err)
		}
		return err == nil
	}
	if !until(patience, found) {
		t.Fatal("it does not recover")
	}
	if r, err := s.Cupboard().Get(t.Context(), kind, kept.Key); err != nil || string(r.Value) != "v" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestS152_WhatAServerThatStartsRefused is sent once more, though it may not run twice:
// it did not run.
func TestS152_WhatAServerThatStartsRefused(t *testing.T) {
	server := startRedis(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var refuse, refused atomic.Int64
	var script atomic.Value // of which that many are refused
	script.Store("")
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server.address())
			if err != nil {
				client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, to); client.Close() }()
			go func() {
				defer to.Close()
				for b := make([]byte, 64<<10); ; {
					n, err := client.Read(b)
					if err != nil {
						return
					}
					if refuse.Load() > 0 && strings.Contains(string(b[:n]), script.Load().(string)) {
						refuse.Add(-1)
						refused.Add(1)
						_, err = io.WriteString(client, "-LOADING Redis is loading the dataset in memory\r\n")
					} else {
						_, err = to.Write(b[:n])
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	s := open(t, Config{URL: "redis://" + l.Addr().String(), Timeout: patience})
	create(t, s, record("a"))
	r, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		script string
		call   func() error
	}{
		"CompareAndSwap": {scriptSwap, func() error { _, err := s.CompareAndSwap(t.Context(), r); return err }},
		"Create":         {scriptCreate, func() error { return s.Create(t.Context(), record("b")) }},
	} {
		before := refused.Load()
		script.Store(tt.script)
		refuse.Store(startingTries)
		if err := tt.call(); err != nil {
			t.Errorf("%s = %v", name, err)
		}
		if n := refused.Load() - before; n != startingTries {
			t.Errorf("%s: %d were refused", name, n)
		}
	}
	if got, err := s.Get(t.Context(), "a"); err != nil || got.Version != r.Version+1 {
		t.Errorf("version %d, %v, after %d", got.Version, err, r.Version)
	}
}
