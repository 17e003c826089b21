package proxies

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// world is a proxy, a gateway and an application, each a process or server of its own,
// over https and with sessions in cookies: what a proxy finds hardest.
type world struct {
	t         *testing.T
	pool      *codegranttest.Pool
	app       *application
	addresses proxytest.Addresses
	clients   []client
	gateway   *exec.Cmd
	file      string     // its configuration
	sockets   []*os.File // that it is passed, as by systemd; nil: it opens its own
	names     string     // of them
	stop      func()     // ends the gateway
	log       *logs

	alone             bool // there is no proxy
	asks              bool // there is one that asks, and serves by itself
	trailers          bool // it passes those of requests on
	truths            map[string]map[string]string
	alice, dave, erin string // cookies of somebody with groups, without, with a hundred of them
	token             string
	probes            atomic.Int64
}

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

// binary is built once.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "codegrant-proxies")
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "codegrant")
	build := exec.Command("go", "build", "-o", file, "./cmd/codegrant")
	build.Dir = filepath.Join("..", "..")
	output, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build codegrant: %w\n%s", err, output)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "32") // most of them wait
	code := m.Run()
	if file, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// newWorld starts one, with proxy nil for the gateway alone.
func newWorld(t *testing.T, proxy *proxytest.Proxy) *world {
	t.Helper()
	return newWorldWith(t, proxy, false, "sessions: cookies\n", nil)
}

// newWorldOn has the gateway take over sockets, where held.
func newWorldOn(t *testing.T, proxy *proxytest.Proxy, held bool) *world {
	t.Helper()
	return newWorldWith(t, proxy, held, "sessions: cookies\n", nil)
}

// newWorldWith starts one with settings of its own, and changes to the example's.
func newWorldWith(t *testing.T, proxy *proxytest.Proxy, held bool, settings string, change *strings.Replacer) *world {
	t.Helper()
	w := &world{t: t, pool: codegranttest.NewPool(t, nil), app: newApplication(t), log: new(logs), alone: proxy == nil, truths: make(map[string]map[string]string)}
	w.trailers = proxy != nil && proxy.Trailers
	w.asks = proxy != nil && !strings.Contains(proxy.Example, "reverse")
	w.addresses = proxytest.NewAddresses(t, w.app.URL, w.pool.URL)
	w.addresses.TLS = true
	client := w.pool.Clients()[0]
	if err := w.pool.RegisterURLs(client.ID, w.url("/auth/callback"), w.url("/")); err != nil {
		t.Fatal(err)
	}
	w.pool.AddUser("dave", "dave@example.com")

	folder, example, http3 := t.TempDir(), "haproxy/reverse-proxy.yaml", false
	if proxy != nil {
		example, http3 = proxy.Gateway, proxy.HTTP3
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	config := fmt.Sprintf("log: {level: warn}\n%skeys: [%s]\n%s", settings, base64.StdEncoding.EncodeToString(key), proxytest.Example(t, example, w.addresses))
	if change != nil {
		config = change.Replace(config)
	}
	if proxy == nil {
		chain, key := proxytest.Certificate(t, folder)
		config = strings.Replace(config, "listen: "+w.addresses.Gateway, fmt.Sprintf("tls: {certificate_file: %q, key_file: %q}\nlisten: %s", chain, key, w.addresses.Front), 1)
		config = strings.Replace(config, "trusted_proxies: [127.0.0.1]\n", "", 1)
	}
	w.file = filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(w.file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if held {
		w.hold("web", w.addresses.Gateway)
		for _, name := range []string{"ext_authz", "spoe"} {
			if strings.Contains(config, "\n"+name+"_listen: ") {
				w.hold(name, w.addresses.Asked)
			}
		}
	}
	w.launch()
	if proxy != nil {
		proxy.Start(t, w.addresses)
	}
	w.clients = clients(t, w.addresses, http3)
	// Its endpoints, and then its questions: HAProxy asks at another address, which it may
	// still take for one where nobody is.
	for _, path := range []string{"/auth/user", "/public/ready"} {
		eventually(t, "the gateway answers for "+path, func() bool {
			r, err := w.browser().Client.Get(w.url(path))
			if err != nil {
				return false
			}
			r.Body.Close()
			return r.StatusCode < 500
		})
	}
	w.alice, _ = w.signIn("alice@example.com", "/")
	w.dave, _ = w.signIn("dave@example.com", "/")
	return w
}

// hold opens a socket that outlives processes of the gateway, as systemd does.
func (w *world) hold(name, address string) {
	w.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { socket.Close() })
	w.sockets, w.names = append(w.sockets, socket), strings.TrimPrefix(w.names+":"+name, ":")
}

// launch starts the gateway.
func (w *world) launch() {
	w.t.Helper()
	program, err := binary()
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway = exec.Command(program, "serve", "--config", w.file)
	if w.sockets != nil {
		w.gateway = exec.Command("sh", "-c", `export LISTEN_PID=$$; exec "$0" serve --config "$1"`, program, w.file)
		w.gateway.ExtraFiles = w.sockets
		w.gateway.Env = append(os.Environ(), fmt.Sprint("LISTEN_FDS=", len(w.sockets)), "LISTEN_FDNAMES="+w.names)
	}
	w.gateway.Stderr = io.MultiWriter(w.log, w.t.Output())
	w.stop = proxytest.Run(w.t, "codegrant", w.gateway)
}

func (w *world) url(path string) string { return w.addresses.URL() + path }

func (w *world) browser() *codegranttest.Browser {
	b := codegranttest.NewBrowser(w.t)
	b.Client.Transport = &http.Transport{TLSClientConfig: tlsConfig("http/1.1")}
	b.Client.Timeout = patience
	w.t.Cleanup(b.Client.CloseIdleConnections)
	return b
}

// signIn returns the cookies of somebody, and the page at which the sign-in ended.
func (w *world) signIn(email, path string) (cookies string, page *codegranttest.Page) {
	w.t.Helper()
	b := w.browser()
	page = b.SignIn(w.url(path), email, codegranttest.Password)
	return w.cookies(b), page
}

func (w *world) cookies(b *codegranttest.Browser) string {
	u, err := url.Parse(w.url("/"))
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, c := range b.Client.Jar.Cookies(u) {
		if strings.Contains(c.Name, "codegrant") {
			all = append(all, c.Name+"="+c.Value)
		}
	}
	return strings.Join(all, "; ")
}

// try sends a request of somebody's, and returns what the application saw of it.
func (w *world) try(c client, cookies string, r request) (answer, seen, bool, error) {
	probe := fmt.Sprint(w.probes.Add(1))
	separator := "?"
	if strings.Contains(r.path, "?") {
		separator = "&"
	}
	r.path += separator + "probe=" + probe
	if cookies != "" {
		r = r.with("Cookie", cookies)
	}
	a, err := c.do(r)
	got, saw := w.app.saw(probe)
	return a, got, saw, err
}

// suspend stops the gateway's process for a while. The signal alone is no more than
// asked for when it returns: a thread may yet answer.
func (w *world) suspend() (resume func()) {
	if err := w.gateway.Process.Signal(syscall.SIGSTOP); err != nil {
		w.t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(w.gateway.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == nil && status.Stopped() {
			break
		}
		if !errors.Is(err, syscall.EINTR) {
			w.t.Fatalf("the gateway does not stop: %v, %v", status, err)
		}
	}
	resume = sync.OnceFunc(func() { _ = w.gateway.Process.Signal(syscall.SIGCONT) })
	w.t.Cleanup(resume)
	return resume
}

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !true(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}
