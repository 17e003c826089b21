package webhook

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/cutdb"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const testIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// rig is a replica with an outbox, and the table beside it.
type rig struct {
	db    *sql.DB
	users *sqlreplica.Store
	queue *Queue
	cut   *cutdb.Cut
}

// eachEngine runs a test on an empty database of every engine.
func eachEngine(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Run("SQLite", func(t *testing.T) { f(t, newRig(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server := testenv.Postgres(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		admin(t, "pgx", server, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", name)
		u.RawQuery = q.Encode()
		f(t, openRig(t, "pgx", u.String(), sqlreplica.PostgreSQL, PostgreSQL))
	})
	t.Run("MySQL", func(t *testing.T) {
		server := testenv.MySQL(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		admin(t, "mysql", server, "CREATE DATABASE "+name, "DROP DATABASE "+name)
		config, err := mysql.ParseDSN(server)
		if err != nil {
			t.Fatal(err)
		}
		config.DBName, config.InterpolateParams = name, true
		f(t, openRig(t, "mysql", config.FormatDSN(), sqlreplica.MySQL, MySQL))
	})
}

func newRig(t *testing.T) *rig {
	return openRig(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+
		"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(off)&_txlock=immediate", sqlreplica.SQLite, SQLite)
}

func openRig(t *testing.T, driver, dsn string, d sqlreplica.Dialect, dialect Dialect) *rig {
	t.Helper()
	db, cut := cutdb.Open(t, driver, dsn)
	r := &rig{db: db, cut: cut}
	var err error
	if r.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: d, Outbox: &sqlreplica.Outbox{}}); err != nil {
		t.Fatal(err)
	}
	if r.queue, err = NewQueue(db, dialect); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there
		if err := r.queue.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func admin(t *testing.T, driver, dsn, before, after string) {
	t.Helper()
	run := func(statement string) {
		t.Helper()
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(before)
	t.Cleanup(func() { run(after) })
}

// state has the pool say that a person has a name.
func (r *rig) state(t *testing.T, subject, name string) {
	t.Helper()
	_, err := r.users.Apply(t.Context(), replica.Snapshot{Issuer: testIssuer, Subject: subject, Username: subject, Name: name, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) sender(t *testing.T, endpoints ...Endpoint) *Sender {
	t.Helper()
	s, err := NewSender(Config{Outbox: r.users, Queue: r.queue, Endpoints: endpoints, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) size(t *testing.T, endpoint string) (waiting, dead int64) {
	t.Helper()
	all, err := r.queue.Sizes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Endpoint == endpoint {
			return s.Waiting, s.Dead
		}
	}
	return 0, 0
}

func secret(t testing.TB) (string, Secret) {
	t.Helper()
	text := NewSecret()
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return text, s
}

func named(i int) string { return fmt.Sprintf("person-%d", i) }
