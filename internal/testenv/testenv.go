// Package testenv tells tests where the servers and programs are that they need.
// It refuses to start any: make test does, and passes their addresses on in the
// environment.
//
// A test whose server is not there is skipped by name, so that go test ./...
// passes on any machine. Where CODEGRANT_TEST_REQUIRE is set, as make test does
// once it has found or installed everything, such a test fails instead.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// Postgres returns the URL of a PostgreSQL server, for pgx. The user may create
// databases and schemas; a test makes its own and shares nothing with others.
func Postgres(t testing.TB) string {
	t.Helper()
	return lookup(t, "PostgreSQL", "CODEGRANT_TEST_POSTGRES")
}

// MySQL returns the data source name of a MySQL or MariaDB server, for
// go-sql-driver. The user may create databases; a test makes its own.
func MySQL(t testing.TB) string {
	t.Helper()
	return lookup(t, "MySQL or MariaDB", "CODEGRANT_TEST_MYSQL")
}

// Redis returns the URL of a Redis server. A test keeps to keys of its own.
func Redis(t testing.TB) string {
	t.Helper()
	return lookup(t, "Redis", "CODEGRANT_TEST_REDIS")
}

// Chromium returns the path of the browser.
func Chromium(t testing.TB) string {
	t.Helper()
	return lookup(t, "Chromium", "CODEGRANT_TEST_CHROMIUM")
}

// Django returns the path of a Python interpreter that can import Django: the one
// that the environment names, or else the system's, which Debian's python3-django
// is for.
func Django(t testing.TB) string {
	t.Helper()
	python := os.Getenv("CODEGRANT_TEST_DJANGO")
	if python == "" {
		python = "/usr/bin/python3"
	}
	output, err := exec.CommandContext(t.Context(), python, "-c", "import django").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CODEGRANT_TEST_REQUIRE") != "":
		t.Fatalf("Django is required and %s does not import it: %v\n%s", python, err, output)
	default:
		t.Skipf("no Django: %s does not import it (%v); install python3-django, or set CODEGRANT_TEST_DJANGO to an interpreter that does", python, err)
	}
	return python
}

func lookup(t testing.TB, what, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	switch {
	case value != "":
	case os.Getenv("CODEGRANT_TEST_REQUIRE") != "":
		t.Fatalf("%s is required and %s is not set", what, variable)
	default:
		t.Skipf("no %s: run make test, or set %s", what, variable)
	}
	return value
}
