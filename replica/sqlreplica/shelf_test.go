package sqlreplica

import (
	"context"
	"database/sql"
	"os"
	"sync"
	"testing"
	"time"
)

// A shelf keeps databases that are migrated and empty, for the next test: to make one
// takes an engine longer than most tests do.
type shelf struct {
	mu    sync.Mutex
	free  map[string][]shelved // by engine and kind of tables
	atEnd []func()
}

// shelved is a database with its connections.
type shelved struct {
	db  *sql.DB
	spy *spy
}

var shelves = shelf{free: make(map[string][]shelved)}

func clearShelf() {
	for i := len(shelves.atEnd) - 1; i >= 0; i-- {
		shelves.atEnd[i]()
	}
}

// outliving is a test whose database outlives it.
type outliving struct{ testing.TB }

func (outliving) Context() context.Context { return context.Background() }

func (outliving) Cleanup(f func()) {
	shelves.mu.Lock()
	defer shelves.mu.Unlock()
	shelves.atEnd = append(shelves.atEnd, f)
}

func (o outliving) TempDir() string {
	folder, err := os.MkdirTemp("", "codegrant-test-")
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// shelved returns a store on an empty database that is migrated. When the test is
// over the database is emptied and goes back, unless the test has done something to
// the tables themselves.
func (e testEngine) shelved(t *testing.T, config Config) (*Store, *spy) {
	t.Helper()
	kind := e.name
	if config.Django != nil {
		kind += ", Django"
	}
	shelves.mu.Lock()
	var d shelved
	if n := len(shelves.free[kind]); n > 0 {
		d, shelves.free[kind] = shelves.free[kind][n-1], shelves.free[kind][:n-1]
	}
	shelves.mu.Unlock()
	fresh := d.db == nil
	if fresh {
		t := outliving{t}
		d.spy = &spy{}
		d.db = d.spy.open(t, e.driver, e.create(t))
	}
	db, spy := d.db, d.spy
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	config.Dialect = e.dialect
	s, err := New(db, config)
	if err != nil {
		t.Fatal(err)
	}
	if fresh {
		if config.Django != nil {
			for _, statement := range djangoSchema[e.dialect] {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		spy.altered = false
	}
	spy.reset()
	t.Cleanup(func() {
		spy.stopping(nil)
		spy.mu.Lock()
		altered := spy.altered
		spy.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if altered || e.empty(ctx, s) != nil {
			db.Close()
			return
		}
		shelves.mu.Lock()
		defer shelves.mu.Unlock()
		shelves.free[kind] = append(shelves.free[kind], d)
	})
	return s, spy
}

// empty takes everything out of the tables of a store, and has their IDs begin at one.
func (e testEngine) empty(ctx context.Context, s *Store) error {
	tables := []string{"codegrant_history", "codegrant_group_history", "codegrant_history_start", "codegrant_erasures", "codegrant_memberships", "codegrant_confirmations", "codegrant_outbox", "codegrant_groups", "codegrant_users"}
	numbered := []string{"codegrant_outbox", "codegrant_groups", "codegrant_users"}
	if s.tables.view() == &djangoView {
		tables = append([]string{"codegrant_stated"}, tables...)
		tables = append(tables, "auth_user_groups", "auth_group", "auth_user")
		numbered = []string{"codegrant_outbox", "auth_group", "auth_user"}
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var statements []string
	if e.dialect == MySQL {
		// Rows that were deleted a moment ago still lock what is beside them.
		statements = append(statements, "SET FOREIGN_KEY_CHECKS = 0")
		for _, table := range tables {
			statements = append(statements, "TRUNCATE TABLE "+table)
		}
		statements = append(statements, "SET FOREIGN_KEY_CHECKS = 1")
	} else {
		for _, table := range tables {
			statements = append(statements, "DELETE FROM "+table)
		}
	}
	switch e.dialect {
	case SQLite:
		statements = append(statements, "DELETE FROM sqlite_sequence WHERE name <> '"+versionTableName+"'")
	case PostgreSQL:
		for _, table := range numbered {
			statements = append(statements, "SELECT setval(pg_get_serial_sequence('"+table+"', 'id'), 1, false)")
		}
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
