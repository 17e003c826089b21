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

// MySQLDatabase is a database of its own of [MySQL], empty, as a data source name. The test
// imports the driver. The database goes when the test ends.
func MySQLDatabase(t testing.TB) string {
	t.Helper()
	server := MySQL(t)
	admin, err := sql.Open("mysql", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "codegrant_" + strings.ToLower(rand.Text()[:16])
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	before := server[:strings.LastIndexByte(server, '/')+1] // the driver looks for it in the same way
	_, options, _ := strings.Cut(server[len(before):], "?")
	return before + name + "?" + options
}
