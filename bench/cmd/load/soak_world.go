//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// tokenLife is how long access tokens live in a soak: sessions are renewed all the time.
const tokenLife = 20 * time.Second

// soakWorld is what people are let loose on: three processes over one Redis and one
// PostgreSQL, a pool that rotates refresh tokens, an application behind, and a load
// balancer in front.
type soakWorld struct {
	dir, program    string
	url, poolURL    string
	front, upstream *httptest.Server
	poolServer      *http.Server
	pool            *localpool.Server
	redis, postgres *server
	gateways        []*soakGateway
	next            atomic.Uint64
	keys            int
	transport       *http.Transport
	faults          windows
	tally           *tally
}

// soakGateway is one of the processes.
type soakGateway struct {
	address, ops, dir string
	up                atomic.Bool // the balancer sends requests there

	mu      sync.Mutex
	process *process
	changes int
}

func newSoakWorld(ctx context.Context, people int, t *tally) (_ *soakWorld, err error) {
	w := &soakWorld{tally: t, transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "codegrant-soak-"); err != nil {
		return nil, err
	}
	if w.program, err = build(ctx, w.dir); err != nil {
		return nil, err
	}
	if w.redis, err = newRedis(w.dir); err != nil {
		return nil, err
	}
	if w.postgres, err = newPostgres(ctx, w.dir); err != nil {
		return nil, err
	}
	if err := errors.Join(w.redis.start(ctx), w.postgres.start(ctx)); err != nil {
		return nil, err
	}
	w.upstream = httptest.NewServer(http.HandlerFunc(application))
	w.front = httptest.NewServer(w)
	w.url = w.front.URL
	if err := w.startPool(people); err != nil {
		return nil, err
	}
	if err := errors.Join(w.announce(), w.promote()); err != nil {
		return nil, err
	}
	for i := range 3 {
		g := &soakGateway{dir: filepath.Join(w.dir, fmt.Sprint("gateway", i))}
		if err := os.Mkdir(g.dir, 0o700); err != nil {
			return nil, err
		}
		if g.address, err = freeAddress(); err != nil {
			return nil, err
		}
		if g.ops, err = freeAddress(); err != nil {
			return nil, err
		}
		w.gateways = append(w.gateways, g)
		if err := w.start(ctx, g); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// application says whom the gateway says that it is asked by, at once or bit by bit.
func application(rw http.ResponseWriter, r *http.Request) {
	who := r.Header.Get("X-Auth-Username")
	if r.URL.Path != "/stream" {
		_, _ = io.WriteString(rw, who)
		return
	}
	for range streamTicks {
		if _, err := io.WriteString(rw, who+"\n"); err != nil || http.NewResponseController(rw).Flush() != nil {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

const streamTicks = 10

func (w *soakWorld) startPool(people int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.poolURL = "http://" + listener.Addr().String()
	seed := localpool.PoolSeed{ID: poolID, Clients: []localpool.ClientSeed{{
		ID: clientID, CallbackURLs: []string{w.url + "/auth/callback"}, LogoutURLs: []string{w.url + "/auth/logout"},
		Rotation: true, RotationGrace: time.Minute, AccessTokenValidity: tokenLife, IDTokenValidity: tokenLife,
	}}}
	for i := range people {
		seed.Users = append(seed.Users, localpool.UserSeed{Username: username(i), Email: username(i) + "@example.com", Password: password})
	}
	if w.pool, err = localpool.New(localpool.Config{BaseURL: w.poolURL, Logger: slog.New(slog.DiscardHandler), Seed: localpool.Seed{Pools: []localpool.PoolSeed{seed}}}); err != nil {
		return err
	}
	w.poolServer = &http.Server{Handler: http.HandlerFunc(w.askPool), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.poolServer.Serve(listener) }()
	return nil
}

// askPool passes a question to the pool, and counts refreshes that it answers.
func (w *soakWorld) askPool(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/oauth2/token" {
		w.pool.ServeHTTP(rw, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(newReader(body))
	answer := &statusWriter{ResponseWriter: rw, status: http.StatusOK}
	w.pool.ServeHTTP(answer, r)
	form, err := url.ParseQuery(string(body))
	if err == nil && form.Get("grant_type") == "refresh_token" && answer.status == http.StatusOK {
		w.tally.count("refreshes")
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func username(i int) string { return fmt.Sprintf("person%02d", i) }

// announce has a new sealing key open what others may seal with it soon, and promote has
// it seal, once every process knows it: the last by name seals. The last but two goes.
func (w *soakWorld) announce() error {
	folder := filepath.Join(w.dir, "keys")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key)
	w.keys++
	path := filepath.Join(folder, fmt.Sprintf("a%06d", w.keys))
	return os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
}

func (w *soakWorld) promote() error {
	folder := filepath.Join(w.dir, "keys")
	if err := os.Rename(filepath.Join(folder, fmt.Sprintf("a%06d", w.keys)), filepath.Join(folder, fmt.Sprintf("s%06d", w.keys))); err != nil || w.keys <= 2 {
		return err
	}
	return os.Remove(filepath.Join(folder, fmt.Sprintf("s%06d", w.keys-2)))
}

func (w *soakWorld) config(g *soakGateway) string {
	return fmt.Sprintf(`
listen: %s
ops_listen: %s
base_url: %s
log: {level: warn, format: json}
keys_dir: %s
sessions: redis
redis: "redis://%s"
database: "postgres://codegrant@%s/postgres?sslmode=disable"
replica: true
limits: {requests: %d, sign_in_rate: 0, account_sign_in_rate: 0}
trusted_proxies: [127.0.0.1/32]
pools: [{id: %s, domain: "%s", issuer: "%[9]s/%[8]s", client_id: %[10]s}]
routes: [{path: /, upstream: "%[11]s"}]
`, g.address, g.ops, w.url, filepath.Join(w.dir, "keys"), w.redis.address, w.postgres.address, 4000+g.changes, poolID, w.poolURL, clientID, w.upstream.URL)
}

func (w *soakWorld) start(ctx context.Context, g *soakGateway) error {
	p, err := startCodegrant(ctx, g.dir, w.program, g.address, w.config(g))
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.process = p
	g.mu.Unlock()
	g.up.Store(true)
	return nil
}

// restart ends a process, gently or not, and starts it again.
func (w *soakWorld) restart(ctx context.Context, g *soakGateway, gently bool) error {
	if gently {
		// A load balancer that asks whether a process is ready does the same.
		g.up.Store(false)
		g.process.stop()
	} else {
		_ = g.process.command.Process.Kill()
		<-g.process.ended
		g.up.Store(false)
		g.process.log.Close()
	}
	return w.start(ctx, g)
}

// reload has a process take another configuration.
func (w *soakWorld) reload(g *soakGateway) error {
	g.changes++
	path := filepath.Join(g.dir, "codegrant.yaml")
	if err := os.WriteFile(path+".new", []byte(w.config(g)), 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return g.process.command.Process.Signal(syscall.SIGHUP)
}

// ServeHTTP is the load balancer: each request goes to the next process that is up. Where
// nothing was sent, or a GET was and its process is gone, it goes to another one.
func (w *soakWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	var response *http.Response
	for range 2 * len(w.gateways) {
		g := w.gateways[w.next.Add(1)%uint64(len(w.gateways))]
		if !g.up.Load() {
			continue
		}
		if response, err = w.pass(r, g, body); err == nil {
			break
		}
		var dial *net.OpError
		if notSent := errors.As(err, &dial) && dial.Op == "dial"; !notSent && r.Method != http.MethodGet || r.Context().Err() != nil {
			break
		}
	}
	if err != nil || response == nil {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for name, values := range response.Header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(response.StatusCode)
	b := make([]byte, 16<<10)
	for {
		n, err := response.Body.Read(b)
		if n > 0 {
			if _, writeErr := rw.Write(b[:n]); writeErr != nil || http.NewResponseController(rw).Flush() != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				panic(http.ErrAbortHandler)
			}
			return
		}
	}
}

func (w *soakWorld) pass(r *http.Request, g *soakGateway, body []byte) (*http.Response, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+g.address+r.URL.RequestURI(), newReader(body))
	if err != nil {
		return nil, err
	}
	out.Header, out.Host = r.Header.Clone(), r.Host
	out.Header.Set("X-Forwarded-For", "127.0.0.1")
	out.Header.Set("X-Forwarded-Proto", "http")
	out.Header.Set("X-Forwarded-Host", r.Host)
	return w.transport.RoundTrip(out)
}

// keepLogs copies what the processes said to files beside another one.
func (w *soakWorld) keepLogs(beside string) error {
	var faults []error
	for i, g := range w.gateways {
		said, err := os.ReadFile(filepath.Join(g.dir, "log"))
		if err == nil {
			err = os.WriteFile(fmt.Sprintf("%s.gateway%d.log", beside, i), said, 0o600)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (w *soakWorld) close() {
	for _, g := range w.gateways {
		if g.process != nil {
			g.process.stop()
		}
	}
	for _, s := range []*httptest.Server{w.front, w.upstream} {
		if s != nil {
			s.Close()
		}
	}
	if w.poolServer != nil {
		_ = w.poolServer.Close()
	}
	for _, s := range []*server{w.redis, w.postgres} {
		if s != nil {
			s.kill()
		}
	}
	w.transport.CloseIdleConnections()
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}
