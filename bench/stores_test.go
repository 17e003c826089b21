package bench

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

type namedStore struct {
	name  string
	store session.Store
}

// stores returns those whose server is there: make bench starts them.
func stores(tb testing.TB) (found []namedStore) {
	tb.Helper()
	if server := os.Getenv("CODEGRANT_TEST_REDIS"); server != "" {
		for name, plain := range map[string]bool{"redis": false, "redis without copies": true} {
			s, err := redisstore.New(redisstore.Config{URL: server, DisableCache: plain, Prefix: fmt.Sprintf("bench:%d:", time.Now().UnixNano())})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { s.Close() })
			found = append(found, namedStore{name, s})
		}
	}
	if server := os.Getenv("CODEGRANT_TEST_POSTGRES"); server != "" {
		schema := fmt.Sprintf("bench_%d", time.Now().UnixNano())
		admin, err := sql.Open("pgx", server)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			_, _ = admin.Exec("DROP SCHEMA " + schema + " CASCADE")
			admin.Close()
		})
		db, err := sql.Open("pgx", server+"&search_path="+schema)
		if err != nil {
			tb.Fatal(err)
		}
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		tb.Cleanup(func() { db.Close() })
		s, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.PostgreSQL})
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.Migrate(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		found = append(found, namedStore{"postgres", s})
	}
	return found
}
