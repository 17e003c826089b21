//go:build unix

package faults

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/internal/testenv"
)

// server is a program of a test's own, which can be killed and started again.
type server struct {
	name  string
	port  int
	args  func(port int) []string
	as    *syscall.Credential // nil: as ourselves
	ready func() error
	log   bytes.Buffer
	leash io.WriteCloser // it is killed when this is closed, also by our own end
	wait  func()

	release func() // gives the port to others
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start starts the program and waits until it is ready.
func (s *server) start() error {
	args := append([]string{"-c", `"$@" & cat >/dev/null; kill -9 $! 2>/dev/null; wait`, "sh"}, s.args(s.port)...)
	command := exec.Command("sh", args...)
	s.log.Reset()
	command.Stdout, command.Stderr = &s.log, &s.log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	leash, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	s.leash, s.wait = leash, func() { _ = command.Wait() }
	if !until(30*time.Second, func() bool { return s.ready() == nil }) {
		err := s.ready()
		s.kill()
		return fmt.Errorf("%s does not start: %w: %s", s.name, err, s.log.String())
	}
	return nil
}

// kill is kill -9.
func (s *server) kill() {
	if s.leash == nil {
		return
	}
	s.leash.Close()
	s.leash = nil
	s.wait()
}

// restart starts the program again after kill.
func (s *server) restart(t testing.TB) {
	t.Helper()
	var err error
	if !until(30*time.Second, func() bool { err = s.start(); return err == nil }) {
		t.Fatal(err)
	}
}

// launch starts a server on a port that no other test gets.
func launch(s *server) error {
	var err error
	for range 5 { // another program may take the port
		var address string
		if address, s.release, err = testenv.ReserveAddress(); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(address)
		if s.port, err = strconv.Atoi(port); err != nil {
			return err
		}
		if err = s.start(); err == nil {
			return nil
		}
		s.release()
	}
	return err
}

// until polls until something is true, or it has taken too long.
func until(limit time.Duration, true func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if true() {
			return !time.Now().After(end.Add(time.Second))
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// redisServer is a Redis that loses nothing that it has acknowledged.
type redisServer struct{ server }

func startRedis(t testing.TB, more ...string) *redisServer {
	t.Helper()
	program, dir := testenv.RedisServer(t), t.TempDir()
	s := &redisServer{}
	s.name = "redis-server"
	s.args = func(port int) []string {
		if len(more) > 0 && more[0] == "--sentinel" {
			return []string{program, more[1], "--sentinel", "--port", strconv.Itoa(port), "--bind", "127.0.0.1"}
		}
		return slices.Concat([]string{
			program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		}, more)
	}
	s.ready = func() error {
		conn, err := net.Dial("tcp", s.address())
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			return err
		}
		answer := make([]byte, 5)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+PONG" {
			return fmt.Errorf("answered %q, %w", answer, errors.Join(err, errors.New("not PONG")))
		}
		return nil
	}
	if err := launch(&s.server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill(); s.release() })
	return s
}

func (s *redisServer) url() string { return "redis://" + s.address() }

// do sends one command, and returns the answer as text.
func (s *redisServer) do(t testing.TB, words ...string) string {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.address()}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(t.Context(), client.B().Arbitrary(words...).Build()).ToAny()
	if err != nil {
		t.Fatalf("%s: %v", words, err)
	}
	return fmt.Sprint(answer)
}

// postgresServer is a PostgreSQL with databases of the tests' own.
type postgresServer struct {
	server
	bin, dir string
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

// run runs one of PostgreSQL's programs.
func (s *postgresServer) run(program string, args ...string) error {
	command := exec.Command(filepath.Join(s.bin, program), args...)
	command.Dir, command.SysProcAttr = s.data(), &syscall.SysProcAttr{Credential: s.as}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, output)
	}
	return nil
}

// sharedPostgres is made when the first test asks for it, since that takes a while.
// Whoever kills it or changes its settings brings it back.
var sharedPostgres struct {
	sync.Once
	*postgresServer
	err error
}

// postgres returns the running server.
func postgres(t testing.TB) *postgresServer {
	t.Helper()
	bin := testenv.PostgresBin(t)
	sharedPostgres.Do(func() { sharedPostgres.postgresServer, sharedPostgres.err = newPostgres(bin) })
	if sharedPostgres.err != nil {
		t.Fatal(sharedPostgres.err)
	}
	return sharedPostgres.postgresServer
}

func newPostgres(bin string) (*postgresServer, error) {
	dir, err := os.MkdirTemp("", "codegrant-faults-")
	if err != nil {
		return nil, err
	}
	s := &postgresServer{bin: bin, dir: dir}
	s.name = "postgres"
	data := s.data()
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(data, 0o700)); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // it refuses to run as root
		nobody, err := user.Lookup("nobody")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(data, uid, gid); err != nil {
			return nil, err
		}
	}
	if err := s.run("initdb", "-D", data, "-U", "codegrant", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"); err != nil {
		return nil, err
	}
	s.args = func(port int) []string {
		return []string{
			filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
			"-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "fsync=off",
		}
	}
	s.ready = func() error { return s.admin("SELECT 1") }
	return s, launch(&s.server)
}

// end is for when all tests are over.
func (s *postgresServer) end() {
	s.kill()
	os.RemoveAll(s.dir)
}

func (s *postgresServer) dsn(database string) string {
	return "postgres://codegrant@" + s.address() + "/" + database + "?sslmode=disable"
}

func (s *postgresServer) admin(statements ...string) error {
	db, err := sql.Open("pgx", s.dsn("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// database makes one that ends with the test, and returns its name.
func (s *postgresServer) database(t testing.TB) string {
	t.Helper()
	name := "d" + strings.ToLower(rand.Text()[:16])
	if err := s.admin("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return name
}
