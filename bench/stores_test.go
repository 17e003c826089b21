package bench

import (
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	redis rueidis.Client // to count what it is asked; nil: it is not Redis
}

// contend measures one address, and what Redis does for it: where copies are measured,
// it must be asked for nothing.
func (s namedStore) contend(b *testing.B, address string, browsers cookies) {
	b.Run(s.name, func(b *testing.B) {
		if s.redis == nil {
			measure(b, address, browsers, func() {})
			return
		}
		var gets, busy float64
		measure(b, address, browsers, func() { gets, busy = s.info(b, "cmdstat_get:calls="), s.busy(b) })
		b.ReportMetric((s.info(b, "cmdstat_get:calls=")-gets)/float64(b.N), "redis-gets/op")
		b.ReportMetric((s.busy(b)-busy)*1e9/float64(b.N), "redis-cpu-ns/op")
	})
}

// busy is the time on the processor that Redis has had, in seconds.
func (s namedStore) busy(tb testing.TB) float64 {
	return s.info(tb, "used_cpu_user:") + s.info(tb, "used_cpu_sys:")
}

// info is a number that Redis says of itself, after a label; 0 where it says none.
func (s namedStore) info(tb testing.TB, label string) float64 {
	tb.Helper()
	text, err := s.redis.Do(tb.Context(), s.redis.B().Info().Section("commandstats", "cpu").Build()).ToString()
	if err != nil {
		tb.Fatal(err)
	}
	_, after, ok := strings.Cut(text, "\n"+label)
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(after[:strings.IndexAny(after, ",\r")], 64)
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
