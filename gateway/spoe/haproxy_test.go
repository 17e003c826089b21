package spoe_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/spoe"
	"github.com/codegrant/codegrant/internal/gatewaytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

const examples = "../../examples/gateway/haproxy"

// site is one behind HAProxy, with the files that people copy.
type site struct{ *gatewaytest.Site }

// newSite starts all of it. In HAProxy's files, replace names text and what stands in
// its place.
func newSite(t *testing.T, change func(*gateway.Config, *codegrant.Config), replace ...string) *site {
	t.Helper()
	program := testenv.Program(t, "haproxy")
	s := &site{gatewaytest.New(t)}
	_, port, _ := net.SplitHostPort(testenv.FreeAddress(t))
	s.URL = "http://localhost:" + port
	s.Open(codegrant.Config{Pool: s.Register(s.URL), BaseURL: s.URL}, change)
	endpoints := httptest.NewServer(s.Gateway)
	t.Cleanup(endpoints.Close)
	agent, _ := serve(t, spoe.Config{Gateway: s.Gateway, Logger: s.Logger})

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
		text = strings.NewReplacer("127.0.0.1:8000", "127.0.0.1:"+port, "127.0.0.1:8080", address(endpoints.URL), "127.0.0.1:8081", agent, "127.0.0.1:3000", address(s.Upstream)).Replace(text)
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

var identityHeaders = []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Name", "X-Auth-Groups", "X-Auth-Scopes", "X-Auth-User-Id", "X-Auth-Issuer", "X-Auth-Acr", "X-Auth-Amr", "X-Auth-Time", "X-Auth-Actor", "X-Auth-Machine", "X-Auth-Organization", "X-Auth-Organization-Role", "X-Auth-Assertion"}

// onceEach holds what the application saw to S-091.
func onceEach(t *testing.T, got gatewaytest.Seen) {
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
