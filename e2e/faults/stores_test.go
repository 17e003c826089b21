//go:build unix

package faults

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session/redisstore"
)

// killable is a world, and the server that its sessions are in.
type killable struct {
	*world
	kill    func()
	restart func(testing.TB)
}

var killables = map[string]func(t testing.TB) killable{
	"Redis": func(t testing.TB) killable {
		server := startRedis(t)
		return killable{onRedis(t, redisstore.Config{URL: server.url()}), server.kill, server.restart}
	},
	"PostgreSQL": func(t testing.TB) killable {
		server := postgres(t)
		w, _ := onPostgres(t, server.dsn(server.database(t)), nil)
		return killable{w, server.kill, server.restart}
	},
}

// TestStoreIsGoneWithinARefresh has the store go away while the pool makes new tokens.
// They exist nowhere else, and are kept once it is back.
func TestStoreIsGoneWithinARefresh(t *testing.T) {
	for name, open := range killables {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			if err := w.SetRotation(w.ClientID, true, 0); err != nil {
				t.Fatal(err)
			}
			alice := w.signIn("alice")
			w.clock.advance(61 * time.Minute)
			before := w.Calls(localpool.Token)
			down := make(chan struct{})
			w.Fault(localpool.Token, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.Fault(localpool.Token, nil)
				answer := httptest.NewRecorder()
				w.Pool.Server.ServeHTTP(answer, r)
				w.kill()
				close(down)
				rw.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
				rw.WriteHeader(answer.Code)
				_, _ = rw.Write(answer.Body.Bytes())
			}))
			done := make(chan answer)
			go func() { done <- alice.ask() }()
			<-down
			w.restart(t)
			up := time.Now()
			w.check(<-done)
			alice.recovers(30 * time.Second)
			if took := time.Since(up); took > 30*time.Second {
				t.Errorf("served %v after the store was back", took)
			}
			if n := w.Calls(localpool.Token) - before; n != 2 { // as we counted it, one of them twice
				t.Errorf("%d refreshes", n-1)
			}
			w.clock.advance(61 * time.Minute)
			alice.want(200) // with the token that was kept
		})
	}
}

// TestSignOutWhileTheStoreIsGone: the browser forgets the session, and the person is
// not told that it has ended.
func TestSignOutWhileTheStoreIsGone(t *testing.T) {
	for name, open := range killables {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			alice := w.signIn("alice")
			w.kill()
			page := alice.browser.Open(w.url + "/auth/logout")
			if page.Status != 503 {
				t.Errorf("status %d: %s", page.Status, page.Body)
			}
			for _, c := range alice.cookies() {
				if strings.HasPrefix(c.Name, "codegrant") {
					t.Errorf("the browser still has %s", c.Name)
				}
			}
			w.restart(t)
			if page := alice.browser.Open(w.url + "/start"); page.Status != 200 {
				t.Errorf("signed in again: status %d: %s", page.Status, page.Body)
			}
			alice.want(200)
		})
	}
}
