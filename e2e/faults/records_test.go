//go:build unix

package faults

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// TestS311_ADamagedRecord: whatever became of a record in the store, its person is not
// signed in, the log says why, nobody else notices, and signing in mends it.
func TestS311_ADamagedRecord(t *testing.T) {
	damaged := func(t *testing.T, w *world, alice, bob *person) {
		t.Helper()
		w.log.forget()
		if a := alice.ask(); a.status != 401 {
			t.Errorf("with a damaged record: status %d: %s", a.status, a.body)
		}
		if !strings.Contains(w.log.tail(), "session record unreadable") {
			t.Error("the log does not tell of it")
		}
		bob.want(200)
		if page := alice.browser.Open(w.url + "/start"); page.Status != 200 {
			t.Errorf("signing in again: status %d: %s", page.Status, page.Body)
		}
	}
	t.Run("Redis", func(t *testing.T) {
		server := startRedis(t)
		w := onRedis(t, redisstore.Config{URL: server.url(), DisableCache: true})
		bob := w.signIn("bob")
		keys := func(t *testing.T) []string {
			t.Helper()
			return strings.Fields(strings.Trim(server.do(t, "KEYS", "*s:*"), "[]"))
		}
		do := func(t *testing.T, words ...string) { t.Helper(); server.do(t, words...) }
		text := func(t *testing.T, key string) string { t.Helper(); return server.do(t, "GET", key) }
		var bobs string
		for _, key := range keys(t) {
			if !strings.Contains(text(t, key), session.OncePool) { // which is the mark of a callback
				bobs = key
			}
		}
		for name, damage := range map[string]func(t *testing.T, key string){
			"empty":           func(t *testing.T, key string) { do(t, "SET", key, "") },
			"text":            func(t *testing.T, key string) { do(t, "SET", key, "{}") },
			"cut short":       func(t *testing.T, key string) { do(t, "SET", key, text(t, key)[:70]) },
			"cut to its head": func(t *testing.T, key string) { do(t, "SET", key, text(t, key)[:40]) },
			"another's":       func(t *testing.T, key string) { do(t, "SET", key, text(t, bobs)) },
			"a newer format":  func(t *testing.T, key string) { do(t, "SETRANGE", key, "0", "\x07") },
			"one bit": func(t *testing.T, key string) {
				other := map[string]string{"0": "1", "1": "0"}[server.do(t, "GETBIT", key, "1600")]
				do(t, "SETBIT", key, "1600", other)
			},
			"a list": func(t *testing.T, key string) { do(t, "DEL", key); do(t, "RPUSH", key, "a") },
			"a hash": func(t *testing.T, key string) { do(t, "DEL", key); do(t, "HSET", key, "a", "b") },
			"zeros":  func(t *testing.T, key string) { do(t, "SET", key, strings.Repeat("\x00", 500)) },
			"lengths that lie": func(t *testing.T, key string) {
				do(t, "SETRANGE", key, "58", "\xff\xff\xff\xff")
			},
		} {
			t.Run(name, func(t *testing.T) {
				alice := w.signIn("alice")
				for _, key := range keys(t) {
					if key != bobs {
						damage(t, key)
					}
				}
				damaged(t, w, alice, bob)
				for _, key := range keys(t) {
					if key != bobs {
						do(t, "DEL", key)
					}
				}
			})
		}
	})
	t.Run("SQL", func(t *testing.T) {
		db := openDB(t, "sqlite", "file:"+t.TempDir()+"/sessions.db?_pragma=busy_timeout(5000)")
		w := newWorld(t, func(c *codegrant.Config, clock *clock) {
			c.Sessions = sqlSessions(t, db, sqlstore.Config{Dialect: sqlstore.SQLite, Now: clock.Now})
		})
		bob := w.signIn("bob")
		var bobs string
		if err := db.QueryRow("SELECT id FROM codegrant_sessions WHERE pool <> ?1", session.OncePool).Scan(&bobs); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]string{
			"empty":       "sealed = x''",
			"one byte":    "sealed = x'01'",
			"text":        "sealed = 'text'",
			"another's":   "sealed = (SELECT sealed FROM codegrant_sessions WHERE id = ?1)",
			"other types": "created = 'yesterday'",
			"another sub": "subject = (SELECT subject FROM codegrant_sessions WHERE id = ?1)",
			"long ends":   "lease_until = 'x', expires = 9e18",
		} {
			t.Run(name, func(t *testing.T) {
				alice := w.signIn("alice")
				if _, err := db.Exec("UPDATE codegrant_sessions SET "+change+" WHERE id <> ?1", bobs); err != nil {
					t.Fatal(err)
				}
				damaged(t, w, alice, bob)
				if _, err := db.Exec("DELETE FROM codegrant_sessions WHERE id <> ?1", bobs); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// slowly has the pool make its next tokens at once, and answer a while later.
func (w *world) slowly(after time.Duration) {
	w.Fault(localpool.Token, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Fault(localpool.Token, nil)
		answer := httptest.NewRecorder()
		w.Pool.Server.ServeHTTP(answer, r)
		select {
		case <-time.After(after):
		case <-r.Context().Done():
		}
		rw.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	}))
}

// TestS312_ASlowTokenEndpoint: what the pool has rotated is waited for, though it takes
// longer than a request does to be given up, and no grace brings the old token back.
func TestS312_ASlowTokenEndpoint(t *testing.T) {
	w := newWorld(t, func(*codegrant.Config, *clock) {})
	if err := w.SetRotation(w.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	alice := w.signIn("alice")
	w.clock.advance(61 * time.Minute)
	w.slowly(16 * time.Second)
	if a := alice.want(503); a.took < 14*time.Second || a.took > 40*time.Second {
		t.Errorf("answered after %v", a.took)
	}
	alice.recovers(time.Minute)
	w.clock.advance(61 * time.Minute)
	alice.want(200) // with the token that was kept
}
