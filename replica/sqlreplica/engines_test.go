package sqlreplica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/testenv"
)

// newYork has hours that do not exist, and others that exist twice.
var newYork, _ = time.LoadLocation("America/New_York")

// testEngine is an engine that tests can have empty databases of.
type testEngine struct {
	name    string
	dialect Dialect
	driver  string
	create  func(t testing.TB) (dsn string)
}

var testEngines = []testEngine{
	{"SQLite", SQLite, "sqlite", sqliteDSN("_txlock=immediate")},
	{"PostgreSQL", PostgreSQL, "pgx", postgresDSN(nil)},
	{"MySQL", MySQL, "mysql", mysqlDSN(func(*mysql.Config) {})},
}

// otherWays are further ways to connect to the same engines, which the contract
// is kept over as well.
var otherWays = []testEngine{
	{"SQLite with deferred transactions", SQLite, "sqlite", sqliteDSN("_txlock=deferred")},
	{"PostgreSQL as behind a pooler", PostgreSQL, "pgx", postgresDSN(map[string]string{"default_query_exec_mode": "simple_protocol"})},
	{"PostgreSQL serializable", PostgreSQL, "pgx", postgresDSN(map[string]string{"default_transaction_isolation": "serializable"})},
	{"MySQL with times parsed in another zone", MySQL, "mysql", mysqlDSN(func(c *mysql.Config) {
		c.ParseTime, c.InterpolateParams, c.Loc = true, true, newYork
		c.Params = map[string]string{"time_zone": "'-05:00'"}
	})},
}

// eachEngine runs a test on an empty database of every engine that is there.
func eachEngine(t *testing.T, f func(t *testing.T, e testEngine)) {
	for _, e := range testEngines {
		t.Run(e.name, func(t *testing.T) {
			switch e.dialect { // a test that does its work in tests of its own is to be skipped as a whole
			case PostgreSQL:
				testenv.Postgres(t)
			case MySQL:
				testenv.MySQL(t)
			}
			f(t, e)
		})
	}
}

// open returns an empty database, and the spy before it.
func (e testEngine) open(t *testing.T) (*sql.DB, *spy) {
	t.Helper()
	s := &spy{}
	db := s.open(t, e.driver, e.create(t))
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db, s
}

// store returns a store on an empty database that is migrated.
func (e testEngine) store(t *testing.T, config Config) (*Store, *spy) {
	t.Helper()
	return e.shelved(t, config)
}

func sqliteDSN(options string) func(testing.TB) string {
	return func(t testing.TB) string {
		return "file:" + filepath.Join(t.TempDir(), "replica.db") +
			"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(off)&" + options
	}
}

// postgresDSN makes a schema and returns a URL that works in it.
func postgresDSN(options map[string]string) func(testing.TB) string {
	return func(t testing.TB) string { return postgresSchema(t, options) }
}

func postgresSchema(t testing.TB, options map[string]string) string {
	server := testenv.Postgres(t)
	name := "codegrant_" + strings.ToLower(rand.Text()[:16])
	admin(t, "pgx", server, "CREATE SCHEMA "+name, "DROP SCHEMA "+name+" CASCADE")
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", name)
	for name, value := range options {
		query.Set(name, value)
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // a plus is one to PostgreSQL
	return u.String()
}

// mysqlDSN makes a database whose own collation folds what it can, and returns a
// name that works in it.
func mysqlDSN(edit func(*mysql.Config)) func(testing.TB) string {
	return func(t testing.TB) string {
		server := testenv.MySQL(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		admin(t, "mysql", server, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE "+name)
		config, err := mysql.ParseDSN(server)
		if err != nil {
			t.Fatal(err)
		}
		config.DBName, config.ParseTime = name, false
		edit(config)
		return config.FormatDSN()
	}
}

// admin runs a statement on a server, and another one when the test is over.
func admin(t testing.TB, driver, dsn, before, after string) {
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
