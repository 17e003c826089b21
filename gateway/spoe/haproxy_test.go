package spoe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/spoe"
	"github.com/codegrant/codegrant/internal/testenv"
)

const examples = "../../examples/gateway/haproxy"

// site is a pool, a gateway, an agent, HAProxy with the files that people copy, and an
// application that tells what it saw.
type site struct {
	*codegranttest.Pool
	t       *testing.T
	url     string // of HAProxy
	auth    *codegrant.Auth
	gateway *gateway.Gateway
	log     *logs
	now     *clock
}

// seen is a request as the application got it.
type seen struct {
	Method, Target, Host string
	Header               http.Header
}

type clock struct{ atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.Load())) }
func (c *clock) Advance(d time.Duration) { c.Add(int64(d)) }

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func usual() []gateway.Route {
	return []gateway.Route{
		{Name: "reports", Path: "/reports", Permissions: []codegrant.Permission{codegrant.InGroup("analysts")}},
		{Name: "open", Path: "/open", Public: true},
		{Name: "rest", Path: "/"},
	}
}

// newSite starts all of it. In HAProxy's files, replace names text and what stands in
// its place.
func newSite(t *testing.T, change func(*gateway.Config, *codegrant.Config), replace ...string) *site {
	t.Helper()
	program := testenv.Program(t, "haproxy")
	s := &site{t: t, log: new(logs), now: new(clock)}
	s.Pool = codegranttest.NewPool(t, s.now.Now)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") // of RFC 6455's key
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Add("Set-Cookie", "theirs=1; Path=/")
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, r.Header})
	}))
	t.Cleanup(upstream.Close)
	_, port, _ := net.SplitHostPort(testenv.FreeAddress(t))
	s.url = "http://localhost:" + port
	config := codegrant.Config{
		Pool: s.Register(s.url), BaseURL: s.url, Now: s.now.Now, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	gate := gateway.Config{TrustedProxies: loopback, Logger: config.Logger, Routes: usual(), Now: s.now.Now}
	if change != nil {
		change(&gate, &config)
	}
	var err error
	if s.auth, err = codegrant.New(config); err != nil {
		t.Fatal(err)
	}
	gate.Tenants = []gateway.Tenant{{Name: "main", Auth: s.auth}}
	g, err := gateway.New(gate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	endpoints := httptest.NewServer(g)
	t.Cleanup(endpoints.Close)
	s.gateway = g
	agent, _ := serve(t, spoe.Config{Gateway: g, Logger: config.Logger})

	folder, address := t.TempDir(), func(url string) string { return strings.TrimPrefix(url, "http://") }
	for _, name := range []string{"haproxy.cfg", "spoe.conf"} {
		content, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		for i := 0; i < len(replace); i += 2 {
			text = strings.ReplaceAll(text, replace[i], replace[i+1])
		}
		text = strings.NewReplacer("127.0.0.1:8000", "127.0.0.1:"+port, "127.0.0.1:8080", address(endpoints.URL), "127.0.0.1:8081", agent, "127.0.0.1:3000", address(upstream.URL)).Replace(text)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	proxy := exec.Command(program, "-db", "-C", folder, "-f", "haproxy.cfg")
	proxy.Stdout, proxy.Stderr = t.Output(), t.Output()
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Signal(syscall.SIGTERM)
		_ = proxy.Wait()
	})
	// It answers nonsense by itself: that no agent hears of. A connection alone says
	// nothing, since the socket that had the port before may still take some.
	within(t, "HAProxy answers", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "nonsense\r\n\r\n")
		answer := make([]byte, len("HTTP/1."))
		_, err = io.ReadFull(conn, answer)
		return err == nil && string(answer) == "HTTP/1."
	})
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serve starts an agent. It ends with the test, or by stop, which waits for its end.
func serve(t *testing.T, config spoe.Config) (address string, stop func()) {
	t.Helper()
	l := listen(t)
	return l.Addr().String(), serveOn(t, l, config)
}

func serveOn(t *testing.T, l net.Listener, config spoe.Config) (stop func()) {
	t.Helper()
	server, err := spoe.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// within waits until something is true.
func within(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !true(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (s *site) signIn(path, email string) *codegranttest.Browser {
	s.t.Helper()
	browser := codegranttest.NewBrowser(s.t)
	browser.SignIn(s.url+path, email, codegranttest.Password)
	return browser
}

// ask sends a request through HAProxy as a program does, with headers as they are given.
func (s *site) ask(client *http.Client, method, path string, header map[string]string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = []string{value}
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, ""
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(body)
}

// reaches is ask for requests that have to reach the application.
func (s *site) reaches(client *http.Client, method, path string, header map[string]string) (seen, *http.Response) {
	s.t.Helper()
	r, body := s.ask(client, method, path, header)
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil || r.StatusCode != 200 {
		s.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, body)
	}
	return got, r
}

var identityHeaders = []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Assertion"}

// onceEach holds what the application saw to S-091.
func onceEach(t *testing.T, got seen) {
	t.Helper()
	for _, name := range identityHeaders {
		if len(got.Header[name]) != 1 {
			t.Errorf("%s: %s is there %d times", got.Target, name, len(got.Header[name]))
		}
	}
	for name := range got.Header {
		folded := strings.ToLower(strings.Map(func(r rune) rune {
			if strings.ContainsRune("_.~^", r) {
				return '-'
			}
			return r
		}, name))
		if strings.HasPrefix(folded, "x-auth") && !slices.Contains(identityHeaders, name) {
			t.Errorf("%s: the application saw %s", got.Target, name)
		}
	}
}

// anyAuth is one that reaches no pool.
func anyAuth(t *testing.T) *codegrant.Auth {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"},
		BaseURL: "https://app.example.com", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}
