//go:build unix

package faults

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// onPostgres is a world whose sessions and users are in PostgreSQL, at a URL.
// onChange is called within each change of a user.
func onPostgres(t testing.TB, dsn string, onChange func()) (*world, *sql.DB) {
	t.Helper()
	var db *sql.DB
	w := newWorld(t, func(c *codegrant.Config, clock *clock) {
		db = openDB(t, "pgx", dsn)
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		c.Sessions = sqlSessions(t, db, sqlstore.Config{Dialect: sqlstore.PostgreSQL, Now: clock.Now, Timeout: 2 * time.Second})
		c.Replica = sqlUsers(t, db, sqlreplica.Config{
			Dialect: sqlreplica.PostgreSQL, Now: clock.Now,
			OnChange: func(context.Context, *sql.Tx, replica.Change) error {
				if onChange != nil {
					onChange()
				}
				return nil
			},
		})
	})
	return w, db
}

// alicesGroups are those of the pool's seed.
var alicesGroups = []string{"admins", "analysts"}

func TestPostgresIsRestartedWithinATransaction(t *testing.T) {
	server := postgres(t)
	for name, kill := range map[string]func(){
		"killed":    server.kill,
		"shut down": func() { _ = server.signal("fast") },
	} {
		t.Run(name, func(t *testing.T) {
			var once sync.Once
			var armed atomic.Bool
			w, _ := onPostgres(t, server.dsn(server.database(t)), func() {
				if armed.Load() { // the transaction of alice's sign-in is open
					once.Do(kill)
				}
			})
			bob := w.signIn("bob")
			stop := w.traffic(bob)
			armed.Store(true)
			// It is down by the time that the sign-in commits.
			if page := w.trySignIn("alice"); page.Status != 503 {
				t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
			}
			server.kill()
			server.restart(t)
			t.Logf("recovered %v after the server was up", bob.recovers(30*time.Second))
			tally := stop()
			if tally.statuses[503] == 0 || tally.statuses[200] == 0 {
				t.Error("the server was not down beside the requests")
			}
			if users := w.users(); len(users) != 1 {
				t.Errorf("users %+v, want bob alone", users)
			}
			w.signIn("alice")
			w.whole("alice", alicesGroups)
			if n := w.sessionsLeft(); n != 2 {
				t.Errorf("%d sessions, want one of each", n)
			}
		})
	}
}

func TestPostgresIsReadOnly(t *testing.T) {
	server := postgres(t)
	w, _ := onPostgres(t, server.dsn(server.database(t)), nil)
	alice := w.signIn("alice")
	readOnly := func(on string) {
		t.Helper()
		if err := server.admin("ALTER SYSTEM SET default_transaction_read_only = "+on, "SELECT pg_reload_conf()"); err != nil {
			t.Fatal(err)
		}
		if !until(30*time.Second, func() bool { return server.readOnly(t) == on }) {
			t.Fatal("the setting is not taken")
		}
	}
	t.Cleanup(func() { readOnly("off") })
	readOnly("on")
	// Whose tokens live goes on, also where the session would be touched.
	alice.want(200)
	if page := w.trySignIn("bob"); page.Status != 503 {
		t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
	}
	// Whose tokens have ended waits: no lease, so nothing was asked of the pool that
	// could not be kept.
	w.clock.advance(90 * time.Minute)
	before := w.Calls("token")
	alice.want(503)
	if n := w.Calls("token") - before; n != 0 {
		t.Errorf("the pool was asked %d times for tokens that nobody can keep", n)
	}
	readOnly("off")
	w.clock.advance(20 * time.Second) // past the back-off
	alice.recovers(30 * time.Second)
	w.signIn("bob")
	w.whole("bob", []string{"editors"})
}

func TestPostgresIsOutOfConnections(t *testing.T) {
	server := postgres(t)
	name := server.database(t)
	w, db := onPostgres(t, server.dsn(name), nil)
	alice := w.signIn("alice")
	db.SetMaxIdleConns(0) // none is kept for later
	var held []*sql.Conn
	release := func() {
		for _, c := range held {
			c.Close()
		}
		held = nil
	}
	defer release()
	hog := openDB(t, "pgx", server.dsn("postgres"))
	hog.SetMaxIdleConns(0)
	for {
		c, err := hog.Conn(t.Context())
		if err != nil {
			if !strings.Contains(err.Error(), "53300") {
				t.Fatal(err)
			}
			break
		}
		held = append(held, c)
	}
	alice.flood(5*visitors, 20*time.Second, 503)
	if page := w.trySignIn("bob"); page.Status != 503 {
		t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
	}
	release()
	t.Logf("recovered after %v", alice.recovers(30*time.Second))
	w.signIn("bob")
}

// The application has all connections of its own pool in use.
func TestDatabasePoolIsExhausted(t *testing.T) {
	server := postgres(t)
	w, db := onPostgres(t, server.dsn(server.database(t)), nil)
	alice := w.signIn("alice")
	db.SetMaxOpenConns(2)
	var held []*sql.Conn
	for range 2 {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	alice.flood(2*visitors, 20*time.Second, 503)
	for _, c := range held {
		c.Close()
	}
	alice.recovers(30 * time.Second)
}

// Connections stay open, and nothing comes back: the machine is gone, or a firewall
// has forgotten them.
func TestPostgresHangs(t *testing.T) {
	server := postgres(t)
	name := server.database(t)
	p := startProxy(t, server.address())
	u, err := url.Parse(server.dsn(name))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = p.Listen
	w, _ := onPostgres(t, u.String(), nil)
	alice := w.signIn("alice")
	p.hang()
	var wg sync.WaitGroup
	wg.Go(func() {
		began := time.Now()
		if page := w.trySignIn("bob"); page.Status != 503 || time.Since(began) > 25*time.Second {
			t.Errorf("sign-in: status %d after %v: %s", page.Status, time.Since(began), page.Body)
		}
	})
	alice.flood(2*visitors, 20*time.Second, 503)
	wg.Wait()
	p.heal()
	t.Logf("recovered after %v", alice.recovers(30*time.Second))
	w.signIn("bob")
}

// signal asks the server to shut down, in one of its modes, and waits until it has.
func (s *postgresServer) signal(mode string) error {
	return s.run("pg_ctl", "stop", "-D", s.data(), "-m", mode, "-w", "-t", "20")
}

// readOnly says whether new transactions can write.
func (s *postgresServer) readOnly(t testing.TB) (value string) {
	t.Helper()
	db, err := sql.Open("pgx", s.dsn("postgres"))
	if err == nil {
		defer db.Close()
		err = db.QueryRow("SHOW default_transaction_read_only").Scan(&value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}
