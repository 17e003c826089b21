//go:build unix

package faults

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// onSQLite is a world whose sessions and users are in one file.
func onSQLite(t testing.TB, dsn string) (*world, *sql.DB) {
	t.Helper()
	var db *sql.DB
	w := newWorld(t, func(c *codegrant.Config, clock *clock) {
		db = openDB(t, "sqlite", dsn)
		db.SetMaxOpenConns(sqliteConns)
		db.SetMaxIdleConns(sqliteConns)
		c.Sessions = sqlSessions(t, db, sqlstore.Config{Dialect: sqlstore.SQLite, Now: clock.Now})
		c.Replica = sqlUsers(t, db, sqlreplica.Config{Dialect: sqlreplica.SQLite, Now: clock.Now})
	})
	return w, db
}

const sqliteConns = 4

func sqliteDSN(dir string) string {
	return "file:" + filepath.Join(dir, "codegrant.db") + "?_txlock=immediate&_pragma=busy_timeout(3000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"
}

// smallDisk is a folder that holds little, and what fills it and makes room again. Where
// a file system may not be mounted, it is the database that may not grow.
func smallDisk(t testing.TB) (dsn string, fill, free func(*sql.DB)) {
	t.Helper()
	dir := t.TempDir()
	if output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no disk of our own (%s), so that the database has a limit instead", bytes.TrimSpace(output))
		return sqliteDSN(dir), func(db *sql.DB) { limit(t, db, 1) }, func(db *sql.DB) { limit(t, db, 1<<20) }
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, output)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill = func(*sql.DB) {
		file, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for size := 1 << 16; size > 0; {
			if _, err := file.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, syscall.ENOSPC) {
				size /= 2
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return sqliteDSN(dir), fill, func(*sql.DB) {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiskIsFull(t *testing.T) {
	dsn, fill, free := smallDisk(t)
	w, db := onSQLite(t, dsn)
	alice := w.signIn("alice")
	for i := range 20 {
		w.AddUser(fmt.Sprint("user", i), fmt.Sprintf("user%d@example.com", i), "staff")
	}
	fill(db)
	// What is free within its own files is soon used up.
	var refused string
	for i := range 20 {
		name := fmt.Sprint("user", i)
		if page := w.trySignIn(name); page.Status == 503 {
			refused = name
			break
		} else if page.Status != 200 {
			t.Fatalf("sign-in: status %d: %s", page.Status, page.Body)
		}
	}
	if refused == "" {
		t.Fatal("the disk is not full")
	}
	alice.flood(5*visitors, 20*time.Second, 200) // to read takes no room
	w.clock.advance(2 * time.Hour)               // to refresh does
	before := w.Calls("token")
	alice.want(503)
	if n := w.Calls("token") - before; n != 0 {
		t.Errorf("the pool was asked %d times for tokens that nobody can keep", n)
	}
	for _, u := range w.users() {
		if u.Username != "alice" {
			w.whole(u.Username, []string{"staff"})
		}
	}
	free(db)
	w.clock.advance(time.Minute)
	alice.recovers(30 * time.Second)
	w.signIn(refused)
	w.whole(refused, []string{"staff"})
	w.whole("alice", alicesGroups)
}

// limit keeps the database from growing over so many pages, or over its size.
func limit(t testing.TB, db *sql.DB, pages int) {
	t.Helper()
	for range sqliteConns { // each has a limit of its own
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
}
