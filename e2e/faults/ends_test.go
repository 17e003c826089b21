//go:build unix

package faults

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// Redis is killed after a sign-out, and restarts from a snapshot of before it.
func TestS153_RedisForgetsASignOut(t *testing.T) {
	for name, enduring := range map[string]bool{"ends on record": true, "in Redis alone": false} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t, "--appendonly", "no")
			db := openDB(t, "sqlite", "file:"+t.TempDir()+"/ends.db?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
			ends := sqlSessions(t, db, sqlstore.Config{Dialect: sqlstore.SQLite})
			instance := func(clock *clock) session.Store {
				store := redisSessions(t, redisstore.Config{URL: server.url(), Now: clock.Now})
				t.Cleanup(func() { store.Close() })
				if !enduring {
					return store
				}
				s := session.NewEnduringStore(store, ends, session.EnduringConfig{Now: clock.Now})
				t.Cleanup(func() { s.Close() })
				return s
			}
			w := newWorld(t, func(c *codegrant.Config, clock *clock) {
				c.Sessions, c.Replica = instance(clock), sqlUsers(t, db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
			})
			other := w.config
			other.Sessions = instance(w.clock)
			_, handler := application(t, other)
			second := httptest.NewServer(handler)
			t.Cleanup(second.Close)

			alice, bob := w.signIn("alice"), w.signIn("bob")
			for _, origin := range []string{w.url, second.URL} {
				if a := alice.askAt(origin); a.status != 200 {
					t.Fatalf("status %d before the sign-out", a.status)
				}
			}
			server.do(t, "SAVE")
			records, err := w.config.Sessions.List(t.Context(), session.Query{})
			if err != nil {
				t.Fatal(err)
			}
			before := len(records)
			// As a sign-out does; the cookie stays, as whoever has copied it would have it.
			for _, r := range records {
				if s, err := w.config.Sessions.Get(t.Context(), r.ID); err == nil && s.Subject == w.subject("alice") {
					if err := w.config.Sessions.Delete(t.Context(), r.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n := w.sessionsLeft(); n != before-1 {
				t.Fatalf("%d sessions left of %d", n, before)
			}
			w.clock.advance(2 * time.Second) // what others have put on record is read about once a second
			server.kill()
			server.restart(t)
			bob.recovers(30 * time.Second)
			want := 401
			if !enduring {
				want = 200
			}
			for _, origin := range []string{w.url, second.URL} {
				// What the other instance has put on record is read beside requests.
				if !until(time.Minute, func() bool { return alice.askAt(origin).status == want }) {
					t.Errorf("status %d after Redis forgot the sign-out, want %d", alice.askAt(origin).status, want)
				}
				if a := bob.askAt(origin); a.status != 200 {
					t.Errorf("status %d for who has not signed out", a.status)
				}
			}
		})
	}
}

// subject is a user's in the replica, or in the sessions where there is none.
func (w *world) subject(username string) string {
	w.t.Helper()
	for _, u := range w.users() {
		if u.Username == username {
			return u.Subject
		}
	}
	w.t.Fatalf("%s is not in the replica", username)
	return ""
}
