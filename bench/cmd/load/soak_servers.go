//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a Redis or a PostgreSQL of the soak's own, which is killed and started
// again. What either has acknowledged is on disk.
type server struct {
	name, address string
	program       string
	args          []string
	as            *syscall.Credential // nil: as ourselves
	ready         func(ctx context.Context, address string) error
	command       *exec.Cmd     // nil: none runs
	ended         chan struct{} // is closed when it has
}

// start starts it, and waits until it answers a question: while it reads its data back,
// it listens already and refuses. One that ends at once is started again: PostgreSQL
// does for as long as processes of the one before it are left.
func (s *server) start(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		err := s.ready(ctx, s.address)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.kill()
			return fmt.Errorf("%s does not answer on %s: %w", s.name, s.address, err)
		}
		select {
		case <-s.ended:
			if err := s.launch(); err != nil {
				return err
			}
		default:
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) launch() error {
	command := exec.Command(s.program, s.args...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.as}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	ended := make(chan struct{})
	s.command, s.ended = command, ended
	go func() { _ = command.Wait(); close(ended) }()
	return nil
}

// redisReady is nil once Redis answers PING. It then has it write its append-only file
// anew: Redis measures growth from its start, so that one that is killed again and again
// never does that by itself, and takes longer each time to read the file.
func redisReady(_ context.Context, address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	answers := bufio.NewReader(conn)
	for _, exchange := range [][2]string{{"PING", "+PONG"}, {"BGREWRITEAOF", "+Background"}} {
		command, want := exchange[0], exchange[1]
		if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
			return err
		}
		switch answer, err := answers.ReadString('\n'); {
		case err != nil:
			return err
		case !strings.HasPrefix(answer, want):
			return fmt.Errorf("it answers %s with %q", command, strings.TrimSpace(answer))
		}
	}
	return nil
}

// kill is kill -9.
func (s *server) kill() {
	if s.command != nil {
		_ = s.command.Process.Kill()
		<-s.ended
		s.command = nil
	}
}

func newRedis(dir string) (*server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed: the soak starts its own")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	return &server{name: "Redis", address: address, ready: redisReady, program: program, args: []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning",
	}}, nil
}

// postgresReady asks with psql.
func postgresReady(psql string) func(context.Context, string) error {
	return func(ctx context.Context, address string) error {
		host, port, _ := net.SplitHostPort(address)
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		output, err := exec.CommandContext(call, psql, "-X", "-h", host, "-p", port, "-U", "codegrant", "-d", "postgres", "-c", "SELECT 1").CombinedOutput()
		if err != nil {
			return fmt.Errorf("ask PostgreSQL: %w: %s", err, output)
		}
		return nil
	}
}

func newPostgres(ctx context.Context, dir string) (*server, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, errors.New("postgres is not installed: the soak starts its own")
	}
	bin, data := filepath.Dir(found[len(found)-1]), filepath.Join(dir, "postgres")
	psql, err := exec.LookPath("psql")
	if err != nil {
		return nil, errors.New("psql is not installed: the soak asks PostgreSQL with it")
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(data, 0o700)); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	s := &server{name: "PostgreSQL", address: address, ready: postgresReady(psql), program: filepath.Join(bin, "postgres"), args: []string{
		"-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "log_min_messages=panic",
	}}
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
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "codegrant", "--auth=trust", "--encoding=UTF8", "--no-locale")
	initdb.Dir, initdb.SysProcAttr = data, &syscall.SysProcAttr{Credential: s.as}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a database: %w: %s", err, output)
	}
	return s, nil
}
