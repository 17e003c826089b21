package sqldialect_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/internal/testenv"
)

// eachEngine runs a test on an empty database of every engine.
func eachEngine(t *testing.T, f func(t *testing.T, d sqldialect.Dialect, db *sql.DB)) {
	for d, open := range map[sqldialect.Dialect]func(t *testing.T) (driver, dsn string){
		sqldialect.SQLite: func(t *testing.T) (driver, dsn string) {
			return "sqlite", "file:" + t.TempDir() + "/a.db?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)"
		},
		sqldialect.PostgreSQL: func(t *testing.T) (driver, dsn string) { return "pgx", testenv.PostgresSchema(t) },
		sqldialect.MySQL:      func(t *testing.T) (driver, dsn string) { return "mysql", testenv.MySQLDatabase(t) },
	} {
		t.Run(d.String(), func(t *testing.T) {
			db, err := sql.Open(open(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			f(t, d, db)
		})
	}
}

// TestTables: ten processes make tables at once; then both questions find these, and no other.
func TestTables(t *testing.T) {
	eachEngine(t, func(t *testing.T, d sqldialect.Dialect, db *sql.DB) {
		if there, err := sqldialect.HasTable(t.Context(), db, d, "shop_orders"); there || err != nil {
			t.Fatalf("HasTable of an empty database = %v, %v", there, err)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := sqldialect.Make(t.Context(), db, []string{
					"CREATE TABLE IF NOT EXISTS shop_orders (id BIGINT NOT NULL PRIMARY KEY)", "CREATE TABLE IF NOT EXISTS shop_people (id BIGINT NOT NULL PRIMARY KEY)",
					"CREATE TABLE IF NOT EXISTS another (id BIGINT NOT NULL PRIMARY KEY)",
				}); err != nil {
					t.Errorf("Make = %v", err)
				}
			})
		}
		wg.Wait()
		for name, want := range map[string]bool{"shop_orders": true, "shop": false, "shop_": false, "": false, "' OR '' = '": false} {
			if there, err := sqldialect.HasTable(t.Context(), db, d, name); there != want || err != nil {
				t.Errorf("HasTable(%q) = %v, %v, want %v", name, there, err, want)
			}
		}
		names, err := sqldialect.Tables(t.Context(), db, d, "shop")
		slices.Sort(names)
		if want := []string{"shop_orders", "shop_people"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("Tables = %v, %v, want %v", names, err, want)
		}
		// The second attempt of a statement that cannot succeed fails, too.
		if err := sqldialect.Make(t.Context(), db, []string{"CREATE TABLE shop_orders (id BIGINT)"}); err == nil {
			t.Error("Make says that it made a table that was there")
		}
	})
}

func TestMySQLNumber(t *testing.T) {
	fault := &mysql.MySQLError{Number: 1062, Message: "Duplicate entry"}
	for name, tt := range map[string]struct {
		err  error
		want uint64
	}{
		"itself":            {fault, 1062},
		"wrapped":           {fmt.Errorf("a: %w", fmt.Errorf("b: %w", fault)), 1062},
		"one of several":    {fmt.Errorf("%w, then %w", errors.New("a"), fmt.Errorf("c: %w", fault)), 1062},
		"of nobody":         {errors.New("Error 1062: Duplicate entry"), 0},
		"nothing":           {nil, 0},
		"several of nobody": {errors.Join(errors.New("a"), errors.New("b")), 0},
	} {
		if got, ok := sqldialect.MySQLNumber(tt.err); got != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, tt.want)
		}
	}
}
