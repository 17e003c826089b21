package bench

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

type namedStore struct {
	name  string
	store session.Store
	redis rueidis.Client // to count what it is asked; nil: it is no Redis
}

// contend measures one address, and counts what Redis is asked for: where copies are
// measured, it is to be nothing.
func (s namedStore) contend(b *testing.B, address string, browsers cookies) {
	b.Run(s.name, func(b *testing.B) {
		if s.redis == nil {
			measure(b, address, browsers)
			return
		}
		before := s.asked(b)
		measure(b, address, browsers)
		b.ReportMetric(float64(s.asked(b)-before)/float64(b.N), "redis-gets/op")
	})
}

var gets = regexp.MustCompile(`(?m)^cmdstat_get:calls=(\d+)`)

// asked is how often Redis has been asked for a record.
func (s namedStore) asked(tb testing.TB) int {
	tb.Helper()
	text, err := s.redis.Do(tb.Context(), s.redis.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		tb.Fatal(err)
	}
	match := gets.FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// stores returns those whose server is there: make bench starts them.
func stores(tb testing.TB) (found []namedStore) {
	tb.Helper()
	if server := os.Getenv("CODEGRANT_TEST_REDIS"); server != "" {
		option, err := rueidis.ParseURL(server)
		if err != nil {
			tb.Fatal(err)
		}
		client, err := rueidis.NewClient(option)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(client.Close)
		for _, way := range []struct {
			name  string
			plain bool
		}{{"redis", false}, {"redis without copies", true}} {
			s, err := redisstore.New(redisstore.Config{URL: server, DisableCache: way.plain, Prefix: fmt.Sprintf("bench:%d:", time.Now().UnixNano())})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { s.Close() })
			found = append(found, namedStore{way.name, s, client})
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
		found = append(found, namedStore{"postgres", s, nil})
	}
	return found
}
