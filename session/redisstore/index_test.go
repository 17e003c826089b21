package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// score is until when a session is named in the index of its person, in ms; 0: it is
// not.
func score(t *testing.T, s *Store, id string) int64 {
	t.Helper()
	answers, err := s.ask(t.Context(), func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{b.Zscore().Key(s.personKey("pool", "alice")).Member(id).Build()}
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := answers[0].AsFloat64()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatal(err)
	}
	return int64(f)
}

func wantCount(t *testing.T, what string, n int, err error, want int) {
	t.Helper()
	if n != want || err != nil {
		t.Errorf("%s = %d, %v, want %d", what, n, err, want)
	}
}

// In a cluster the index of a person is elsewhere than the sessions.
func TestTheIndexIsElsewhere(t *testing.T) {
	nodes := startCluster(t)
	s := open(t, Config{URL: clusterURL(nodes)})
	node := rawClient(t, nodes[0].address())
	slot := func(key string) int64 {
		m := must(t, node, "CLUSTER", "KEYSLOT", key)
		n, _ := m.AsInt64()
		return n * 3 / slots
	}
	elsewhere := 0
	for i := range 60 {
		id := fmt.Sprint(i)
		create(t, s, record(id))
		if slot(s.sessions+id) != slot(s.personKey("pool", "alice")) {
			elsewhere++
		}
	}
	if elsewhere < 20 {
		t.Fatalf("%d of 60 sessions are on another node than their index", elsewhere)
	}
	if page, err := s.List(t.Context(), session.Query{Pool: "pool", Subject: "alice"}); len(page) != 60 || err != nil {
		t.Errorf("List = %d, %v", len(page), err)
	}
	n, err := s.MarkStale(t.Context(), "pool", "alice")
	wantCount(t, "MarkStale", n, err, 60)
	n, err = s.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 60)
}

// TestS162_EndsBetweenIndexAndSession plays a process that ends between the two
// writes, in every order that occurs.
func TestS162_EndsBetweenIndexAndSession(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		now := time.Unix(1_800_000_000, 0)
		s := open(t, Config{URL: url, Now: func() time.Time { return now }})
		r := record("a")
		r.Expires = now.Add(time.Hour)

		// Named, and never made.
		if _, err := s.index(t.Context(), r, now); err != nil {
			t.Fatal(err)
		}
		n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
		wantCount(t, "DeleteBySubject of a name", n, err, 0)
		n, err = s.MarkStale(t.Context(), "pool", "alice")
		wantCount(t, "MarkStale of a name", n, err, 0)
		if page, err := s.List(t.Context(), session.Query{Pool: "pool", Subject: "alice"}); len(page) != 0 || err != nil {
			t.Errorf("List = %v, %v", page, err)
		}
		// Whoever is about to make it still finds it named.
		if score(t, s, "a") == 0 {
			t.Error("a name was taken out from under a session that may be in the making")
		}
		// Made by somebody else: a name decides nothing.
		other := r
		other.Subject = "bob"
		create(t, s, other)
		n, err = s.DeleteBySubject(t.Context(), "pool", "alice")
		wantCount(t, "DeleteBySubject of another one's session", n, err, 0)
		if refused(t, s, "a") {
			t.Error("bob is signed out")
		}

		// Deleted, and the name left.
		r.ID = "b"
		create(t, s, r)
		if _, err := s.eval(t.Context(), again, scriptDelete, s.sessions+"b"); err != nil {
			t.Fatal(err)
		}
		n, err = s.DeleteBySubject(t.Context(), "pool", "alice")
		wantCount(t, "DeleteBySubject of what is gone", n, err, 0)

		// It goes by itself, when somebody is next named.
		now = now.Add(3 * time.Hour)
		r.ID, r.Expires = "c", now.Add(time.Hour)
		create(t, s, r)
		if score(t, s, "a") != 0 || score(t, s, "b") != 0 || score(t, s, "c") == 0 {
			t.Errorf("named until: a %d, b %d, c %d", score(t, s, "a"), score(t, s, "b"), score(t, s, "c"))
		}
	})
}

// A session is named for longer than it lives, however often that is put off, and
// few swaps need two round trips for it.
func TestTheIndexOutlivesItsSessions(t *testing.T) {
	server := startRedis(t)
	raw := rawClient(t, server.address())
	now := time.Unix(1_800_000_000, 0)
	s := open(t, Config{URL: server.url(), Now: func() time.Time { return now }})
	r := record("a")
	r.Expires = now.Add(8 * time.Hour)
	create(t, s, r)
	indexed := 0
	for touch := range 100 {
		now = now.Add(48 * time.Minute)
		got, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		before := score(t, s, "a")
		got.Subject = "somebody else" // which is not the caller's to say
		got.LastSeen, got.Expires = now, now.Add(8*time.Hour)
		if _, err := s.CompareAndSwap(t.Context(), got); err != nil {
			t.Fatal(err)
		}
		named := score(t, s, "a")
		if named < got.Expires.UnixMilli() {
			t.Fatalf("touch %d: named until %d, lives until %d", touch, named, got.Expires.UnixMilli())
		}
		if named != before {
			indexed++
		}
		m := must(t, raw, "PTTL", s.personKey("pool", "alice"))
		index, _ := m.AsInt64()
		m = must(t, raw, "PTTL", s.sessions+"a")
		lives, _ := m.AsInt64()
		if index < lives || lives < (8*time.Hour).Milliseconds()-5000 || lives > (8*time.Hour).Milliseconds() {
			t.Fatalf("touch %d: Redis keeps the index for %d ms and the session for %d", touch, index, lives)
		}
	}
	if indexed > 25 {
		t.Errorf("the index was written for %d of 100 touches", indexed)
	}
	n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 1)
	m := must(t, raw, "KEYS", "*")
	if keys, _ := m.AsStrSlice(); len(keys) != 0 {
		t.Errorf("left in Redis: %v", keys)
	}
}

// Whoever deletes does not take away the name of a session that came after.
func TestUnindexSparesWhatCameAfter(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	r := record("a")
	create(t, s, r)
	answer, err := s.eval(t.Context(), again, scriptDelete, s.sessions+"a")
	if err != nil {
		t.Fatal(err)
	}
	value, _ := answer.AsBytes()
	deleted, err := decodeHead("a", value)
	if err != nil || deleted.indexed != score(t, s, "a") {
		t.Fatalf("the session knows %d, and the index %d: %v", deleted.indexed, score(t, s, "a"), err)
	}
	r.Expires = r.Expires.Add(-30 * time.Minute) // of a shorter life, even
	create(t, s, r)
	if err := s.unindex(t.Context(), "pool", "alice", []head{deleted}); err != nil {
		t.Fatal(err)
	}
	n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 1)
	if score(t, s, "a") != 0 {
		t.Error("still named")
	}
}

// Sign-ins, sign-outs, touches and "sign out everywhere" of one person at once: at
// the end, no session is alive that the index does not know.
func TestNoSessionEscapesTheIndex(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := open(t, Config{URL: url})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for round := range 40 {
					id := strconv.Itoa((i + round) % 10) // several have the same one
					r := record(id)
					r.Expires = r.Expires.Add(time.Duration(i*round) * time.Second)
					err := s.Create(t.Context(), r)
					if err == nil || errors.Is(err, session.ErrExists) {
						if r, err = s.Get(t.Context(), id); err == nil {
							r.Expires = r.Expires.Add(time.Hour)
							_, err = s.CompareAndSwap(t.Context(), r)
						}
					}
					if errors.Is(err, session.ErrUnavailable) {
						t.Error(err)
					}
					if round%3 == 0 {
						err = s.Delete(t.Context(), id)
					} else if round%7 == 0 {
						_, err = s.DeleteBySubject(t.Context(), "pool", "alice")
					}
					if errors.Is(err, session.ErrUnavailable) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		alive := 0
		for i := range 10 {
			if !refused(t, s, strconv.Itoa(i)) {
				alive++
			}
		}
		page, err := s.List(t.Context(), session.Query{Pool: "pool", Subject: "alice"})
		wantCount(t, "List of alice", len(page), err, alive)
		page, err = s.List(t.Context(), session.Query{})
		wantCount(t, "List", len(page), err, alive)
		n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
		wantCount(t, "DeleteBySubject", n, err, alive)
		for i := range 10 {
			if !refused(t, s, strconv.Itoa(i)) {
				t.Errorf("session %d escaped", i)
			}
		}
	})
}

// A record of a newer release is neither missing nor read, and signing out works.
func TestAFormatOfTheFuture(t *testing.T) {
	s := open(t, Config{URL: testenv.Redis(t)})
	raw := rawClient(t, hostOf(t, testenv.Redis(t)))
	create(t, s, record("a"), record("b"), record("c"))
	must(t, raw, "SETRANGE", s.sessions+"b", "0", "\x02")
	must(t, raw, "SET", s.sessions+"broken", "\x01")
	for _, id := range []string{"b", "broken"} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, ErrFormat) || !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) {
			t.Errorf("Get = %v", err)
		}
		if _, err := s.CompareAndSwap(t.Context(), record(id)); !errors.Is(err, ErrFormat) {
			t.Errorf("CompareAndSwap = %v", err)
		}
	}
	if err := s.Create(t.Context(), record("b")); !errors.Is(err, session.ErrExists) {
		t.Errorf("Create = %v", err)
	}
	if n, err := s.MarkStale(t.Context(), "pool", "alice"); n != 2 || !errors.Is(err, ErrFormat) {
		t.Errorf("MarkStale = %d, %v", n, err)
	}
	if n, err := s.DeleteBySubject(t.Context(), "pool", "alice"); n != 2 || !errors.Is(err, ErrFormat) {
		t.Errorf("DeleteBySubject = %d, %v: those that can be ended are, and the fault is told", n, err)
	}
	for _, id := range []string{"b", "broken"} {
		if err := s.Delete(t.Context(), id); err != nil || !refused(t, s, id) {
			t.Errorf("Delete = %v", err)
		}
	}
	// An answer that is another session's is nobody's.
	create(t, s, record("d"))
	m := must(t, raw, "GET", s.sessions+"d")
	value, _ := m.ToString()
	must(t, raw, "SET", s.sessions+"e", value)
	if _, err := s.Get(t.Context(), "e"); !errors.Is(err, session.ErrUnavailable) {
		t.Errorf("Get of a value that is of another session = %v", err)
	}
}
