package serve

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestServeUnderLoad: configurations come and go, sealing keys and with them the keys
// of assertions are rotated, and the upstream is restarted, gently and not, while
// people ask and sign in. No request fails that a bare ReverseProxy would have served:
// one stands beside, in front of the same upstream, and a request of the gateway's may
// fail when one of the bare proxy's does, and at no other time.
//
// CODEGRANT_TEST_LOAD=10m has it go on for ten minutes.
func TestServeUnderLoad(t *testing.T) {
	length, changes := time.Duration(0), 4
	if text := os.Getenv("CODEGRANT_TEST_LOAD"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("CODEGRANT_TEST_LOAD is to be a duration such as 10m: %v", err)
		}
	}
	g := newGate(t, "")
	up := newRestarting(t, g.url)
	routes := fmt.Sprintf("keys_dir: keys\nroutes: [{path: /, upstream: \"%s\", assertion: true}]\n", up.url)
	g.writeFile("keys/0000", newSealingKey())
	g.write(routes)
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)

	target, err := url.Parse(up.url)
	if err != nil {
		t.Fatal(err)
	}
	transport := newProcess(g.settings(), nil, nil, nil, nil).transport // that of the gateway
	defer transport.CloseIdleConnections()
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() }, Transport: transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	defer bare.Close()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	byGateway := newCallers(ctx, g.url+"/orders", alice.Client.Jar, "alice@example.com")
	byBare := newCallers(ctx, bare.URL+"/orders?bare", nil, "")
	begin := time.Now()
	made := 0
	var reasons []string
	for ; made < changes || time.Since(begin) < length; made++ {
		// A sign-in begins under one key and ends under the next.
		bob := codegranttest.NewBrowser(t)
		page := bob.Open(g.url + "/auth/login?redirect_uri=%2Fauth%2Fuser")
		form, ok := page.Form("password")
		if !ok {
			t.Fatalf("no form at %s", page.URL)
		}
		g.writeFile(fmt.Sprintf("keys/%04d", made+1), newSealingKey())
		if made >= 2 {
			if err := os.Remove(filepath.Join(g.dir, fmt.Sprintf("keys/%04d", made-2))); err != nil {
				t.Fatal(err)
			}
		}
		g.write(routes + fmt.Sprintf("limits: {requests: %d, sign_in_rate: 0, account_sign_in_rate: 0}\n", 100+made))
		before := up.keysSeen()
		up.restart(made%2 == 0)
		g.until("both serve, under the new key", func() bool {
			return byGateway.servedSince(up.restarted()) && byBare.servedSince(up.restarted()) && up.keysSeen() > before
		})
		if page = bob.Submit(page, form, map[string]string{"username": "bob@example.com", "password": codegranttest.Password}); !strings.Contains(page.Body, "bob@example.com") {
			t.Errorf("bob ended at %s: %d %s", page.URL, page.Status, page.Body)
		}
		if length > 0 {
			reasons = append(reasons, upstreamFaults(g.log.take())...) // of ten minutes, that is enough
		}
	}
	cancel()
	ours, theirs := byGateway.wait(), byBare.wait()
	if len(theirs) == 0 {
		t.Error("no request of the bare proxy failed: the restarts were none")
	}
	lost := 0
	for _, one := range ours {
		if !slices.ContainsFunc(theirs, one.near) {
			if lost++; lost <= 10 {
				t.Errorf("at %v (%s to %s) a request failed that the bare proxy would have served: %s", one.begin.Sub(begin), one.begin.UTC(), one.end.UTC(), one.why)
				for _, line := range append(reasons, upstreamFaults(g.log.String())...) {
					if strings.Contains(line, one.end.UTC().Format("2006-01-02T15:04:05")) {
						t.Log(line)
					}
				}
			}
		}
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	t.Logf("%v, %d changes, each with a new key and a restart: of %d requests through the gateway %d failed, of %d through the bare proxy %d; %d failed that it would have served",
		time.Since(begin).Round(time.Second), made, byGateway.asked, len(ours), byBare.asked, len(theirs), lost)
}

// take returns what was written, and forgets it.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

// upstreamFaults are the lines of a log that say why upstreams did not answer.
func upstreamFaults(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"msg":"upstream failed"`) {
			lines = append(lines, strings.Clone(line))
		}
	}
	return lines
}

// failure is a request that failed, and when.
type failure struct {
	begin, end time.Time
	why        string
}

// near reports whether two requests were under way at about the same time: as close as
// two callers come whom the same server leaves.
func (f failure) near(other failure) bool {
	const apart = 250 * time.Millisecond
	return f.begin.Before(other.end.Add(apart)) && other.begin.Before(f.end.Add(apart))
}

// callers ask for one page again and again.
type callers struct {
	running sync.WaitGroup
	mu      sync.Mutex // guards the fields below
	asked   int
	served  time.Time // when the last one that was answered had begun
	failed  []failure
}

func newCallers(ctx context.Context, page string, jar http.CookieJar, want string) *callers {
	c := new(callers)
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}
	for range 4 {
		c.running.Go(func() {
			defer transport.CloseIdleConnections()
			pace := time.NewTicker(3 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				begin := time.Now()
				why := ask(client, page, want)
				c.mu.Lock()
				c.asked++
				if why == "" {
					c.served = begin
				} else {
					c.failed = append(c.failed, failure{begin, time.Now(), why})
				}
				c.mu.Unlock()
			}
		})
	}
	return c
}

// ask returns what is wrong with the answer.
func ask(client *http.Client, page, want string) string {
	r, err := client.Get(page)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return err.Error()
	case r.StatusCode != http.StatusOK || !strings.Contains(string(body), want):
		return fmt.Sprintf("%s: %s", r.Status, body)
	}
	return ""
}

func (c *callers) servedSince(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served.After(t)
}

func (c *callers) wait() []failure {
	c.running.Wait()
	return c.failed
}

// restarting is an upstream that goes and comes back at the same address. It wants
// every request that is not the bare proxy's to carry an assertion that verifies.
type restarting struct {
	t       *testing.T
	url     string
	address string
	jwks    string

	server *http.Server
	left   []*http.Server // that were restarted gently
	socket *net.TCPListener
	last   time.Time

	mu   sync.Mutex
	keys map[string]ed25519.PublicKey
}

func newRestarting(t *testing.T, gateway string) *restarting {
	t.Helper()
	u := &restarting{t: t, address: testenv.FreeAddress(t), jwks: gateway + "/auth/.well-known/jwks.json", keys: make(map[string]ed25519.PublicKey)}
	u.url = "http://" + u.address
	u.listen()
	t.Cleanup(func() {
		for _, server := range append(u.left, u.server) {
			_ = server.Close()
		}
	})
	return u
}

func (u *restarting) listen() {
	u.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		l, err := net.Listen("tcp", u.address)
		if err == nil {
			u.socket = l.(*net.TCPListener)
			break
		}
		if time.Now().After(deadline) {
			u.t.Fatal(err)
		}
	}
	u.serve()
}

func (u *restarting) serve() {
	u.server = &http.Server{Handler: http.HandlerFunc(u.answer)}
	go func(server *http.Server, l net.Listener) { _ = server.Serve(l) }(u.server, u.socket)
}

// restart takes the server away and brings a new one. Gently, the new one listens on
// the same socket before the old one stops listening, and requests under way end well:
// also those that are the first of their connection, which nobody repeats, and which
// Shutdown would leave without an answer if they come as it is called. Otherwise
// connections are cut, and for a while nobody listens.
func (u *restarting) restart(gently bool) {
	u.t.Helper()
	old := u.server
	if gently {
		file, err := u.socket.File()
		if err != nil {
			u.t.Fatal(err)
		}
		defer file.Close()
		again, err := net.FileListener(file)
		if err != nil {
			u.t.Fatal(err)
		}
		socket := u.socket
		u.socket = again.(*net.TCPListener)
		u.serve()
		_ = socket.Close()
		old.SetKeepAlivesEnabled(false) // ends the connections that are idle, and the others with an answer
		u.left = append(u.left, old)
	} else {
		_ = old.Close()
		<-time.After(100 * time.Millisecond) // down
		u.listen()
	}
	u.last = time.Now()
}

func (u *restarting) restarted() time.Time { return u.last }

func (u *restarting) answer(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("bare") {
		if err := u.verify(r.Header.Get("X-Auth-Assertion")); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
	}
	fmt.Fprintf(w, "for %s\n", r.Header.Get("X-Auth-Email"))
}

// keysSeen is how many keys have signed what was verified.
func (u *restarting) keysSeen() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.keys)
}

// verify does what a backend does: a key that it does not know it fetches.
func (u *restarting) verify(token string) error {
	input, signature, _ := cutLast(token, ".")
	header, _, _ := strings.Cut(input, ".")
	var head struct {
		Kid string `json:"kid"`
	}
	b, err := base64.RawURLEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(b, &head)
	}
	if err != nil || head.Kid == "" {
		return fmt.Errorf("no assertion: %w", err)
	}
	u.mu.Lock()
	key := u.keys[head.Kid]
	u.mu.Unlock()
	if key == nil {
		if key, err = u.fetch(head.Kid); err != nil {
			return err
		}
		u.mu.Lock()
		u.keys[head.Kid] = key
		u.mu.Unlock()
	}
	sum, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !ed25519.Verify(key, []byte(input), sum) {
		return errors.New("the assertion does not verify")
	}
	return nil
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

func (u *restarting) fetch(kid string) (ed25519.PublicKey, error) {
	r, err := http.Get(u.jwks)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var set struct {
		Keys []struct{ Kid, X string }
	}
	if err := json.NewDecoder(r.Body).Decode(&set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		if x, err := base64.RawURLEncoding.DecodeString(k.X); k.Kid == kid && err == nil && len(x) == ed25519.PublicKeySize {
			return x, nil
		}
	}
	return nil, fmt.Errorf("key %s is not published", kid)
}
