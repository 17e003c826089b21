package codegrant_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// A process that wakes after its lease has ended finds what another one did
// meanwhile, and must not put its own older answer over it.
func TestS073_AHolderThatWakesLate(t *testing.T) {
	store := &hookedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	other := a.second(t, store, session.RandomKeyring())
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	a.now.Advance(61 * time.Minute)
	store.set(func(r session.Record) error {
		if !r.LeaseUntil.IsZero() {
			return nil
		}
		store.set(nil)
		if err := a.RemoveFromGroup(a.PoolID, "alice", "analysts"); err != nil {
			t.Error(err)
		}
		a.now.Advance(3 * time.Minute)
		if r := withCookies(t, other+"/auth/user", cookie); r.StatusCode != 200 {
			t.Errorf("the other process: status %d", r.StatusCode)
		}
		return nil
	})
	for _, when := range []string{"late", "after that"} {
		if body := text(t, withCookies(t, a.url+"/auth/user", cookie)); !strings.Contains(body, `"groups":["admins"]`) {
			t.Errorf("%s: %s", when, body)
		}
	}
}

// replicaFunc is a replica that does as a function says.
type replicaFunc struct {
	replica.Store
	apply func()
}

func (r *replicaFunc) UserBySubject(_ context.Context, issuer, subject string) (replica.User, error) {
	return replica.User{ID: 7, Issuer: issuer, Subject: subject, Enabled: true}, nil
}

func (r *replicaFunc) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	r.apply()
	return replica.Change{User: replica.User{ID: 7, Issuer: s.Issuer, Subject: s.Subject, Enabled: true}}, nil
}

// While the replica is being updated, the lease is free. What another process
// refreshes in that time stays: of rotated tokens, only the last is any good.
func TestS073_ARefreshDuringASlowReplica(t *testing.T) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	var armed atomic.Bool
	users := &replicaFunc{apply: func() {}}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions, c.Replica = store, users })
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	other := a.second(t, store, session.RandomKeyring())
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	if err := a.RemoveFromGroup(a.PoolID, "alice", "admins"); err != nil { // something new for the replica
		t.Fatal(err)
	}
	armed.Store(true)
	users.apply = func() {
		if !armed.CompareAndSwap(true, false) {
			return
		}
		if err := a.RemoveFromGroup(a.PoolID, "alice", "analysts"); err != nil {
			t.Error(err)
		}
		records, err := store.List(t.Context(), session.Query{})
		if err != nil || len(records) != 1 {
			t.Errorf("List() = %v, %v", records, err)
			return
		}
		if _, err := store.MarkStale(t.Context(), records[0].Pool, records[0].Subject); err != nil {
			t.Error(err)
		}
		if r := withCookies(t, other+"/auth/user", cookie); r.StatusCode != 200 {
			t.Errorf("the other process: status %d", r.StatusCode)
		}
	}
	a.now.Advance(61 * time.Minute)
	for range 3 {
		r := withCookies(t, a.url+"/auth/user", cookie)
		if body := text(t, r); r.StatusCode != 200 || !strings.Contains(body, `"groups":[]`) {
			t.Errorf("status %d: %s", r.StatusCode, body)
		}
		a.now.Advance(61 * time.Minute)
	}
}

// process is another process with the same store, and a clock of its own.
func (a *app) process(t *testing.T, store session.Store, now func() time.Time) string {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{
		Pool: a.Register(a.url), BaseURL: a.url, CookieName: "codegrant", Sessions: store, Keys: session.RandomKeyring(), Now: now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(auth.Handler("/auth"))
	t.Cleanup(server.Close)
	return server.URL
}

// countedStore counts reads.
type countedStore struct {
	session.Store
	reads atomic.Int32
}

func (c *countedStore) Get(ctx context.Context, id string) (session.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, id)
}

// polled waits until the store was read so many times more, or something else is.
func (c *countedStore) polled(t *testing.T, more int32, or func() bool) {
	t.Helper()
	for end := c.reads.Load() + more; c.reads.Load() < end && !or(); {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// Clocks that are two minutes apart neither break a lease nor make it longer.
func TestS161_LeasesAndClocks(t *testing.T) {
	t.Run("the one that waits is ahead", func(t *testing.T) {
		store := &countedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
		a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
		if err := a.SetRotation(a.ClientID, true, 0); err != nil {
			t.Fatal(err)
		}
		other := a.process(t, store, func() time.Time { return a.now.Now().Add(119 * time.Second) })
		browser := codegranttest.NewBrowser(t)
		browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
		cookie := sessionOf(t, browser, a.url)
		good := answers(200, tokensFor(t, a, browser, nil))
		before := a.Calls(localpool.Token)
		a.now.Advance(61 * time.Minute)

		var wg sync.WaitGroup
		a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a.Calls(localpool.Token)-before > 1 {
				answers(400, map[string]string{"error": "invalid_grant"}).ServeHTTP(w, r) // spent
				return
			}
			wg.Go(func() {
				if r := withCookies(t, other+"/auth/user", cookie); r.StatusCode != 200 {
					t.Errorf("the one that waited: status %d", r.StatusCode)
				}
			})
			store.polled(t, 4, func() bool { return a.Calls(localpool.Token)-before > 1 })
			good.ServeHTTP(w, r)
		}))
		if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != 200 {
			t.Errorf("the holder: status %d", r.StatusCode)
		}
		wg.Wait()
		if n := a.Calls(localpool.Token) - before; n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})

	t.Run("the holder was ahead, and crashed", func(t *testing.T) {
		store := &countedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
		a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
		browser := codegranttest.NewBrowser(t)
		browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
		a.now.Advance(61 * time.Minute)
		records, err := store.List(t.Context(), session.Query{})
		if err != nil || len(records) != 1 {
			t.Fatalf("List() = %v, %v", records, err)
		}
		record, err := store.Store.Get(t.Context(), records[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		record.LeaseUntil = a.now.Now().Add(2*time.Minute + 30*time.Second)
		if _, err := store.CompareAndSwap(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
				t.Errorf("status %d", r.StatusCode)
			}
		})
		store.polled(t, 4, func() bool { return false })
		a.now.Advance(31 * time.Second)
		wg.Wait()
	})
}

// A lease is freed after a failure, also where somebody has changed the record.
func TestS150_ALeaseIsFreedAfterAFailure(t *testing.T) {
	store := session.NewMemoryStore(session.MemoryConfig{})
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	a.now.Advance(61 * time.Minute)
	var id string
	a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		records, err := store.List(t.Context(), session.Query{})
		if err == nil && len(records) == 1 {
			id = records[0].ID
			_, err = store.MarkStale(t.Context(), records[0].Pool, records[0].Subject)
		}
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(500)
	}))
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 503 {
		t.Errorf("status %d", r.StatusCode)
	}
	if record, err := store.Get(t.Context(), id); err != nil || !record.LeaseUntil.IsZero() || !record.Stale {
		t.Errorf("lease until %v, stale %v, %v", record.LeaseUntil, record.Stale, err)
	}
}

// A refresh that was under way when the session was marked stale may have asked
// the pool too early. Who comes after the mark waits for the next one.
func TestStaleMarkDuringARefresh(t *testing.T) {
	store := &countedStore{Store: session.NewMemoryStore(session.MemoryConfig{})}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	early := answers(200, tokensFor(t, a, browser, map[string]any{"cognito:groups": []string{"analysts"}}))
	late := answers(200, tokensFor(t, a, browser, nil))
	a.now.Advance(59*time.Minute + 45*time.Second)
	before := a.Calls(localpool.Token)
	var wg sync.WaitGroup
	a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.Calls(localpool.Token)-before > 1 {
			late.ServeHTTP(w, r)
			return
		}
		records, err := store.List(t.Context(), session.Query{})
		if err == nil && len(records) == 1 {
			_, err = store.MarkStale(t.Context(), records[0].Pool, records[0].Subject)
		}
		if err != nil {
			t.Error(err)
		}
		reads := store.reads.Load()
		wg.Go(func() {
			if r := withCookies(t, a.url+"/reports/", cookie); r.StatusCode != 403 {
				t.Errorf("after the mark: status %d, want 403", r.StatusCode)
			}
		})
		store.polled(t, 1, func() bool { return store.reads.Load() > reads })
		runtime.Gosched()
		early.ServeHTTP(w, r)
	}))
	if r := withCookies(t, a.url+"/reports/", cookie); r.StatusCode != 200 {
		t.Errorf("before the mark: status %d", r.StatusCode)
	}
	if err := a.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}
