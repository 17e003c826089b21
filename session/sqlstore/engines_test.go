package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/testenv"
)

// testEngine is an engine that tests can have empty databases of.
type testEngine struct {
	name    string
	dialect Dialect
	driver  string
	create  func(t *testing.T) (dsn string)
}

var testEngines = []testEngine{
	{"SQLite", SQLite, "sqlite", sqliteDSN},
	{"PostgreSQL", PostgreSQL, "pgx", postgresDSN},
	{"MySQL", MySQL, "mysql", mysqlDSN},
}

// waysToTalk are other ways to talk to the same engines, for the suite.
var waysToTalk = []testEngine{
	// As behind PgBouncer, which knows no prepared statements of ours.
	{"PostgreSQL/simple protocol", PostgreSQL, "pgx", func(t *testing.T) string {
		return postgresDSN(t) + "&default_query_exec_mode=simple_protocol"
	}},
	{"MySQL/interpolated, rows found are counted", MySQL, "mysql", func(t *testing.T) string {
		return mysqlDSN(t) + "&interpolateParams=true&clientFoundRows=true"
	}},
	{"MySQL/another character set", MySQL, "mysql", func(t *testing.T) string { return mysqlDSN(t) + "&charset=latin1" }},
}

func sqliteDSN(t *testing.T) string {
	return "file:" + filepath.Join(t.TempDir(), "sessions.db") +
		"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(off)"
}

func eachEngine(t *testing.T, f func(t *testing.T, e testEngine)) {
	for _, e := range testEngines {
		t.Run(e.name, func(t *testing.T) { f(t, e) })
	}
}

func openDB(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db
}

// store returns a store on an empty database that is migrated.
func (e testEngine) store(t *testing.T, config Config) (*Store, *sql.DB) {
	t.Helper()
	db := openDB(t, e.driver, e.create(t))
	config.Dialect = e.dialect
	config.Timeout = cmp.Or(config.Timeout, time.Minute) // the machine may be busy with other tests
	s, err := New(db, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, db
}

// postgresDSN makes a schema and returns a URL that works in it.
func postgresDSN(t *testing.T) string {
	server := testenv.Postgres(t)
	name := "codegrant_" + strings.ToLower(rand.Text()[:16])
	admin(t, "pgx", server, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String()
}

// mysqlDSN makes a database whose own collation folds what it can.
func mysqlDSN(t *testing.T) string {
	server := testenv.MySQL(t)
	name := "codegrant_" + strings.ToLower(rand.Text()[:16])
	admin(t, "mysql", server, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE "+name)
	config, err := mysql.ParseDSN(server)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = name
	return config.FormatDSN()
}

// admin runs a statement on a server, and another one when the test is over.
func admin(t *testing.T, driver, dsn, before, after string) {
	t.Helper()
	run := func(ctx context.Context, statement string) {
		t.Helper()
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(t.Context(), before)
	t.Cleanup(func() { run(context.Background(), after) })
}
