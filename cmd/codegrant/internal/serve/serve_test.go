package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// gate is a running codegrant serve, in front of an upstream that says what it sees.
type gate struct {
	t      *testing.T
	pool   *codegranttest.Pool
	dir    string
	config string // path
	url    string
	up     string // URL of the upstream
	log    *lockedBuffer
	stop   context.CancelFunc
	status chan int

	release func()           // ends the answers that wait for it, to requests with ?hold
	saw     chan http.Header // of requests to the upstream, those that somebody reads
}

// lockedBuffer is written to by a command and read by its test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newGate writes a configuration and starts nothing. The upstream is at ${UP}, and
// the pool under pools: ${POOL} in what the configuration goes on with.
func newGate(t *testing.T, more string) *gate {
	t.Helper()
	held := make(chan struct{})
	saw := make(chan http.Header, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-saw: // the one before was for nobody
		default:
		}
		select {
		case saw <- r.Header.Clone():
		default:
		}
		if r.URL.Query().Has("hold") {
			_, _ = io.WriteString(w, "begun\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-held:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "%s %s for %s in %s\n", r.Method, r.URL.Path, r.Header.Get("X-Auth-Email"), r.Header.Get("X-Auth-Groups"))
	}))
	t.Cleanup(upstream.Close)
	g := &gate{saw: saw, release: sync.OnceFunc(func() { close(held) }), t: t, pool: codegranttest.NewPool(t, nil), dir: t.TempDir(), up: upstream.URL}
	g.config = filepath.Join(g.dir, "codegrant.yaml")
	g.url = "http://" + testenv.FreeAddress(t)
	g.write(more)
	return g
}

func (g *gate) write(more string) {
	g.t.Helper()
	p := g.pool.Register(g.url)
	text := fmt.Sprintf(`
listen: %s
base_url: %s
log: {format: json, level: debug}
pools:
  - id: %s
    domain: %s
    issuer: %s
    client_id: %s
    client_secret: %s
`, g.url[strings.LastIndexByte(g.url, '/')+1:], g.url, p.ID, p.Domain, p.Issuer, p.ClientID, p.ClientSecret.Reveal()) +
		strings.ReplaceAll(more, "${UP}", g.up)
	g.writeFile("codegrant.yaml", text)
}

func (g *gate) writeFile(name, text string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		g.t.Fatal(err)
	}
	// In one step, as editors and Kubernetes do.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) start(flags ...string) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g.stop, g.status, g.log = cancel, make(chan int, 1), new(lockedBuffer)
	status, log := g.status, g.log
	args := append([]string{"serve", "--config", g.config, "--reload-every", "20ms"}, flags...)
	go func() { status <- run(ctx, args, io.Discard, log) }()
	g.t.Cleanup(func() {
		cancel()
		if g.t.Failed() {
			g.t.Log(log.String())
		}
	})
	g.logged("serving")
}

// end stops it and returns its status.
func (g *gate) end() int {
	g.t.Helper()
	g.stop()
	select {
	case status := <-g.status:
		return status
	case <-time.After(time.Minute):
		g.t.Fatal("it does not stop")
		return -1
	}
}

// logged waits for a line of the log with a message, and returns it.
func (g *gate) logged(message string, words ...string) map[string]any {
	g.t.Helper()
	var found map[string]any
	g.until("the log says "+message, func() bool {
		for line := range strings.Lines(g.log.String()) {
			var event map[string]any
			if json.Unmarshal([]byte(line), &event) != nil {
				g.t.Fatalf("the log has %q", line)
			}
			all := event["msg"] == message
			for _, w := range words {
				all = all && strings.Contains(line, w)
			}
			if all {
				found = event
				return true
			}
		}
		return false
	})
	return found
}

func (g *gate) until(what string, done func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); {
		if time.Now().After(deadline) {
			g.t.Fatalf("waited in vain until %s; the log: %s", what, g.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signOut goes to the sign-out as a browser does.
func (g *gate) signOut(client *http.Client) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+"/auth/logout", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	response, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	response.Body.Close()
}

func (g *gate) get(client *http.Client, path string) (int, string) {
	g.t.Helper()
	r, err := client.Get(g.url + path)
	if err != nil {
		g.t.Fatalf("GET %s: %v", path, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Fatalf("GET %s: %v", path, err)
	}
	return r.StatusCode, string(body)
}

// api calls an operation of the pool's API.
func (g *gate) api(operation string, in any) map[string]any {
	g.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, g.pool.URL+"/", bytes.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: %d %v %v", operation, answer.StatusCode, out, err)
	}
	return out
}

const oneUpstream = `
routes:
  - path: /
    upstream: ${UP}
  - path: /admin
    groups: admins
    upstream: ${UP}
  - path: /open
    public: true
    upstream: ${UP}
`

func TestServe(t *testing.T) {
	g := newGate(t, oneUpstream)
	g.start()
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/orders?x=1", "alice@example.com", codegranttest.Password); page.Body != "GET /orders for alice@example.com in admins,analysts\n" {
		t.Errorf("alice ended at %s: %d %s", page.URL, page.Status, page.Body)
	}
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	for _, tt := range []struct {
		who    *http.Client
		path   string
		status int
	}{
		{alice.Client, "/admin", 200}, {bob.Client, "/admin", 403}, {http.DefaultClient, "/admin", 401},
		{http.DefaultClient, "/open/x", 200}, {alice.Client, "/auth/user", 200}, {alice.Client, "/a//b", 400},
	} {
		if status, body := g.get(tt.who, tt.path); status != tt.status {
			t.Errorf("GET %s: %d %s, want %d", tt.path, status, body, tt.status)
		}
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d after Ctrl-C, want 0", status)
	}
	g.logged("stopped")
}

// TestServeTakesNewConfigurations: on the connections that are there, and for the
// people who are signed in.
func TestServeTakesNewConfigurations(t *testing.T) {
	g := newGate(t, oneUpstream)
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)

	// One answer lasts over all that follows.
	long, err := alice.Client.Get(g.url + "/orders?hold")
	if err != nil {
		t.Fatal(err)
	}
	defer long.Body.Close()
	dialled := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	alice.Client.Transport = transport

	if status, _ := g.get(alice.Client, "/admin"); status != 200 {
		t.Fatalf("before: %d", status)
	}
	g.write(strings.Replace(oneUpstream, "groups: admins", "groups: nobody", 1))
	g.logged("new configuration is in use")
	if status, body := g.get(alice.Client, "/admin"); status != 403 {
		t.Errorf("after a group was changed: %d %s", status, body)
	}

	g.write(oneUpstream + "  - path: /new\n    upsteam: x\n    groups: []\n")
	g.logged("new configuration is wrong; the old one stays", "routes[3].upsteam", "did you mean upstream", "codegrant.yaml:")
	g.logged("new configuration is wrong; the old one stays", "routes[3].groups")
	if status, _ := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("after a wrong configuration: %d", status)
	}
	if status, _ := g.get(alice.Client, "/admin"); status != 403 {
		t.Errorf("after a wrong configuration: %d, which is of another one", status)
	}

	g.write(oneUpstream + "limits: {requests: 77}\nlisten: 127.0.0.1:1\n")
	g.logged("new configuration is wrong; the old one stays", "listen: it is there twice")
	g.write(oneUpstream + "limits: {max_sessions: 77}\n")
	g.logged("configuration changed, and takes effect at the next start", "limits.max_sessions")
	if status, _ := g.get(alice.Client, "/admin"); status != 200 {
		t.Errorf("after the group was changed back: %d", status)
	}
	if dialled != 1 {
		t.Errorf("%d connections were made, want 1", dialled)
	}
	g.release()
	if body, err := io.ReadAll(long.Body); err != nil || string(body) != "begun\nGET /orders for alice@example.com in admins,analysts\n" {
		t.Errorf("the long answer: %q, %v", body, err)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestServeChangesKeys: a sign-in that began before ends well after.
func TestServeChangesKeys(t *testing.T) {
	g := newGate(t, oneUpstream+"keys_dir: keys\n")
	g.writeFile("keys/1", newSealingKey())
	g.start()
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	page := bob.Open(g.url + "/orders")
	form, ok := page.Form("password")
	if !ok {
		t.Fatalf("no form at %s", page.URL)
	}
	g.writeFile("keys/2", newSealingKey())
	g.logged("new configuration is in use")
	page = bob.Submit(page, form, map[string]string{"username": "bob@example.com", "password": codegranttest.Password})
	if page.Body != "GET /orders for bob@example.com in editors\n" {
		t.Errorf("bob ended at %s: %d %s", page.URL, page.Status, page.Body)
	}
	if status, _ := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("alice: %d", status)
	}
	g.writeFile("keys/3", "not a key")
	g.logged("new configuration is wrong; the old one stays", "is not base64")
	if status, _ := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("alice, after a wrong key: %d", status)
	}
}

func TestS163_ServeDrains(t *testing.T) {
	for _, tt := range []struct {
		name, drain string
		whole       bool
	}{
		{"what ends in time ends well", "1m", true},
		{"what does not is cut off", "50ms", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate(t, oneUpstream)
			g.start("--drain-timeout", tt.drain)
			r, err := http.Get(g.url + "/open?hold")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if _, err := io.ReadFull(r.Body, make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			g.stop()
			g.logged("stopping")
			if tt.whole {
				g.release()
			}
			body, err := io.ReadAll(r.Body)
			if whole := err == nil && strings.Contains(string(body), "GET /open"); whole != tt.whole {
				t.Errorf("the answer went on with %q, %v", body, err)
			}
			if status := g.end(); status != 0 {
				t.Errorf("status %d", status)
			}
			if _, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://")); err == nil {
				t.Error("somebody still listens")
			}
		})
	}
}

// TestServeStopsSlowly: a load balancer gets time to notice.
func TestServeStopsSlowly(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"ops_listen: "+address+"\n")
	g.start("--drain-delay", "1s")
	g.until("it is ready", func() bool { status, _ := operations(t, address, "/readyz"); return status == 200 })
	g.stop()
	g.logged("stopping soon")
	if status, body := operations(t, address, "/readyz"); status != 503 || !strings.Contains(body, "it is stopping") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := g.get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "/open"); status != 200 {
		t.Errorf("a new connection: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestServeTLS: HTTP/2, and a new certificate on the next connection.
func TestServeTLS(t *testing.T) {
	g := newGate(t, "")
	g.url = strings.Replace(g.url, "http:", "https:", 1)
	certificate := func() []byte {
		t.Helper()
		pair, err := listen.OwnCertificate()
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		// Both in one file, so that they change together.
		g.writeFile("pair.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))+
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
		return pair.Certificate[0]
	}
	g.write(oneUpstream + "tls: {certificate_file: pair.pem, key_file: pair.pem}\n")
	first := certificate()
	g.start()
	ask := func() *http.Response {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} // made on the spot
		defer transport.CloseIdleConnections()
		r, err := (&http.Client{Transport: transport}).Get(g.url + "/open")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r
	}
	if r := ask(); r.StatusCode != 200 || r.ProtoMajor != 2 || !bytes.Equal(r.TLS.PeerCertificates[0].Raw, first) {
		t.Errorf("%d %s", r.StatusCode, r.Proto)
	}
	second := certificate()
	g.logged("new configuration is in use")
	if r := ask(); r.StatusCode != 200 || !bytes.Equal(r.TLS.PeerCertificates[0].Raw, second) {
		t.Error("the certificate is the old one")
	}
	g.writeFile("pair.pem", "no certificate")
	g.logged("new configuration is wrong; the old one stays", "certificate and key do not match")
	if r := ask(); r.StatusCode != 200 {
		t.Errorf("after a wrong certificate: %d", r.StatusCode)
	}
}

// TestServeKeepsSessions: in a database they outlive the process, and a database that
// is not there is no reason to refuse to start, or to sign anybody out.
func TestServeKeepsSessions(t *testing.T) {
	g := newGate(t, oneUpstream+"keys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:app.db\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "app.db")); err != nil {
		t.Error(err)
	}

	g.write(oneUpstream + "keys_file: keys\nsessions: database\nreplica: true\ndatabase: postgres://nobody@" + testenv.FreeAddress(t) + "/app\n")
	g.start()
	g.logged("tables not brought up to date; trying again")
	if status, _ := g.get(alice.Client, "/orders"); status != 503 {
		t.Errorf("without a database: %d", status)
	}

	g.write(oneUpstream + "keys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:app.db\n")
	g.logged("new configuration is in use")
	if status, body := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("with the database again: %d %s", status, body)
	}
	// One that is not there does not take the place of one that is.
	g.write(oneUpstream + "keys_file: keys\nsessions: database\nreplica: true\ndatabase: postgres://nobody@" + testenv.FreeAddress(t) + "/app\n")
	g.logged("new configuration cannot be used; the old one stays", "not ready")
	if status, _ := g.get(alice.Client, "/orders"); status != 200 {
		t.Errorf("after a configuration that cannot be used: %d", status)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func newSealingKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// TestServeWithRedis: two processes, one sign-in.
func TestServeWithRedis(t *testing.T) {
	more := fmt.Sprintf("keys_file: keys\nsessions: redis\nredis: %s?prefix=serve-%d\n", testenv.Redis(t), time.Now().UnixNano())
	g := newGate(t, oneUpstream+more)
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)

	second := *g
	second.url = "http://" + testenv.FreeAddress(t)
	second.config = filepath.Join(g.dir, "second.yaml")
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.writeFile("second.yaml", strings.Replace(string(text), "listen: 127", "listen: "+strings.TrimPrefix(second.url, "http://")+" # 127", 1))
	second.start()
	// Cookies know no ports.
	if status, body := second.get(alice.Client, "/orders"); status != 200 || !strings.Contains(body, "alice") {
		t.Errorf("the second process: %d %s", status, body)
	}
	for _, one := range []*gate{&second, g} {
		if status := one.end(); status != 0 {
			t.Errorf("status %d", status)
		}
	}
}

// settings reads the configuration as the command does.
func (g *gate) settings() *settings.Settings {
	g.t.Helper()
	s, err := Command{Config: g.config}.load(session.RandomKeyring())
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}
