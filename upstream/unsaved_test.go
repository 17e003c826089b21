package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/upstream"
)

// shaky is one process's way to the shelf, which fails when it is told to, as soon as the
// other server has given so many tokens.
type shaky struct {
	cupboard.Store
	s            *site
	after        int
	writes, gone *atomic.Bool
}

var errShelf = errors.New("the shelf does not respond")

func (f shaky) broken(which *atomic.Bool) bool {
	return which.Load() && len(f.s.requests("/token")) >= f.after
}

func (f shaky) Swap(ctx context.Context, kind cupboard.Kind, r cupboard.Record) (cupboard.Record, error) {
	if f.broken(f.writes) || f.broken(f.gone) {
		return cupboard.Record{}, errShelf
	}
	return f.Store.Swap(ctx, kind, r)
}

func (f shaky) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	if f.broken(f.gone) {
		return cupboard.Record{}, errShelf
	}
	return f.Store.Get(ctx, kind, key)
}

// unsavedSite is a site whose first process fails to save what the other server gives second.
type unsavedSite struct {
	*site
	writes, gone atomic.Bool  // of the first process
	looks        atomic.Int64 // of the others, at the shelf
	alice        *codegranttest.Browser
}

func newUnsavedSite(t *testing.T) *unsavedSite { return newUnsavedSiteWith(t, nil) }

func newUnsavedSiteWith(t *testing.T, change func(*upstream.Config)) *unsavedSite {
	t.Helper()
	u := new(unsavedSite)
	var made int
	u.site = newSite(t, func(c *upstream.Config) {
		if change != nil {
			change(c)
		}
		if made++; made <= 2 { // two servers of each process
			c.Cupboard = late{&u.site, c.Cupboard, u}
			return
		}
		c.Cupboard = counted{c.Cupboard, &u.looks}
	})
	u.alice = u.person("alice@example.com")
	if page := u.alice.Open(u.url + "/repos/x"); page.Body != "token theirs-1" {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	u.ahead.Store(int64(2 * time.Hour))
	return u
}

// late is a shaky way to the shelf of a site that is not made yet.
type late struct {
	s **site
	cupboard.Store
	of *unsavedSite
}

func (l late) way() shaky { return shaky{l.Store, *l.s, 2, &l.of.writes, &l.of.gone} }

func (l late) Swap(ctx context.Context, kind cupboard.Kind, r cupboard.Record) (cupboard.Record, error) {
	return l.way().Swap(ctx, kind, r)
}

func (l late) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	return l.way().Get(ctx, kind, key)
}

// counted counts how often somebody looks at the shelf.
type counted struct {
	cupboard.Store
	looks *atomic.Int64
}

func (c counted) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	if kind.Name == "upstream-token" {
		c.looks.Add(1)
	}
	return c.Store.Get(ctx, kind, key)
}

// in asks one of the processes. What it found a moment ago counts no more.
func (u *unsavedSite) in(process int, want int, body string) {
	u.t.Helper()
	u.ahead.Add(int64(time.Second))
	u.turn.Store(int64(process) - 1)
	if status, got := u.get(u.alice, "/repos/x"); status != want || !strings.Contains(got, body) {
		u.t.Errorf("process %d: %d %s, want %d %s\n%s", process, status, got, want, body, u.logged())
	}
}

func (s *site) logged() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.log.String()
}

// until waits for something that another goroutine does.
func (u *unsavedSite) until(what string, done func() bool) {
	u.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			u.t.Fatalf("%s: not within a minute\n%s", what, u.logged())
		}
	}
}

func (u *unsavedSite) saved() bool { return strings.Contains(u.logged(), "upstream token saved") }

// TestS829_StoreFailsAfterARotation: the other server has given the next token, and the store
// does not take it: it serves the person meanwhile, is in the store as soon as that responds,
// and nobody has to agree again, in no process.
func TestS829_StoreFailsAfterARotation(t *testing.T) {
	for name, wholly := range map[string]bool{"it takes nothing": false, "it does not respond": true} {
		t.Run(name, func(t *testing.T) {
			u := newUnsavedSite(t)
			broken := &u.writes
			if wholly {
				broken = &u.gone
			}
			broken.Store(true)
			u.in(0, http.StatusOK, "token theirs-2")
			if wholly {
				u.in(0, http.StatusServiceUnavailable, "")
			} else {
				u.in(0, http.StatusOK, "token theirs-2")
			}
			if log := u.logged(); !strings.Contains(log, "upstream token not saved") || strings.Contains(log, "refresh-2") || strings.Contains(log, "theirs-2") || u.saved() {
				t.Errorf("the log: %s", log)
			}
			broken.Store(false)
			u.until("save the token", u.saved)
			u.in(1, http.StatusOK, "token theirs-2")
			u.in(0, http.StatusOK, "token theirs-2")
			if all := u.requests("/token"); len(all) != 2 {
				t.Errorf("%d requests: %v", len(all), all)
			}
			u.ahead.Add(int64(2 * time.Hour))
			u.in(1, http.StatusOK, "token theirs-3")
			if all := u.requests("/token"); len(all) != 3 || all[2].Get("refresh_token") != "refresh-2" || len(u.requests("/revoke")) != 0 {
				t.Errorf("the next renewal: %v, revoked %v", all, u.requests("/revoke"))
			}
		})
	}
}

// TestS829_AnotherProcessRenews: a process that finds a token renewed and not saved does not
// send the former one, which may end both, before the first has had time to save it. Until
// then it says at once that it has none.
func TestS829_AnotherProcessRenews(t *testing.T) {
	u := newUnsavedSite(t)
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	u.ahead.Add(int64(25 * time.Second)) // the lease has ended
	for range 3 {
		before := u.looks.Load()
		u.in(1, http.StatusServiceUnavailable, "")
		if n := u.looks.Load() - before; n != 1 {
			t.Errorf("it looked %d times before it answered", n)
		}
	}
	u.ahead.Add(int64(time.Second))
	u.turn.Store(0)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.url+"/repos/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := u.alice.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
	u.in(0, http.StatusOK, "token theirs-2")
	if all := u.requests("/token"); len(all) != 2 {
		t.Errorf("%d requests: %v", len(all), all)
	}
	u.writes.Store(false)
	u.until("save the token", u.saved)
	u.in(1, http.StatusOK, "token theirs-2")
	u.ahead.Add(int64(2 * time.Hour))
	u.in(1, http.StatusOK, "token theirs-3") // the other server has revoked nothing

	// It does not wait for a process that never comes back.
	u = newUnsavedSite(t)
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	u.ahead.Add(int64(25 * time.Second))
	u.in(1, http.StatusServiceUnavailable, "")
	u.ahead.Add(int64(3 * time.Minute))
	u.in(1, http.StatusForbidden, "connect_url")
	// One that comes back nevertheless keeps nothing: the token is revoked.
	u.writes.Store(false)
	u.until("revoke the token", func() bool {
		for _, r := range u.requests("/revoke") {
			if r.Get("token") == "refresh-2" {
				return true
			}
		}
		return false
	})
	u.in(0, http.StatusForbidden, "connect_url")
}

// TestS829_SignedOutMeanwhile: a token that is not in the store yet ends with the session.
func TestS829_SignedOutMeanwhile(t *testing.T) {
	u := newUnsavedSite(t)
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.url+"/auth/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	answer, err := u.alice.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if err := u.ups[1].Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	u.writes.Store(false)
	u.until("revoke the token", func() bool {
		for _, r := range u.requests("/revoke") {
			if r.Get("token") == "refresh-2" {
				return true
			}
		}
		return false
	})
	if u.saved() {
		t.Error("it was saved after the sign-out")
	}
}

// TestS829_NextConfiguration: what takes the place of an Upstream has its unsaved tokens.
func TestS829_NextConfiguration(t *testing.T) {
	var all upstream.Unsaved
	u := newUnsavedSiteWith(t, func(c *upstream.Config) { c.Unsaved = &all })
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	u.in(1, http.StatusOK, "token theirs-2")
	if asked := u.requests("/token"); len(asked) != 2 || !u.saved() {
		t.Errorf("%d requests, saved: %t", len(asked), u.saved())
	}
}

// TestS829_SavedAtTheEnd: an end waits for the store as long as it may, and no longer.
func TestS829_SavedAtTheEnd(t *testing.T) {
	u := newUnsavedSite(t)
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	ended := make(chan error, 1)
	go func() { ended <- u.ups[0].Close(t.Context()) }()
	u.writes.Store(false)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	u.until("save the token", u.saved)
	u.in(1, http.StatusOK, "token theirs-2")

	u = newUnsavedSite(t)
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.ups[0].Close(over); err == nil || !strings.Contains(u.logged(), "upstream token lost") {
		t.Errorf("%v\n%s", err, u.logged())
	}
}

// TestS829_WithoutRotation: where refresh tokens stay as they are, a token that was not saved
// neither takes the place of a newer one nor ends it.
func TestS829_WithoutRotation(t *testing.T) {
	u := newUnsavedSite(t)
	u.mu.Lock()
	u.keeps = true
	u.mu.Unlock()
	u.writes.Store(true)
	u.in(0, http.StatusOK, "token theirs-2") // in memory
	u.ahead.Add(int64(5 * time.Minute))
	u.in(1, http.StatusOK, "token theirs-3") // the other process renews, and saves
	u.in(0, http.StatusOK, "token theirs-3") // the store has it
	u.writes.Store(false)
	if err := u.ups[0].Close(t.Context()); err != nil { // it has looked
		t.Error(err)
	}
	for process := range 2 {
		u.in(process, http.StatusOK, "token theirs-3")
	}
	u.ahead.Add(int64(2 * time.Hour))
	u.in(1, http.StatusOK, "token theirs-4")
	if all := u.requests("/revoke"); len(all) != 0 || u.saved() {
		t.Errorf("revoked: %v, saved: %t", all, u.saved())
	}
}
