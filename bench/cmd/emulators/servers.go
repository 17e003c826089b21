//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	motoVersion         = "moto[server]==5.2.5"
	cognitoLocalVersion = "cognito-local@5.3.0"

	region    = "eu-west-1"
	password  = "Passw0rd!"
	withLogin = 200 // so many users have a password: to hash one takes a while
)

// server is one that was started.
type server struct {
	name, address, pool, client string
	command                     *exec.Cmd
	ended                       chan struct{}
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		_ = s.command.Process.Kill()
		<-s.ended
	}
}

func (s *server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// execute runs a command to its end.
func execute(ctx context.Context, dir, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, output)
	}
	return nil
}

// begin starts a server and waits until it listens.
func begin(ctx context.Context, name, dir, address, program string, args ...string) (*server, error) {
	log, err := os.CreateTemp("", "codegrant-emulators-*.log")
	if err != nil {
		return nil, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	command := exec.CommandContext(ctx, program, args...)
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if host, port, err := net.SplitHostPort(address); err == nil {
		command.Env = append(os.Environ(), "HOST="+host, "PORT="+port)
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, address: address, command: command, ended: make(chan struct{})}
	go func() { _ = command.Wait(); close(s.ended) }()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(500 * time.Microsecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return s, conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) || s.over() {
			s.stop()
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s does not listen; it says:\n%s", name, said)
		}
	}
}

// attributes are those of a user, by number.
func attributes(n int) map[string]string {
	return map[string]string{
		"email": fmt.Sprintf("user%06d@example.com", n), "phone_number": fmt.Sprintf("+1555%07d", n), "name": fmt.Sprintf("Person %06d", n),
		"given_name": fmt.Sprintf("Given%06d", n), "family_name": fmt.Sprintf("Family%06d", n), "preferred_username": fmt.Sprintf("pref%06d", n), "sub": subOf(n),
	}
}

func subOf(n int) string    { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761%(1<<32), n) }
func username(n int) string { return fmt.Sprintf("user%06d", n) }

// signsIn reports whether a user has a password: they are all over the pool.
func (o options) signsIn(n int) bool {
	return n%(o.users/withLogin) == 0 && n/(o.users/withLogin) < withLogin
}

// login is one of those who sign in.
func (o options) login(n int) string { return username(n % withLogin * (o.users / withLogin)) }

func (o options) disabled(n int) bool { return n%50 == 49 && !o.signsIn(n) }

// localPool loads the users by a snapshot of a pool that was asked for its form.
func (o options) localPool(ctx context.Context, program, dir string) (*server, error) {
	seed := `pools:
  - id: eu-west-1_Emulators
    name: large
    clients: [{id: emulators, auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]}]
    users:
`
	for n := range withLogin {
		seed += fmt.Sprintf("      - {username: %s, password: %s}\n", o.login(n), password)
	}
	file, kept := filepath.Join(dir, "pool.yaml"), filepath.Join(dir, "pool.json")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		return nil, err
	}
	address, err := free()
	if err != nil {
		return nil, err
	}
	first, err := begin(ctx, "codegrant pool", dir, address, program, "pool", "--listen", address, "--seed", file, "--state", kept)
	if err != nil {
		return nil, err
	}
	first.stop()
	if err := o.fill(kept); err != nil {
		return nil, err
	}
	s, err := begin(ctx, "codegrant pool", dir, address, program, "pool", "--listen", address, "--seed", file, "--state", kept)
	if err == nil {
		s.pool, s.client = "eu-west-1_Emulators", "emulators"
	}
	return s, err
}

// fill gives the pool of a state file the rest of the users.
func (o options) fill(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var state map[string]json.RawMessage
	var pools []map[string]json.RawMessage
	var users []map[string]any
	if err := json.Unmarshal(b, &state); err != nil {
		return err
	}
	if err := json.Unmarshal(state["pools"], &pools); err != nil {
		return err
	}
	if err := json.Unmarshal(pools[0]["users"], &users); err != nil {
		return err
	}
	made := make(map[any]map[string]any, len(users))
	for _, u := range users {
		made[u["username"]] = u
	}
	now := time.Now().UTC()
	users = users[:0]
	for n := range o.users {
		u := made[username(n)]
		if u == nil {
			u = map[string]any{"username": username(n), "status": "CONFIRMED", "groups": []string{}, "created": now, "modified": now, "password": "", "locked_until": time.Time{}}
		}
		u["order"], u["attributes"], u["enabled"] = n+1, attributes(n), !o.disabled(n)
		users = append(users, u)
	}
	if pools[0]["users"], err = json.Marshal(users); err != nil {
		return err
	}
	if state["pools"], err = json.Marshal(pools); err != nil {
		return err
	}
	if b, err = json.Marshal(state); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// motoServer fills moto's own state, and serves it.
const motoServer = `
import json, sys
from moto.cognitoidp.models import cognitoidp_backends, CognitoIdpUser
from moto.server import main
backend = cognitoidp_backends["123456789012"]["eu-west-1"]
pool = backend.create_user_pool("large", {})
client = backend.create_user_pool_client(pool.id, False, {"ClientName": "large", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]})
for line in open(sys.argv[2]):
    u = json.loads(line)
    user = CognitoIdpUser(pool.id, u["Username"], "Passw0rd!", "CONFIRMED", [{"Name": k, "Value": v} for k, v in u["Attributes"].items()])
    user.enabled = u["Enabled"]
    pool.users[user.username] = user
print(pool.id, client.id, file=open(sys.argv[3], "w"))
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
`

// cache is where packages of others stay from run to run.
func cache(name string) (folder string, there bool, err error) {
	folder, err = os.UserCacheDir()
	if err != nil {
		return "", false, err
	}
	folder = filepath.Join(folder, "codegrant-tests", "emulators", name)
	_, missing := os.Stat(filepath.Join(folder, "complete"))
	return folder, missing == nil, nil
}

func complete(folder string) error {
	return os.WriteFile(filepath.Join(folder, "complete"), nil, 0o600)
}

func (o options) moto(ctx context.Context, dir string) (*server, error) {
	folder, there, err := cache(motoVersion)
	if err != nil {
		return nil, err
	}
	if !there {
		o.progress("install %s", motoVersion)
		if err := execute(ctx, "", "python3", "-m", "venv", "--clear", folder); err != nil {
			return nil, err
		}
		if err := execute(ctx, "", filepath.Join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", motoVersion); err != nil {
			return nil, err
		}
		if err := complete(folder); err != nil {
			return nil, err
		}
	}
	o.progress("fill moto")
	var lines strings.Builder
	for n := range o.users {
		b, err := json.Marshal(map[string]any{"Username": username(n), "Attributes": attributes(n), "Enabled": !o.disabled(n)})
		if err != nil {
			return nil, err
		}
		lines.Write(append(b, '\n'))
	}
	program, users, ids := filepath.Join(dir, "serve.py"), filepath.Join(dir, "users.json"), filepath.Join(dir, "moto.ids")
	if err := os.WriteFile(users, []byte(lines.String()), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(program, []byte(motoServer), 0o600); err != nil {
		return nil, err
	}
	address, err := free()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	s, err := begin(ctx, strings.Replace(motoVersion, "[server]==", " ", 1), dir, address, filepath.Join(folder, "bin", "python"), program, port, users, ids)
	if err != nil {
		return nil, err
	}
	said, err := os.ReadFile(ids)
	if err == nil {
		_, err = fmt.Sscan(string(said), &s.pool, &s.client)
	}
	return s, err
}

// cognitoLocal loads the users by the file in which it keeps them.
func (o options) cognitoLocal(ctx context.Context, dir string) (*server, error) {
	folder, there, err := cache(cognitoLocalVersion)
	if err != nil {
		return nil, err
	}
	if !there {
		o.progress("install %s", cognitoLocalVersion)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		if err := execute(ctx, folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, cognitoLocalVersion); err != nil {
			return nil, err
		}
		if err := complete(folder); err != nil {
			return nil, err
		}
	}
	o.progress("fill cognito-local")
	const pool = "local_Large"
	type attribute struct{ Name, Value string }
	users := make(map[string]any, o.users)
	for n := range o.users {
		var list []attribute
		for name, value := range attributes(n) {
			list = append(list, attribute{name, value})
		}
		users[username(n)] = map[string]any{
			"Username": username(n), "Password": password, "Attributes": list, "Enabled": !o.disabled(n), "UserStatus": "CONFIRMED", "RefreshTokens": []string{},
			"UserCreateDate": "2026-01-01T00:00:00.000Z", "UserLastModifiedDate": "2026-01-01T00:00:00.000Z",
		}
	}
	home := filepath.Join(dir, "cognito-local")
	if err := os.MkdirAll(filepath.Join(home, ".cognito", "db"), 0o700); err != nil {
		return nil, err
	}
	for name, content := range map[string]any{
		"clients": map[string]any{"Clients": map[string]any{"emulators": map[string]any{
			"ClientId": "emulators", "ClientName": "emulators", "UserPoolId": pool, "RefreshTokenValidity": 30,
			"ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		}}},
		pool: map[string]any{"Users": users, "Groups": map[string]any{}, "Options": map[string]any{"Id": pool, "Name": "large", "UsernameAttributes": []string{}}},
	} {
		b, err := json.Marshal(content)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(home, ".cognito", "db", name+".json"), b, 0o600); err != nil {
			return nil, err
		}
	}
	address, err := free()
	if err != nil {
		return nil, err
	}
	s, err := begin(ctx, strings.Replace(cognitoLocalVersion, "@", " ", 1), home, address, "node", filepath.Join(folder, "node_modules", "cognito-local", "lib", "bin", "start.js"))
	if err == nil {
		s.pool, s.client = pool, "emulators"
	}
	return s, err
}
