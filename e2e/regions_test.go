package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/localpool"
)

// A pool in two Regions, under the names that AWS has for it.
const (
	regionalPool   = "eu-west-1_Ab12Cd34E"
	regionalIssuer = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + regionalPool
	regionalDomain = "login.example.com"
	primaryHost    = "cognito-idp.eu-west-1.amazonaws.com"
	secondaryHost  = "cognito-idp.eu-central-1.amazonaws.com"
)

// regions is a proxy for https that leads to one local pool, by whatever name of AWS's,
// except for those that are away.
type regions struct {
	*httptest.Server // takes CONNECT
	pool             *localpool.Server
	roots            string // file

	mu    sync.Mutex
	away  map[string]bool
	asked map[string]int
}

func newRegions(t *testing.T, app string) *regions {
	t.Helper()
	r := &regions{away: make(map[string]bool), asked: make(map[string]int)}
	seed := localpool.DefaultSeed(app)
	seed.Pools[0].ID = regionalPool
	var err error
	r.pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: strings.TrimSuffix(regionalIssuer, "/"+regionalPool), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.pool.Close() })

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{primaryHost, secondaryHost, regionalDomain, "issuer-" + primaryHost}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	r.roots = filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(r.roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		// The local pool knows itself by one name.
		request.Header.Set("Origin", strings.Replace(request.Header.Get("Origin"), regionalDomain, "issuer-"+primaryHost, 1))
		request.Host = "issuer-" + primaryHost
		r.pool.ServeHTTP(w, request)
	}))
	behind.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	behind.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	behind.StartTLS()
	t.Cleanup(behind.Close)

	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		host, _, _ := strings.Cut(request.Host, ":")
		r.mu.Lock()
		r.asked[host]++
		away := r.away[host]
		r.mu.Unlock()
		if request.Method != http.MethodConnect || away {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		to, err := net.Dial("tcp", behind.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer to.Close()
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(r.Server.CloseClientConnections)
	return r
}

func (r *regions) leave(host string, away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away[host] = away
}

// count returns how often a host was asked since the last time.
func (r *regions) count(host string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.asked[host]
	r.asked[host] = 0
	return n
}

// TestS513_APoolInTwoRegions, with the issuer of the newer type, through the binary: people
// sign in; sync reads the secondary Region while the primary is away; people stay the same
// rows, and nobody is removed.
func TestS513_APoolInTwoRegions(t *testing.T) {
	binary, port := buildCodegrant(t), freePort(t)
	base := "http://localhost:" + port
	r := newRegions(t, base)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_ = json.NewEncoder(w).Encode(seen{request.Method, request.RequestURI, request.Header})
	}))
	t.Cleanup(app.Close)
	folder := t.TempDir()
	file := filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
base_url: %s
log: {access: false}
replica: true
database: sqlite:%s
pools: [{id: %s, issuer: %q, domain: %s, secondary_region: eu-central-1, client_id: %s, client_secret: %s}]
routes: [{path: /, upstream: %q}]
`, port, base, filepath.Join(folder, "app.db"), regionalPool, regionalIssuer, regionalDomain, localpool.DemoClientID, localpool.DemoClientSecret, app.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(binary, args...)
		c.Env = append(os.Environ(), "HTTPS_PROXY="+r.Server.URL, "SSL_CERT_FILE="+r.roots, "AWS_CA_BUNDLE="+r.roots, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_MAX_ATTEMPTS=1")
		return c
	}
	run := func(args ...string) string {
		t.Helper()
		c := command(append(args, "--config", file)...)
		output, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, output)
		}
		return string(output)
	}
	proxytest.Run(t, "gateway", command("serve", "--config", file))
	await(t, base+"/auth/user")

	b := codegranttest.NewBrowser(t)
	proxy, err := url.Parse(r.Server.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(r.roots)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	b.Client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		Proxy: func(request *http.Request) (*url.URL, error) {
			if request.URL.Scheme == "https" {
				return proxy, nil
			}
			return nil, nil
		},
	}
	t.Cleanup(b.Client.CloseIdleConnections)
	page := b.SignIn(base+"/", "alice@example.com", codegranttest.Password)
	var got seen
	if err := json.Unmarshal([]byte(page.Body), &got); err != nil || got.Header.Get("X-Auth-Issuer") != regionalIssuer || got.Header.Get("X-Auth-Username") != "alice" {
		t.Fatalf("the sign-in ended at %s with %d: %v %.500s", page.URL, page.Status, err, page.Body)
	}

	run("sync", "--full")
	if first, second := r.count(primaryHost), r.count(secondaryHost); first == 0 || second != 0 {
		t.Errorf("with both Regions there, the primary was asked %d times and the secondary %d", first, second)
	}
	before := row(t, run("users", "show", "alice@example.com", "--json"))

	r.leave(primaryHost, true)
	if err := r.pool.CreateUser(regionalPool, localpool.UserSeed{Username: "carol", Email: "carol@example.com", Password: codegranttest.Password}); err != nil {
		t.Fatal(err)
	}
	log := run("sync", "--full")
	if r.count(secondaryHost) == 0 || !strings.Contains(log, "secondary Region") {
		t.Errorf("while the primary is away, the secondary was not asked: %s", log)
	}
	for _, who := range []string{"bob", "carol"} {
		row(t, run("users", "show", who+"@example.com", "--json"))
	}
	if after := row(t, run("users", "show", "alice@example.com", "--json")); after != before {
		t.Errorf("alice was row %d, and is %d", before, after)
	}
	if page := b.Open(base + "/"); page.Status != http.StatusOK {
		t.Errorf("meanwhile, alice gets %d", page.Status)
	}

	r.leave(primaryHost, false)
	run("sync", "--full")
	if first, second := r.count(primaryHost), r.count(secondaryHost); first == 0 || second != 0 {
		t.Errorf("with the primary back, it was asked %d times and the secondary %d", first, second)
	}
}

// row is that of somebody who is there.
func row(t *testing.T, shown string) int64 {
	t.Helper()
	var got struct {
		User struct {
			ID      int64
			Enabled bool
		}
	}
	if err := json.Unmarshal([]byte(shown), &got); err != nil || got.User.ID == 0 || !got.User.Enabled {
		t.Fatalf("%v: %s", err, shown)
	}
	return got.User.ID
}
