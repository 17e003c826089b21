package sqlreplica

import (
	"database/sql"
	"testing"
)

// OutboxStore returns a store with an outbox for tests from outside, its database and
// the name of that.
func OutboxStore(t *testing.T, d Dialect) (*Store, *sql.DB, string) {
	t.Helper()
	e := testEngines[d-SQLite]
	dsn := e.create(t)
	db := (&spy{}).open(t, e.driver, dsn)
	s, err := New(db, Config{Dialect: d, Outbox: &Outbox{}})
	if err == nil {
		err = s.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, db, dsn
}
