package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

var noon = time.Unix(1_800_000_000, 0)

func readAndKeep(c *cache, id string, between func()) bool {
	t := c.read(id)
	between()
	c.keep(t, session.Record{ID: id}, noon)
	_, kept := c.get(id, noon)
	return kept
}

func TestCacheKeepsNothingThatChangedMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		between func(c *cache)
		kept    bool
	}{
		"nothing":                    {func(*cache) {}, true},
		"another session changed":    {func(c *cache) { c.changed("b") }, true},
		"the server says it changed": {func(c *cache) { c.changed("a") }, false},
		"a connection was lost":      {func(c *cache) { c.changedAll() }, false},
		"a write began":              {func(c *cache) { c.write("b", "a") }, false},
		"a write began and ended":    {func(c *cache) { c.write("a")() }, false},
		"another read ended":         {func(c *cache) { c.done("a", c.read("a")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(time.Second, 1<<20)
			if kept := readAndKeep(c, "a", func() { tt.between(c) }); kept != tt.kept {
				t.Errorf("kept is %t, want %t", kept, tt.kept)
			}
		})
	}
	t.Run("a write ended", func(t *testing.T) {
		c := newCache(time.Second, 1<<20)
		written := c.write("a")
		if readAndKeep(c, "a", written) {
			t.Error("kept what was read during a write")
		}
		if !readAndKeep(c, "a", func() {}) {
			t.Error("not kept after it")
		}
		for i := range c.shards {
			if n := len(c.shards[i].visitor); n != 0 {
				t.Errorf("%d visits were never ended", n)
			}
		}
	})
}

func TestCacheForgets(t *testing.T) {
	for name, forget := range map[string]func(c *cache){
		"changed": func(c *cache) { c.changed("a") },
		"lost":    func(c *cache) { c.changedAll() },
		"written": func(c *cache) { c.write("a") },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(time.Second, 1<<20)
			if !readAndKeep(c, "a", func() {}) {
				t.Fatal("not kept")
			}
			forget(c)
			if _, kept := c.get("a", noon); kept {
				t.Error("still there")
			}
		})
	}
}

func TestS158_CopiesGrowOld(t *testing.T) {
	c := newCache(time.Second, 1<<20)
	readAndKeep(c, "a", func() {})
	if _, kept := c.get("a", noon.Add(time.Second-1)); !kept {
		t.Error("gone before its time")
	}
	if _, kept := c.get("a", noon.Add(time.Second)); kept {
		t.Error("used beyond its time")
	}
}

func TestS145_CopiesAreBounded(t *testing.T) {
	const room = 4 << 20
	c := newCache(time.Hour, room)
	content := make([]byte, 4096)
	for i := range 10_000 {
		id := fmt.Sprint(i)
		c.keep(c.read(id), session.Record{ID: id, Sealed: content}, noon)
	}
	size, n := 0, 0
	for i := range c.shards {
		for _, generation := range []map[string]*cacheCopy{c.shards[i].young, c.shards[i].old} {
			for _, kept := range generation {
				size, n = size+kept.size, n+1
			}
		}
	}
	if size > room || n < 300 {
		t.Errorf("%d copies of %d bytes in room for %d", n, size, room)
	}
	// What is not used goes, also if there is room.
	c = newCache(time.Second, room)
	for i := range 100 {
		id := fmt.Sprint(i)
		c.keep(c.read(id), session.Record{ID: id}, noon.Add(time.Duration(i)*10*time.Second))
	}
	n = 0
	for i := range c.shards {
		n += len(c.shards[i].young) + len(c.shards[i].old)
	}
	if n > 2*cacheShards {
		t.Errorf("%d copies are left, and all but two of each shard are long unused", n)
	}
	// What would take all of it is not kept.
	c.keep(c.read("large"), session.Record{ID: "large", Sealed: make([]byte, room)}, noon)
	if _, kept := c.get("large", noon); kept {
		t.Error("a record as large as the cache is kept")
	}
}

func TestS145_WhatIsMissingTakesNoRoom(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	for i := range 100 {
		if !refused(t, s, fmt.Sprint(i)) {
			t.Fatal("found")
		}
	}
	for i := range s.cache.shards {
		if shard := &s.cache.shards[i]; len(shard.young)+len(shard.old)+len(shard.visitor) != 0 {
			t.Fatal("something is kept")
		}
	}
}

// copied reads a session until Get answers from a copy: while connections are still
// being made, copies are dropped.
func copied(t testing.TB, s *Store, id string) {
	t.Helper()
	if !until(patience, func() bool { return !refused(t, s, id) && kept(s, id) }) {
		t.Fatal("there is no copy")
	}
}

// kept reports whether Get answers from a copy.
func kept(s *Store, id string) bool {
	_, ok := s.cache.get(id, s.now())
	return ok
}

func TestGetAnswersFromACopy(t *testing.T) {
	server := startRedis(t)
	var asked atomic.Int64
	s, stats := open(t, Config{URL: server.url(), OnAsk: func(context.Context) { asked.Add(1) }}), rawClient(t, server.address())
	create(t, s, record("a"))
	gets := func() string {
		m := must(t, stats, "INFO", "commandstats")
		text, _ := m.ToString()
		return calls(text, "get")
	}
	copied(t, s, "a")
	before, askedBefore := gets(), asked.Load()
	for range 100 {
		if refused(t, s, "a") {
			t.Fatal("not there")
		}
	}
	if after := gets(); before != after {
		t.Errorf("GET was called %s times, then %s times", before, after)
	}
	if n := asked.Load(); n < 2 || n != askedBefore {
		t.Errorf("OnAsk heard of %d questions, then of %d", askedBefore, n)
	}
}

// What was written through the same store is seen at once, whatever connection the
// server's word comes on.
func TestWhatIsWrittenIsSeenAtOnce(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			r := record(id)
			r.Subject = id
			if err := s.Create(t.Context(), r); err != nil {
				t.Error(err)
				return
			}
			for version := int64(1); version <= 200; version++ {
				got, err := s.Get(t.Context(), id)
				if err != nil || got.Version != version {
					t.Errorf("version %d, %v; want %d", got.Version, err, version)
					return
				}
				if version%5 == 0 {
					_, err = s.MarkStale(t.Context(), "pool", id)
				} else {
					_, err = s.CompareAndSwap(t.Context(), got)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
			if err := s.Delete(t.Context(), id); err != nil || !refused(t, s, id) {
				t.Errorf("deleted with %v, and still there", err)
			}
		})
		wg.Go(func() { // somebody else reads all the while, so that there are copies
			for range 2000 {
				if _, err := s.Get(t.Context(), fmt.Sprint(i)); err != nil && !errors.Is(err, session.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestDeletedElsewhereIsRefusedHere(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		here := open(t, Config{URL: url, CacheFor: time.Hour})
		there := open(t, Config{URL: url, Prefix: here.dialer.config.Prefix, CacheFor: time.Hour})
		for name, change := range map[string]func(id string) error{
			"Delete":          func(id string) error { return there.Delete(t.Context(), id) },
			"DeleteBySubject": func(id string) error { _, err := there.DeleteBySubject(t.Context(), "pool", id); return err },
			"MarkStale":       func(id string) error { _, err := there.MarkStale(t.Context(), "pool", id); return err },
			"CompareAndSwap": func(id string) error {
				r, err := there.Get(t.Context(), id)
				if err == nil {
					r.Stale = true
					_, err = there.CompareAndSwap(t.Context(), r)
				}
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				var slowest time.Duration
				for i := range 50 {
					id := fmt.Sprint(name, i)
					r := record(id)
					r.Subject = id
					create(t, there, r)
					copied(t, here, id)
					if err := change(id); err != nil {
						t.Fatal(err)
					}
					done := time.Now()
					seen := until(patience, func() bool {
						r, err := here.Get(t.Context(), id)
						return errors.Is(err, session.ErrNotFound) || err == nil && r.Stale
					})
					if !seen {
						t.Fatal("not seen")
					}
					slowest = max(slowest, time.Since(done))
				}
				t.Logf("seen after %v at most, of 50", slowest)
			})
		}
	})
}

func TestS158_CopiesObeyTheirBoundWhenNoWordArrives(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.address())
	const bound = 300 * time.Millisecond
	here := open(t, Config{URL: p.url(), CacheFor: bound, Timeout: 2 * time.Second})
	there := open(t, Config{URL: server.url(), Prefix: here.dialer.config.Prefix})
	create(t, there, record("a"))
	copied(t, here, "a")
	p.mute(true)
	if err := there.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	// First the copy, then nothing: a server that does not answer is not one that
	// says no.
	var last time.Duration
	gone := until(patience, func() bool {
		begun := time.Since(ended) // after that, the machine may have been busy
		_, err := here.Get(t.Context(), "a")
		if err == nil {
			last = begun
		} else if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) {
			t.Fatalf("Get = %v", err)
		}
		return err != nil
	})
	if !gone || last > bound {
		t.Errorf("a copy was used for %v, and %v is the bound", last, bound)
	}
	p.mute(false)
	p.cut()
	if !until(patience, func() bool { _, err := here.Get(t.Context(), "a"); return errors.Is(err, session.ErrNotFound) }) {
		t.Error("not refused after the network came back")
	}
}

// A connection that is silent is given up, and its copies with it, long before a
// bound that somebody has set high.
func TestS158_ASilentConnectionIsGivenUp(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.address())
	here := open(t, Config{URL: p.url(), CacheFor: time.Hour, Timeout: 2 * time.Second})
	create(t, here, record("a"))
	copied(t, here, "a")
	p.mute(true)
	began := time.Now()
	if !until(patience, func() bool { return !kept(here, "a") }) {
		t.Fatal("the copy stays")
	}
	t.Logf("dropped after %v", time.Since(began))
}

func TestALostConnectionDropsEveryCopy(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.address())
	here := open(t, Config{URL: p.url(), CacheFor: time.Hour})
	there := open(t, Config{URL: server.url(), Prefix: here.dialer.config.Prefix})
	for i := range 20 {
		create(t, there, record(fmt.Sprint(i)))
	}
	all := func() bool {
		n := 0
		for i := range 20 {
			if !refused(t, here, fmt.Sprint(i)) && kept(here, fmt.Sprint(i)) {
				n++
			}
		}
		return n == 20
	}
	if !until(patience, all) {
		t.Fatal("there are no copies")
	}
	p.mute(true) // what is said from here on is lost
	for i := range 20 {
		if err := there.Delete(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if refused(t, here, "0") {
		t.Fatal("the network is less silent than it should be")
	}
	p.mute(false)
	p.cut()
	if !until(patience, func() bool { _, err := here.Get(t.Context(), "none"); return errors.Is(err, session.ErrNotFound) }) {
		t.Fatal("no connection")
	}
	for i := range 20 {
		if !refused(t, here, fmt.Sprint(i)) {
			t.Errorf("session %d is alive after the reconnect", i)
		}
	}
}
