package testenv

import (
	"crypto/rand"
	"database/sql"
	"strings"
	"testing"
)

// PostgresSchema is a schema of its own of [Postgres], empty, as a data source name. The
// test imports the driver, pgx. The schema goes with the server.
func PostgresSchema(t testing.TB) string {
	t.Helper()
	server := Postgres(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := "codegrant_" + strings.ToLower(rand.Text()[:16])
	if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	return server + "&search_path=" + name
}
