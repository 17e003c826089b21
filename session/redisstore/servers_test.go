package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// redisServer is a Redis of a test's own, which can be killed and started again.
type redisServer struct {
	t       testing.TB
	program string
	port    int
	dir     string
	args    []string
	leash   io.WriteCloser // the server is killed when this is closed, also by our own end
	command *exec.Cmd
}

// startRedis starts a Redis on a free port, with arguments of redis-server.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	s := &redisServer{t: t, program: testenv.RedisServer(t), dir: t.TempDir(), args: args}
	for range 5 { // somebody else may take the port
		s.port = freePort(t)
		if s.start() {
			t.Cleanup(s.kill)
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func (s *redisServer) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }
func (s *redisServer) url() string     { return "redis://" + s.address() }

// start reports whether the server came up. It keeps its data in memory, or where
// args say appendonly, in a folder.
func (s *redisServer) start() bool {
	args := slices.Concat([]string{
		s.program, "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--save", "", "--appendonly", "no", "--dir", s.dir,
	}, s.args)
	if len(s.args) > 0 && s.args[0] == "--sentinel" {
		args = slices.Concat([]string{s.program}, s.args[1:], []string{"--sentinel", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1"})
	}
	s.command = exec.Command("sh", append([]string{"-c", `"$@" >/dev/null 2>&1 & cat >/dev/null; kill -9 $!`, "sh"}, args...)...)
	leash, err := s.command.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.leash = leash
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	up := until(10*time.Second, s.answers)
	if !up {
		s.kill()
	}
	return up
}

// answers reports whether the server answers a command, if only with a refusal. It
// does so once all its ports listen, the one for TLS too. A port that listens says less.
func (s *redisServer) answers() bool {
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err == nil
}

// kill is kill -9.
func (s *redisServer) kill() {
	if s.leash == nil {
		return
	}
	s.leash.Close()
	s.leash = nil
	_ = s.command.Wait()
	until(patience, func() bool {
		conn, err := net.Dial("tcp", s.address())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// pause has the server do nothing, and keep its connections, until resume. The client
// is one of the server's.
func (s *redisServer) pause(client rueidis.Client) (resume func()) {
	s.t.Helper()
	info := must(s.t, client, "INFO", "server")
	text, _ := info.ToString()
	_, text, _ = strings.Cut(text, "process_id:")
	id, _, _ := strings.Cut(text, "\r\n")
	signal := func(name string) {
		s.t.Helper()
		if out, err := exec.Command("sh", "-c", `kill -s "$0" "$1"`, name, id).CombinedOutput(); err != nil {
			s.t.Fatalf("signal %s to redis-server: %v: %s", name, err, out)
		}
	}
	signal("STOP")
	return func() { s.t.Helper(); signal("CONT") }
}

func (s *redisServer) restart() {
	s.t.Helper()
	if !until(patience, s.start) {
		s.t.Fatal("redis-server does not start again")
	}
}

// freePort returns a port that no other test has, and whose companion of a cluster's bus,
// 10,000 above, is not one that the kernel hands out by itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		_, text, _ := net.SplitHostPort(testenv.FreeAddress(t))
		if port, err := strconv.Atoi(text); err == nil && port < 20_000 {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// patience is how long a test waits for what happens at once, unless the machine is
// busy, and without which it would not happen at all: copies that no word arrives of
// are kept for an hour where it matters.
const patience = time.Minute

// until polls until something is true, or it has taken too long.
func until(limit time.Duration, true func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
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

// rawClient talks to one server about it.
func rawClient(t testing.TB, address string, password ...string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{address}, Password: strings.Join(password, ""), ForceSingleClient: true, DisableCache: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// hostOf returns the address in the URL of a server.
func hostOf(t testing.TB, url string) string {
	t.Helper()
	target, err := parseURL(url, false)
	if err != nil {
		t.Fatal(err)
	}
	return target.addresses[0]
}

func must(t testing.TB, client rueidis.Client, words ...string) rueidis.RedisMessage {
	t.Helper()
	m, err := client.Do(context.Background(), client.B().Arbitrary(words...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return m
}

// calls finds in INFO commandstats how often a command was called.
func calls(stats, command string) string {
	_, after, _ := strings.Cut(stats, "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(after, ",")
	return n
}

// startCluster starts three nodes and returns them when every one knows of all slots.
func startCluster(t testing.TB) []*redisServer {
	t.Helper()
	var nodes []*redisServer
	var clients []rueidis.Client
	for range 3 {
		node := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "yes")
		nodes, clients = append(nodes, node), append(clients, rawClient(t, node.address()))
	}
	for i, client := range clients {
		words := []string{"CLUSTER", "ADDSLOTS"}
		for slot := i * slots / 3; slot < (i+1)*slots/3; slot++ {
			words = append(words, strconv.Itoa(slot))
		}
		must(t, client, words...)
		must(t, client, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range nodes[1:] {
		must(t, clients[0], "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(node.port))
	}
	for _, client := range clients {
		ok := until(patience, func() bool {
			m := must(t, client, "CLUSTER", "INFO")
			info, _ := m.ToString()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
		if !ok {
			t.Fatal("the nodes do not form a cluster")
		}
	}
	return nodes
}

func clusterURL(nodes []*redisServer) string {
	var addresses []string
	for _, node := range nodes {
		addresses = append(addresses, node.address())
	}
	return "redis://" + strings.Join(addresses, ",")
}

// open returns a store with a prefix of its own, unless config has one, and with
// patience, unless config has its own.
func open(t testing.TB, config Config) *Store {
	t.Helper()
	if config.Prefix == "" {
		config.Prefix = "test:" + rand.Text() + ":"
	}
	if config.Timeout == 0 {
		config.Timeout = patience
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, 0).Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

// record is a live session of alice's.
func record(id string) session.Record {
	now := time.Now()
	return session.Record{
		ID: id, Pool: "pool", Subject: "alice", Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("sealed " + id),
	}
}

func create(t testing.TB, s *Store, records ...session.Record) {
	t.Helper()
	for _, r := range records {
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// refused reports whether a store says that a session is not there.
func refused(t testing.TB, s *Store, id string) bool {
	t.Helper()
	_, err := s.Get(t.Context(), id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		t.Fatal(err)
	}
	return err != nil
}

// proxy stands between a store and its server, and can stop passing on what the
// server says while every connection seems well.
type proxy struct {
	net.Listener
	to    string
	mu    sync.Mutex
	muted bool
	conns []net.Conn
	made  int
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			to := p.to
			p.mu.Unlock()
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns, p.made = append(p.conns, client, server), p.made+1
			p.mu.Unlock()
			go func() { _, _ = io.Copy(server, client); server.Close() }()
			go p.back(client, server)
		}
	}()
	return p
}

func (p *proxy) back(client, server net.Conn) {
	defer client.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		muted := p.muted
		p.mu.Unlock()
		if !muted {
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}
}

func (p *proxy) url() string { return "redis://" + p.Addr().String() }

// lead has new connections lead elsewhere, and leaves those that there are.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// count says how many connections were made.
func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

func (p *proxy) mute(muted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = muted
}

// cut ends every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}
