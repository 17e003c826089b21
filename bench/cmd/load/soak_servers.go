//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
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
	command       *exec.Cmd
}

// start starts it, and waits until it answers on its port.
func (s *server) start(ctx context.Context) error {
	s.command = exec.Command(s.program, s.args...)
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.as}
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if conn, err := net.DialTimeout("tcp", s.address, time.Second); err == nil {
			conn.Close()
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.kill()
			return fmt.Errorf("%s does not listen on %s", s.name, s.address)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kill is kill -9.
func (s *server) kill() {
	if s.command != nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
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
	return &server{name: "Redis", address: address, program: program, args: []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning",
	}}, nil
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
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(data, 0o700)); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	s := &server{name: "PostgreSQL", address: address, program: filepath.Join(bin, "postgres"), args: []string{
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
