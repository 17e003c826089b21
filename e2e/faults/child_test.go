//go:build unix

package faults

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// childVariable holds the order of a process that is to be killed.
const childVariable = "CODEGRANT_FAULTS_CHILD"

// order is what a child is told: the same application on the same stores.
type order struct {
	BaseURL string
	Pool    cognito.Pool
	Secret  string // of the app client, which prints as a placeholder
	Keys    []byte
	Ahead   time.Duration // of the clock
	DieAt   int           // the step to be killed at; 0: none
	DieOn   string        // or what the step is called
	Stores  stores
	Keeps   bool // revocations that are not made, in the cupboard of the sessions' store
}

// stores say where sessions and users are. Sessions are in Redis where it is set, else
// in the database; users are in the database, if there is one.
type stores struct {
	Redis    string // URL, with the prefix
	Postgres string
	SQLite   string
}

// open opens the stores; hooks may be nil.
func (s stores) open(t fataler, now func() time.Time, h *hooks) (session.Store, replica.Store, *sql.DB) {
	var db *sql.DB
	sessionDialect, userDialect := sqlstore.PostgreSQL, sqlreplica.PostgreSQL
	switch {
	case s.Postgres != "":
		config, err := pgx.ParseConfig(s.Postgres)
		if err != nil {
			t.Fatal(err)
		}
		if h != nil {
			config.Tracer = h
		}
		db = stdlib.OpenDB(*config)
		db.SetMaxOpenConns(12)
		db.SetMaxIdleConns(12)
	case s.SQLite != "":
		var err error
		if db, err = sql.Open("sqlite", s.SQLite); err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(4)
		sessionDialect, userDialect = sqlstore.SQLite, sqlreplica.SQLite
	}
	var sessions session.Store
	var users replica.Store
	var err error
	if db != nil {
		store, newErr := sqlreplica.New(db, sqlreplica.Config{Dialect: userDialect, Now: now, OnChange: func(context.Context, *sql.Tx, replica.Change) error {
			h.step("within a change")
			return nil
		}})
		users, err = store, newErr
	}
	if err == nil && s.Redis != "" {
		sessions, err = redisstore.New(redisstore.Config{URL: s.Redis, Now: now})
	} else if err == nil {
		sessions, err = sqlstore.New(db, sqlstore.Config{Dialect: sessionDialect, Now: now, Timeout: 20 * time.Second})
	}
	if err != nil {
		t.Fatal(err)
	}
	if h != nil {
		sessions, users = hookedSessions{sessions, h}, hookedUsers{users, h}
	}
	return sessions, users, db
}

// cupboardOf is the one beside some sessions.
func cupboardOf(sessions session.Store) cupboard.Store {
	switch s := sessions.(type) {
	case hookedSessions:
		return cupboardOf(s.Store)
	case countedSessions:
		return cupboardOf(s.Store)
	}
	return sessions.(interface{ Cupboard() cupboard.Store }).Cupboard()
}

// hooks count the steps of a process, and kill it at one of them.
type hooks struct {
	n     atomic.Int64
	dieAt int64
	dieOn string
}

// step is called before and after everything that leaves a trace outside of the
// process.
func (h *hooks) step(what string, args ...any) {
	if h == nil {
		return
	}
	what = fmt.Sprintf(what, args...)
	if n := h.n.Add(1); n == h.dieAt || what == h.dieOn {
		fmt.Printf("killed at step %d: %s\n", n, what)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// TraceQueryStart and TraceQueryEnd implement [pgx.QueryTracer]. Beginning and ending a
// transaction are queries, too.
func (h *hooks) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	h.step("before %.60q", q.SQL)
	return ctx
}

func (h *hooks) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	h.step("after a query")
}

// RoundTrip calls the pool, and reads the whole answer.
func (h *hooks) RoundTrip(r *http.Request) (*http.Response, error) {
	h.step("before %s %s", r.Method, r.URL.Path)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	h.step("after %s %s", r.Method, r.URL.Path)
	return response, nil
}

type hookedSessions struct {
	session.Store
	h *hooks
}

func (s hookedSessions) Create(ctx context.Context, r session.Record) error {
	s.h.step("before a session is created")
	defer s.h.step("after a session was created")
	return s.Store.Create(ctx, r)
}

func (s hookedSessions) CompareAndSwap(ctx context.Context, r session.Record) (session.Record, error) {
	s.h.step("before a session is written")
	defer s.h.step("after a session was written")
	return s.Store.CompareAndSwap(ctx, r)
}

func (s hookedSessions) Get(ctx context.Context, id string) (session.Record, error) {
	defer s.h.step("after a session was read")
	return s.Store.Get(ctx, id)
}

type hookedUsers struct {
	replica.Store
	h *hooks
}

func (u hookedUsers) Apply(ctx context.Context, s replica.Snapshot) (replica.Change, error) {
	u.h.step("before a user is applied")
	defer u.h.step("after a user was applied")
	return u.Store.Apply(ctx, s)
}

// runChild is the other process: it serves until its standard input ends, or it is
// killed.
func runChild() {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &o); err != nil {
		panic(err)
	}
	o.Pool.ClientSecret = cognito.Secret(o.Secret)
	clock, h := &clock{}, &hooks{dieAt: int64(o.DieAt), dieOn: o.DieOn}
	clock.advance(o.Ahead)
	ring, err := session.NewKeyring(o.Keys)
	if err != nil {
		panic(err)
	}
	sessions, users, _ := o.Stores.open(panics{}, clock.Now, h)
	var shelves cupboard.Store
	if o.Keeps {
		shelves = cupboardOf(sessions)
	}
	_, handler := application(panics{}, codegrant.Config{
		Cupboard: shelves, Pool: o.Pool, BaseURL: o.BaseURL, Keys: ring, Now: clock.Now, Sessions: sessions, Replica: users,
		HTTPClient: &http.Client{Transport: h}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("POST /-/ahead", func(_ http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("d"))
		if err != nil {
			panic(err)
		}
		clock.ahead.Store(int64(d))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(l, mux))
}

type panics struct{}

func (panics) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// child is such a process.
type child struct {
	t       testing.TB
	url     string
	process *os.Process
	stdin   io.Closer
	died    chan struct{} // closed when it has
	mu      sync.Mutex
	at      string // the step that it was killed at
}

// startChild starts the application of a world in another process.
func (w *world) startChild(o order) *child {
	w.t.Helper()
	o.BaseURL, o.Pool, o.Secret, o.Keys = w.url, w.config.Pool, string(w.config.Pool.ClientSecret), w.keys
	o.Ahead, o.Stores = time.Duration(w.clock.ahead.Load()), w.stores
	text, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+string(text))
	command.Stderr = w.log
	stdin, err := command.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	c := &child{t: w.t, process: command.Process, stdin: stdin, died: make(chan struct{})}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		w.t.Errorf("the child does not start: %v", err)
	}
	c.url = strings.TrimSpace(first)
	go func() {
		defer close(c.died)
		rest, _ := io.ReadAll(lines)
		c.mu.Lock()
		c.at = strings.TrimSpace(string(rest))
		c.mu.Unlock()
		_ = command.Wait()
	}()
	w.t.Cleanup(func() {
		stdin.Close()
		c.kill()
		client.CloseIdleConnections()
	})
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.process.Kill()
	<-c.died
}

// stop has it end by itself, unless it is being killed.
func (c *child) stop() {
	c.stdin.Close()
	<-c.died
}

// killedAt says at which step it was killed, once it has died; empty: at none.
func (c *child) killedAt() string {
	<-c.died
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// ahead sets the clock of the child to that of the world.
func (c *child) ahead(d time.Duration) {
	response, err := client.PostForm(c.url+"/-/ahead", map[string][]string{"d": {d.String()}})
	if err != nil {
		c.t.Error(err)
		return
	}
	response.Body.Close()
}
