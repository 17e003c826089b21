package redisstore

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

// works calls every method of a store once, and wants each to do what it is for.
func works(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	create(t, s, record("w1"), record("w2"), record("w3"))
	r, err := s.Get(ctx, "w1")
	if err != nil {
		t.Fatal(err)
	}
	r.Expires = r.Expires.Add(24 * time.Hour)
	if _, err := s.CompareAndSwap(ctx, r); err != nil {
		t.Error(err)
	}
	if err := s.Delete(ctx, "w2"); err != nil {
		t.Error(err)
	}
	n, err := s.MarkStale(ctx, "pool", "alice")
	wantCount(t, "MarkStale", n, err, 2)
	for _, q := range []session.Query{{}, {Pool: "pool", Subject: "alice"}} {
		page, err := s.List(ctx, q)
		wantCount(t, "List", len(page), err, 2)
	}
	n, err = s.DeleteBySubject(ctx, "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 2)
}

func wantFault(t *testing.T, config Config, says string, secrets ...string) {
	t.Helper()
	_, err := open(t, config).Get(t.Context(), "a")
	if !errors.Is(err, session.ErrUnavailable) || errors.Is(err, session.ErrNotFound) || !strings.Contains(err.Error(), says) {
		t.Errorf("Get = %v, want %v that says %q", err, session.ErrUnavailable, says)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Get = %v, which tells a secret", err)
		}
	}
}

func TestPassword(t *testing.T) {
	server := startRedis(t, "--requirepass", "pass/word")
	works(t, open(t, Config{URL: "redis://:pass%2Fword@" + server.address()}))
	works(t, open(t, Config{URL: server.url(), Password: "pass/word", DisableCache: true}))
	for _, off := range []bool{false, true} {
		wantFault(t, Config{URL: server.url(), DisableCache: off}, "give a Password")
		wantFault(t, Config{URL: server.url(), Password: "canary", DisableCache: off}, "check Username and Password", "canary")
	}
}

// TestS125_LeastRights holds the rights that the package documentation lists to be
// enough.
func TestS125_LeastRights(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, ok := strings.Cut(string(doc), "ACL SETUSER codegrant on >PASSWORD")
	rule, _, ok2 := strings.Cut(rule, "//\n// Set maxmemory-policy")
	if !ok || !ok2 {
		t.Fatal("the documentation lists no rights")
	}
	rights := strings.Fields(strings.ReplaceAll(rule, "//", ""))
	grant := func(server *redisServer) {
		words := append([]string{"ACL", "SETUSER", "codegrant", "on", ">canary"}, rights...)
		must(t, rawClient(t, server.address()), words...)
	}
	user := Config{Username: "codegrant", Password: "canary", Prefix: "codegrant:"}
	t.Run("one server", func(t *testing.T) {
		server := startRedis(t)
		grant(server)
		config := user
		config.URL = server.url()
		works(t, open(t, config))
		config.URL += "/1"
		works(t, open(t, config))
		config.DisableCache = true
		works(t, open(t, config))
		config.Prefix = "other:"
		wantFault(t, config, "rights", "canary")
		config = Config{URL: server.url(), Username: "codegrant", Password: "wrong"}
		wantFault(t, config, "check Username", "wrong")
	})
	t.Run("a cluster", func(t *testing.T) {
		nodes := startCluster(t)
		for _, node := range nodes {
			grant(node)
		}
		config := user
		config.URL = clusterURL(nodes)
		works(t, open(t, config))
		config.URL = nodes[0].url() + "?cluster=true"
		works(t, open(t, config))
	})
}

func TestSocketAndDatabase(t *testing.T) {
	folder, err := os.MkdirTemp("", "redis") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	server := startRedis(t, "--unixsocket", socket)
	listens := func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if !until(patience, listens) {
		t.Fatal("there is no socket")
	}
	works(t, open(t, Config{URL: "unix://" + socket}))
	three := open(t, Config{URL: "unix://" + socket + "?db=3"})
	create(t, three, record("a"))
	if refused(t, open(t, Config{URL: server.url() + "/3", Prefix: three.dialer.config.Prefix}), "a") {
		t.Error("it is in another database")
	}
	if !refused(t, open(t, Config{URL: server.url() + "/2", Prefix: three.dialer.config.Prefix}), "a") {
		t.Error("databases are mixed")
	}
	works(t, open(t, Config{URL: server.url(), Database: 3}))
	wantFault(t, Config{URL: server.url() + "/99"}, "out of range")
	wantFault(t, Config{URL: server.url(), Cluster: true}, "leave Cluster")
	wantFault(t, Config{Addresses: []string{server.address(), server.address()}}, "")
}

func TestWithoutTracking(t *testing.T) {
	server := startRedis(t, "--rename-command", "CLIENT", "")
	wantFault(t, Config{URL: server.url()}, "set DisableCache")
	works(t, open(t, Config{URL: server.url() + "?cache=false"}))
}

// What a server that does not know a command repeats may be a password.
func TestS169_AnAnswerThatRepeatsThePassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if !strings.HasPrefix(lines.Text(), "*") {
						continue // not the beginning of a command
					}
					if _, err := conn.Write([]byte("-ERR it is beyond me, with args beginning with: `default` `canary`\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	wantFault(t, Config{URL: "redis://:canary@" + l.Addr().String(), Timeout: patience / 2}, "repeats a password", "canary")
}

// certificate writes a certificate for 127.0.0.1 that is its own authority.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestS139_TLS(t *testing.T) {
	cert, key, pool := certificate(t)
	port := freePort(t)
	startRedis(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	works(t, open(t, Config{URL: "rediss://" + address, TLS: &tls.Config{RootCAs: pool}}))
	works(t, open(t, Config{Addresses: []string{address}, TLS: &tls.Config{RootCAs: pool}, DisableCache: true}))
	wantFault(t, Config{URL: "rediss://" + address}, "certificate")
	wantFault(t, Config{URL: "rediss://localhost:" + strconv.Itoa(port), TLS: &tls.Config{RootCAs: pool}}, "certificate")
	wantFault(t, Config{URL: "redis://" + address, Timeout: time.Second}, "")
}

// A cluster may name nodes that no configuration did.
func TestS139_NoPlaintextToWhereAClusterPoints(t *testing.T) {
	d := &dialer{config: resolved{}}
	if _, err := d.dial(context.Background(), "192.0.2.1:6379", &net.Dialer{Timeout: time.Millisecond}, nil); !errors.Is(err, errPlaintext) {
		t.Errorf("dial = %v, want %v", err, errPlaintext)
	}
}

func TestSentinel(t *testing.T) {
	first := startRedis(t)
	second := startRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(first.port))
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	rules := "sentinel monitor theirs 127.0.0.1 " + strconv.Itoa(first.port) + " 1\n" +
		"sentinel down-after-milliseconds theirs 500\nsentinel failover-timeout theirs 5000\nrequirepass canary\n"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startRedis(t, "--sentinel", file)
	replica, watch := rawClient(t, second.address()), rawClient(t, sentinel.address(), "canary")
	replicating := func() bool {
		role := must(t, replica, "ROLE")
		parts, _ := role.ToArray()
		state, _ := parts[3].ToString()
		known := must(t, watch, "SENTINEL", "REPLICAS", "theirs")
		replicas, _ := known.ToArray()
		return state == "connected" && len(replicas) == 1
	}
	if !until(patience, replicating) {
		t.Fatal("the replica is not one")
	}

	wantFault(t, Config{URL: sentinel.url() + "?master=other&sentinel_password=canary"}, "", "canary")
	wantFault(t, Config{URL: sentinel.url() + "?master=theirs"}, "Password")
	s := open(t, Config{URL: sentinel.url() + "?master=theirs&sentinel_password=canary", CacheFor: time.Hour})
	works(t, s)
	create(t, s, record("stays"), record("ended"))
	copied(t, s, "stays")
	must(t, rawClient(t, first.address()), "WAIT", "1", "5000")

	first.kill()
	began := time.Now()
	if !until(60*time.Second, func() bool { return s.Delete(t.Context(), "ended") == nil }) {
		t.Fatal("the fail-over is not followed")
	}
	t.Logf("followed the fail-over after %v", time.Since(began))
	if !until(patience, func() bool { _, err := s.Get(t.Context(), "stays"); return err == nil }) {
		t.Error("the session did not come along")
	}
	if !refused(t, s, "ended") {
		t.Error("what was ended is there")
	}
	n, err := s.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 1)
}
