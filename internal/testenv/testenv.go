// Package testenv tells tests where the servers and programs are that they need.
// It refuses to start any: make test does, and passes their addresses on in the
// environment. Tests that end a server, or need several, start their own.
//
// A test whose server is not there is skipped by name, so that go test ./...
// passes on any machine. Where CODEGRANT_TEST_REQUIRE is set, as make test does
// once it has found or installed everything, such a test fails instead.
package testenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// RedisServer returns the path of redis-server, for a test that starts its own.
func RedisServer(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server", "install it")
	}
	return path
}

// PostgresBin returns the folder of PostgreSQL's programs, for a test that starts a
// server of its own.
func PostgresBin(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("initdb")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); err != nil && len(found) > 0 {
		path = found[len(found)-1] // where Debian keeps them
	} else if err != nil {
		missing(t, "PostgreSQL", "install postgresql")
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the others are beside that
	}
	return filepath.Dir(path)
}

// FreeAddress returns an address of this machine that nobody listens on, for a server
// whose address must be known before it listens. Its port is below those that the
// kernel hands out by itself, so that no listener on port 0 comes in between, of which
// tests beside this one make hundreds. Until the test ends, no other test on this
// machine gets it, of this process or another one.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, release, err := ReserveAddress()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return address
}

// ReserveAddress is FreeAddress for a server that several tests share. No other test
// gets the address until release is called, or this process ends.
func ReserveAddress() (address string, release func(), err error) {
	taken := filepath.Join(os.TempDir(), fmt.Sprintf("codegrant-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(taken, 0o700); err != nil {
		return "", nil, err
	}
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		held, err := os.OpenFile(filepath.Join(taken, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if lock(held, false) == nil {
			if l, err := net.Listen("tcp", address); err == nil {
				_ = l.Close()
				return address, func() { _ = held.Close() }, nil
			}
		}
		_ = held.Close()
	}
	return "", nil, errors.New("no port from 10000 to 29999 is free")
}

// Chromium returns the path of the browser.
func Chromium(t testing.TB) string {
	t.Helper()
	return lookup(t, "Chromium", "CODEGRANT_TEST_CHROMIUM")
}

// Django returns a Python interpreter that has Django, its REST framework and what a
// project needs to verify tokens and reach PostgreSQL: the one that the environment
// names, or else the system's, which Debian's packages are for.
func Django(t testing.TB) string {
	t.Helper()
	python := os.Getenv("CODEGRANT_TEST_DJANGO")
	if python == "" {
		python = "/usr/bin/python3"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import django, rest_framework, jose, psycopg2").Run(); err != nil {
		missing(t, "Django", "install python3-django python3-djangorestframework python3-jose python3-psycopg2, or set CODEGRANT_TEST_DJANGO to an interpreter that has them")
	}
	return python
}

// Node returns the path of Node.js, and a temporary folder with the programs of a
// folder and the packages that its package-lock.json names, which npm brings. No
// package runs anything as it is installed.
func Node(t testing.TB, programs string) (node, folder string) {
	t.Helper()
	folder = t.TempDir()
	return NodeIn(t, programs, folder), folder
}

// NodeIn is Node for a folder of the caller's, which may outlast the test.
func NodeIn(t testing.TB, programs, folder string) (node string) {
	t.Helper()
	node, err := exec.LookPath("node")
	npm, err2 := exec.LookPath("npm")
	if err != nil || err2 != nil {
		missing(t, "Node.js", "install nodejs and npm")
		return ""
	}
	if err := os.CopyFS(folder, os.DirFS(programs)); err != nil {
		t.Fatal(err)
	}
	ci := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
	ci.Dir = folder
	if out, err := ci.CombinedOutput(); err != nil {
		t.Logf("npm ci: %v\n%s", err, out)
		missing(t, "packages of npm", "let npm reach its registry")
	}
	return node
}

// Module returns the folder of a Go module that a test reads files of. The module in
// folder names its version and its sum, and the go command brings it.
func Module(t testing.TB, folder, path string) string {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path)
	download.Dir = folder
	download.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	out, err := download.Output()
	var module struct{ Dir, Error string }
	if err2 := json.Unmarshal(out, &module); err != nil || err2 != nil || module.Dir == "" {
		t.Logf("go mod download: %v %s", err, module.Error)
		missing(t, path, "let the go command reach a module proxy")
	}
	return module.Dir
}

// Program returns the path of a program, such as nginx, that a package of the same
// name brings.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, folder := range []string{"", "/usr/sbin/", "/usr/local/sbin/"} {
		if path, err := exec.LookPath(folder + name); err == nil {
			return path
		}
	}
	missing(t, name, "install the package "+name)
	return name
}

// File returns the path of a file that a package brings.
func File(t testing.TB, path, from string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(t, path, "install the package "+from)
	}
	return path
}

// Commit ends a test by name that builds an older program, where the clone does not go back to
// that commit. It is the one thing that no package brings: a shallow clone is nobody's fault.
func Commit(t testing.TB, commit string) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		t.Skipf("the history of this clone does not go back to %s: git fetch --unshallow", commit)
	}
}

// Mount mounts a disk in memory of that size on a folder, until the test ends. It ends a test by
// name whose user may not mount anything: no package brings that right.
func Mount(t testing.TB, size, folder string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no disk of its own: %v: %s", err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// missing ends a test whose server or program is not there.
func missing(t testing.TB, what, help string) {
	t.Helper()
	if os.Getenv("CODEGRANT_TEST_REQUIRE") != "" {
		t.Fatalf("%s is required: %s", what, help)
		return
	}
	t.Skipf("no %s: run make test, or %s", what, help)
}

func lookup(t testing.TB, what, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		missing(t, what, "set "+variable)
	}
	return value
}
