//go:build unix

package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// shared is a world whose stores several processes use, the test's own one of them.
func shared(t testing.TB, s stores) *world {
	t.Helper()
	var w *world
	w = newWorld(t, func(c *codegrant.Config, clock *clock) {
		sessions, users, db := s.open(t, clock.Now, nil)
		if db != nil {
			t.Cleanup(func() { db.Close() })
		}
		for _, store := range []any{sessions, users} {
			if m, ok := store.(interface{ Migrate(context.Context) error }); ok {
				if err := m.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if closer, ok := store.(interface{ Close() error }); ok {
				t.Cleanup(func() { closer.Close() })
			}
		}
		c.Sessions, c.Replica = countedSessions{sessions, func() { w.reads.Add(1) }}, users
	})
	w.stores = s
	return w
}

type countedSessions struct {
	session.Store
	read func()
}

func (s countedSessions) Get(ctx context.Context, id string) (session.Record, error) {
	s.read()
	return s.Store.Get(ctx, id)
}

// sharedStores are the ways to share sessions between processes.
var sharedStores = map[string]func(t testing.TB) stores{
	"Redis": func(t testing.TB) stores { return stores{Redis: startRedis(t).url(), SQLite: sqliteDSN(t.TempDir())} },
	"PostgreSQL": func(t testing.TB) stores {
		server := postgres(t)
		return stores{Postgres: server.dsn(server.database(t))}
	},
	"SQLite": func(t testing.TB) stores { return stores{SQLite: sqliteDSN(t.TempDir())} },
}

// lease is how long one process may keep the others from refreshing a session.
const lease = 8 * time.Second

// waits has time pass while something is done, a little each time that the process of
// the test looks whether the lease is free, and says how much did: no more than ends the
// lease of a process that was killed. Who has it next lives, and extends it by a clock on
// the wall.
func (w *world) waits(do func(), children ...*child) (passed time.Duration) {
	const little = 3 * time.Second
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	for seen := w.reads.Load(); ; {
		select {
		case <-done:
			return passed
		case <-time.After(5 * time.Millisecond):
		}
		// The first look finds the lease, and from then on its time runs.
		if now := w.reads.Load(); now > seen && passed < lease+2*little {
			seen = now
			w.clock.advance(little)
			passed += little
			for _, c := range children {
				c.ahead(time.Duration(w.clock.ahead.Load()))
			}
		}
	}
}

// askEach asks each process n times at once.
func (p *person) askEach(n int, processes ...*child) *tally {
	p.w.t.Helper()
	all := &tally{statuses: make(map[int]int)}
	var wg sync.WaitGroup
	for _, c := range processes {
		for range n {
			wg.Go(func() {
				a := p.askAt(c.url)
				p.w.check(a)
				all.add(a)
			})
		}
	}
	wg.Wait()
	return all
}

// TestManyProcessesRefreshOnce has three processes find at the same time, each 500
// times, that the tokens of a session have ended. A second refresh would be refused:
// the pool gives out a new refresh token with each, and takes the old one no more.
func TestManyProcessesRefreshOnce(t *testing.T) {
	for name, open := range sharedStores {
		t.Run(name, func(t *testing.T) {
			w := shared(t, open(t))
			if err := w.SetRotation(w.ClientID, true, 0); err != nil {
				t.Fatal(err)
			}
			alice := w.signIn("alice")
			var processes []*child
			for range 3 {
				processes = append(processes, w.startChild(order{}))
			}
			// Of those that come first, and of those that follow with the token of those.
			many := 500
			if name == "SQLite" {
				many = 100 // processes wait for each other's writes there
			}
			for _, each := range []int{many, 5} {
				w.clock.advance(61 * time.Minute)
				for _, c := range processes {
					c.ahead(time.Duration(w.clock.ahead.Load()))
				}
				before := w.Calls(localpool.Token)
				all := alice.askEach(each, processes...)
				t.Log(all)
				if n, want := w.Calls(localpool.Token)-before, 3*each; n != 1 || all.statuses[200] != want {
					t.Errorf("%d refreshes at the pool, and %d answers with 200; want 1 and %d", n, all.statuses[200], want)
				}
			}
			if n := w.sessionsLeft(); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// TestAProcessIsKilledWithTheLease has a process killed while the pool has its request
// for new tokens. The others wait for as long as it could have the lease, and no
// longer.
func TestAProcessIsKilledWithTheLease(t *testing.T) {
	for name, open := range sharedStores {
		t.Run(name, func(t *testing.T) {
			w := shared(t, open(t))
			if err := w.SetRotation(w.ClientID, true, 0); err != nil {
				t.Fatal(err)
			}
			alice := w.signIn("alice")
			w.clock.advance(61 * time.Minute)
			holder, other := w.startChild(order{}), w.startChild(order{})
			asked := make(chan struct{})
			w.Fault(localpool.Token, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(asked)
				hanging(nil, r)
			}))
			before := w.Calls(localpool.Token)
			go alice.send(holder.url)
			<-asked
			holder.kill()
			w.Fault(localpool.Token, nil)

			var all *tally
			passed := w.waits(func() {
				var wg sync.WaitGroup
				wg.Go(func() { all = alice.askEach(100, other) })
				alice.want(200)
				wg.Wait()
			}, other)
			t.Logf("%v, after %v by their clocks", all, passed)
			if all.statuses[200] != 100 {
				t.Errorf("%d answers with 200, want 100: no more than the lease is waited for", all.statuses[200])
			}
			if n := w.Calls(localpool.Token) - before; n != 2 {
				t.Errorf("%d refreshes, want that of the killed process and one", n)
			}
		})
	}
}

// TestKilledInASignIn kills a process at every step of a sign-in in turn. The person
// sees that the connection broke; whatever they do then, they get in, and the replica
// has all of them or nothing.
func TestKilledInASignIn(t *testing.T) {
	for name, open := range sharedStores {
		t.Run(name, func(t *testing.T) {
			w := shared(t, open(t))
			w.AddUser("group-maker", "group-maker@example.com", "editors", "staff")
			for n := 1; ; n++ {
				if n > 200 {
					t.Fatal("a sign-in has no end")
				}
				user := fmt.Sprint("user", n)
				w.AddUser(user, user+"@example.com", "editors", "staff")
				before := w.sessionsLeft()
				c := w.startChild(order{DieAt: n})
				w.behind.Store(c)
				p := &person{w, codegranttest.NewBrowser(t)}
				page := p.signIn(user)
				w.behind.Store(nil)
				c.stop()
				at := c.killedAt()
				if at == "" {
					if page.Status != 200 {
						t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
					}
					t.Logf("%d steps", n-1)
					return
				}
				w.whole(user, []string{"editors", "staff"})
				if page.Status == http.StatusBadGateway && n%2 == 0 {
					// The person has the browser load the page again.
					again := p.browser.Open(page.URL.String())
					helps := again.Status == 400 && strings.Contains(again.Body, "/auth/login")
					if again.Status != 200 && !helps {
						t.Errorf("%s: loaded again: status %d: %s", at, again.Status, again.Body)
					}
				}
				// Or goes back to where they came from.
				if page := p.browser.Open(w.url + "/start"); page.Status != 200 || page.Body != user+" in editors, staff" {
					t.Errorf("%s: status %d: %s", at, page.Status, page.Body)
				}
				w.whole(user, []string{"editors", "staff"})
				if !slices.ContainsFunc(w.users(), named(user)) {
					t.Errorf("%s: the user is not in the replica", at)
				}
				if more := w.sessionsLeft() - before; more < 1 || more > 2 {
					t.Errorf("%s: %d sessions", at, more)
				}
			}
		})
	}
}

// TestKilledInARefresh kills a process at every step of a refresh in turn, at which the
// person has also left a group. Another process goes on with the session: the pool
// takes a refresh token that it has replaced for another minute.
func TestKilledInARefresh(t *testing.T) {
	for name, open := range sharedStores {
		t.Run(name, func(t *testing.T) {
			w := shared(t, open(t))
			if err := w.SetRotation(w.ClientID, true, time.Minute); err != nil {
				t.Fatal(err)
			}
			w.AddUser("group-maker", "group-maker@example.com", "editors", "staff")
			longest := time.Duration(0)
			for n := 1; ; n++ {
				if n > 200 {
					t.Fatal("a refresh has no end")
				}
				user := fmt.Sprint("user", n)
				w.AddUser(user, user+"@example.com", "editors", "staff")
				p := w.signIn(user)
				if err := w.RemoveFromGroup(w.PoolID, user, "editors"); err != nil {
					t.Fatal(err)
				}
				w.clock.advance(61 * time.Minute)
				c := w.startChild(order{DieAt: n})
				status := p.send(c.url)
				c.stop()
				at := c.killedAt()
				if at == "" {
					if status != 200 {
						t.Errorf("refresh: status %d", status)
					}
					t.Logf("%d steps, and at most %v until another process went on", n-1, longest)
					return
				}
				w.whole(user, []string{"editors", "staff"}, []string{"staff"})
				var a answer
				passed := w.waits(func() { a = p.ask() })
				longest = max(longest, passed)
				if a.status != 200 || a.body != user+" in staff" || len(a.cookies) > 0 {
					t.Errorf("%s: status %d, cookies %v: %s", at, a.status, a.cookies, a.body)
				}
				w.clock.advance(61 * time.Minute)
				p.want(200)
				w.whole(user, []string{"staff"})
			}
		})
	}
}

// Without that minute, a token that was replaced and not kept is lost with the
// process. The person signs in anew, and nothing worse.
func TestKilledWithTheOnlyRefreshToken(t *testing.T) {
	w := shared(t, sharedStores["PostgreSQL"](t))
	if err := w.SetRotation(w.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	alice := w.signIn("alice")
	w.clock.advance(61 * time.Minute)
	c := w.startChild(order{DieOn: "after POST /oauth2/token"})
	alice.send(c.url)
	if c.killedAt() == "" {
		t.Fatal("not killed")
	}
	var a answer
	w.waits(func() { a = alice.ask() })
	if a.status != 401 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if page := alice.signIn("alice"); page.Status != 200 || !strings.HasPrefix(page.Body, "alice in ") {
		t.Errorf("signed in anew: status %d: %s", page.Status, page.Body)
	}
	if n := w.sessionsLeft(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestS314_RevocationsOutliveAKill: a process that could not have a refresh token revoked
// at a sign-out is killed, and another one does it.
func TestS314_RevocationsOutliveAKill(t *testing.T) {
	for name, open := range sharedStores {
		t.Run(name, func(t *testing.T) {
			w := shared(t, open(t))
			config := w.config
			config.Cupboard = cupboardOf(config.Sessions)
			other, _ := application(t, config)
			t.Cleanup(func() { _ = other.Close(context.Background()) })
			left := func() int {
				t.Helper()
				n, err := other.RevokeKept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			alice := w.signIn("alice")
			w.Fault(localpool.Revoke, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }))
			c := w.startChild(order{Keeps: true})
			if status := alice.signOutAt(c.url); status >= 400 {
				t.Fatalf("sign-out: status %d", status)
			}
			if !until(time.Minute, func() bool { return left() == 1 }) {
				t.Fatal("the revocation is not kept")
			}
			c.kill()
			w.Fault(localpool.Revoke, nil)
			before := w.Calls(localpool.Revoke)
			w.clock.advance(time.Minute)
			if n := left(); n != 0 {
				t.Errorf("%d are left", n)
			}
			if n := w.Calls(localpool.Revoke) - before; n != 1 {
				t.Errorf("revoked %d times", n)
			}
		})
	}
}

// signOutAt signs a person out at one process, as a page does.
func (p *person) signOutAt(origin string) int {
	p.w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, origin+"/auth/logout", nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range p.cookies() {
		r.AddCookie(c)
	}
	response, err := client.Do(r)
	if err != nil {
		p.w.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
