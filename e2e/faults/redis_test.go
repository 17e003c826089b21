//go:build unix

package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session/redisstore"
)

// onRedis is a world whose sessions are in Redis.
func onRedis(t testing.TB, config redisstore.Config) *world {
	t.Helper()
	return newWorld(t, func(c *codegrant.Config, clock *clock) {
		config.Now = clock.Now
		store := redisSessions(t, config)
		t.Cleanup(func() { store.Close() })
		c.Sessions = store
	})
}

func TestRedisIsGone(t *testing.T) {
	for name, noCopies := range map[string]bool{"with copies": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			w := onRedis(t, redisstore.Config{URL: server.url(), DisableCache: noCopies})
			alice, bob := w.signIn("alice"), w.signIn("bob")
			stop := w.traffic(alice, bob)
			server.kill()
			if !until(30*time.Second, func() bool { return alice.ask().status == 503 }) {
				t.Error("a session is served that could have been ended elsewhere")
			}
			if page := w.trySignIn("alice"); page.Status != 503 || !strings.Contains(page.Body, "/auth/login") {
				t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
			}
			server.restart(t)
			t.Logf("recovered %v after the server was up", alice.recovers(30*time.Second))
			bob.recovers(30 * time.Second)
			stop()
			w.signIn("alice")
		})
	}
}

// TestRedisReadsItsData: Redis is back, and refuses everything until it has its data.
func TestRedisReadsItsData(t *testing.T) {
	server := startRedis(t, "--appendonly", "no", "--rdbcompression", "no", "--loading-process-events-interval-bytes", "1024")
	w := newWorld(t, func(c *codegrant.Config, clock *clock) {
		store := redisSessions(t, redisstore.Config{URL: server.url(), Now: clock.Now})
		t.Cleanup(func() { store.Close() })
		c.Sessions, c.Cupboard = store, store.Cupboard()
	})
	alice, bob, leaving := w.signIn("alice"), w.signIn("bob"), w.signIn("bob")
	server.do(t, "EVAL", "for i = 1, 1000 do redis.call('SET', 'filler' .. i, string.rep('x', 2000)) end return 1", "0")
	server.do(t, "SAVE")
	stop := w.traffic(alice, bob)
	server.kill()
	args, ready := server.args, server.ready
	server.args = func(port int) []string { return append(args(port), "--key-load-delay", "60000") } // a minute for all of it
	server.ready = func() error {
		if err := ready(); err == nil || !strings.Contains(err.Error(), `"-LOAD"`) {
			return fmt.Errorf("it does not read its data: %w", errors.Join(err, errors.New("or has")))
		}
		return nil
	}
	server.restart(t)
	alice.want(503)
	if page := w.trySignIn("alice"); page.Status != 503 || !strings.Contains(page.Body, "/auth/login") {
		t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
	}
	w.clock.advance(61 * time.Minute) // the tokens have ended
	before := w.Calls(localpool.Token)
	alice.want(503)
	if n := w.Calls(localpool.Token) - before; n != 0 {
		t.Errorf("the pool was asked %d times for tokens that could not be kept", n)
	}
	if page := leaving.browser.Open(w.url + "/auth/logout"); page.Status != 503 {
		t.Errorf("sign-out: status %d: %s", page.Status, page.Body)
	}
	server.do(t, "CONFIG", "SET", "key-load-delay", "0")
	alice.recovers(time.Minute)
	bob.recovers(time.Minute)
	stop()
	w.signIn("alice")
}

func TestRedisIsSlow(t *testing.T) {
	server := startRedis(t)
	p := startProxy(t, server.address())
	w := onRedis(t, redisstore.Config{URL: "redis://" + p.Listen, Timeout: 3 * time.Second, CacheFor: 100 * time.Millisecond})
	alice := w.signIn("alice")

	p.slow(50) // within what it may take
	alice.flood(5*visitors, 20*time.Second, 200)
	p.heal()

	p.hang()
	w.check(alice.ask()) // a copy, if there is one yet
	if !until(30*time.Second, func() bool { return alice.ask().status == 503 }) {
		t.Error("a copy outlives its time")
	}
	alice.flood(visitors, 20*time.Second, 503)
	if page := w.trySignIn("bob"); page.Status != 503 {
		t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
	}
	p.heal()
	t.Logf("recovered after %v", alice.recovers(30*time.Second))
	w.signIn("bob")
}

// What Redis forgets is over: people sign in anew, at once.
func TestRedisIsRestartedEmpty(t *testing.T) {
	server := startRedis(t, "--appendonly", "no")
	w := onRedis(t, redisstore.Config{URL: server.url(), CacheFor: time.Hour})
	alice := w.signIn("alice")
	for range 3 {
		alice.want(200)
	}
	server.kill()
	server.restart(t)
	if !until(30*time.Second, func() bool { return alice.ask().status == 401 }) {
		t.Fatal("a session is served that its store has forgotten")
	}
	// A browser goes through the pool, which knows the person still, and is back.
	before := w.Calls(localpool.Authorize)
	if page := alice.browser.Open(w.url + "/start"); page.Status != 200 || !strings.HasPrefix(page.Body, "alice in ") {
		t.Errorf("a browser is at %s, status %d", page.URL, page.Status)
	}
	if n := w.Calls(localpool.Authorize) - before; n != 1 {
		t.Errorf("%d sign-ins", n)
	}
	alice.want(200)
}

func TestRedisFailsOver(t *testing.T) {
	first := startRedis(t)
	second := startRedis(t, "--replicaof", "127.0.0.1", strconv.Itoa(first.port))
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	rules := "sentinel monitor primary 127.0.0.1 " + strconv.Itoa(first.port) + " 1\n" +
		"sentinel down-after-milliseconds primary 500\nsentinel failover-timeout primary 3000\n"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startRedis(t, "--sentinel", file)
	replicates := func() bool {
		return strings.Contains(second.do(t, "INFO", "replication"), "master_link_status:up") &&
			strings.Contains(sentinel.do(t, "SENTINEL", "REPLICAS", "primary"), strconv.Itoa(second.port))
	}
	if !until(30*time.Second, replicates) {
		t.Fatal("the replica is not one")
	}
	w := onRedis(t, redisstore.Config{URL: sentinel.url() + "?master=primary"})
	alice, bob := w.signIn("alice"), w.signIn("bob")
	first.do(t, "WAIT", "1", "5000")
	stop := w.traffic(alice, bob)
	first.kill()
	began := time.Now()
	if !until(30*time.Second, func() bool { return alice.ask().status == 503 }) {
		t.Error("a session is served that could have been ended elsewhere")
	}
	alice.recovers(60 * time.Second)
	t.Logf("on the replica %v after the primary was killed", time.Since(began))
	bob.recovers(30 * time.Second)
	stop()
	w.signIn("alice")
}

// The address stays, and leads to another server, as managed services do it. The one
// that was the primary refuses to write from then on.
func TestRedisPrimaryMoves(t *testing.T) {
	first := startRedis(t)
	second := startRedis(t, "--replicaof", "127.0.0.1", strconv.Itoa(first.port))
	if !until(30*time.Second, func() bool { return strings.Contains(second.do(t, "INFO", "replication"), "master_link_status:up") }) {
		t.Fatal("the replica is not one")
	}
	relay := startRelay(t, first.address())
	w := onRedis(t, redisstore.Config{URL: "redis://" + relay.address()})
	alice := w.signIn("alice")
	first.do(t, "WAIT", "1", "5000")
	stop := w.traffic(alice)
	second.do(t, "REPLICAOF", "NO", "ONE")
	first.do(t, "REPLICAOF", "127.0.0.1", strconv.Itoa(second.port))
	relay.to.Store(second.address()) // connections that there are stay where they are
	began := time.Now()
	if !until(30*time.Second, func() bool { return w.trySignIn("bob").Status == 200 }) {
		t.Error("nobody can sign in: connections to the server that was the primary are kept")
	}
	t.Logf("signed in %v after the primary moved", time.Since(began))
	stop()
	alice.want(200)
}
