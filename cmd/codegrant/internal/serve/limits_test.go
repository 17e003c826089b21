package serve

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS147_EndpointsWithinEachOther: no prefix of a pool hides a sign-in at another's.
func TestS147_EndpointsWithinEachOther(t *testing.T) {
	inner, outer := settings.Pool{Prefix: "/auth/staff", Hosts: []string{"a.example"}}, settings.Pool{Prefix: "/auth", Hosts: []string{"b.example"}}
	for _, pools := range [][]settings.Pool{{inner, outer}, {outer, inner}} {
		g := &generation{Settings: &settings.Settings{Pools: pools}}
		for path, want := range map[string]string{
			"/auth/login": "/login", "/auth/staff/login": "/login", "/auth/staff/callback/": "/callback", "/auth/check/login": "", "/authlogin": "", "/": "",
		} {
			if got := g.endpointOf(httptest.NewRequest("GET", path, nil)); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
}

// TestS147_SignInRate: by the address that can be believed.
func TestS147_SignInRate(t *testing.T) {
	g := newGate(t, oneUpstream+"limits: {sign_in_rate: 1, sign_in_burst: 2}\n")
	g.start()
	login := func(path, forwarded string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", forwarded)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response
	}
	// Who cannot be believed gets no further by naming another address.
	for i, want := range []int{303, 303, 429, 429} {
		if r := login("/auth/login", fmt.Sprintf("198.51.100.%d", i)); r.StatusCode/100 != want/100 || want == 429 && r.Header.Get("Retry-After") == "" {
			t.Errorf("%d: %d, want %d", i, r.StatusCode, want)
		}
	}
	for _, path := range []string{"/auth/callback?code=a&state=b", "/auth/login/", "/auth/%6cogin"} {
		if r := login(path, ""); r.StatusCode != 429 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	// What is not a sign-in goes on.
	for path, want := range map[string]int{"/auth/user": 401, "/open": 200, "/orders": 401} {
		if r := login(path, ""); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}
	g.write(oneUpstream + "limits: {sign_in_rate: 1, sign_in_burst: 2}\ntrusted_proxies: 127.0.0.1\n")
	g.logged("new configuration is in use")
	for i := range 4 {
		if r := login("/auth/login", fmt.Sprintf("203.0.113.9, 198.51.100.%d", i)); r.StatusCode == 429 {
			t.Errorf("through a trusted proxy, %d: %d", i, r.StatusCode)
		}
	}
	// One network of IPv6 is one customer's, however many addresses it has.
	for i, want := range []int{303, 303, 429} {
		if r := login("/auth/login", fmt.Sprintf("2001:db8:1:2:%x::1", i)); r.StatusCode/100 != want/100 {
			t.Errorf("of one network, %d: %d, want %d", i, r.StatusCode, want)
		}
	}
	if r := login("/auth/login", "2001:db8:1:3::1"); r.StatusCode == 429 {
		t.Error("another network is refused")
	}
	g.write(oneUpstream + "limits: {sign_in_rate: 0}\n")
	g.until("it is in use", func() bool { return strings.Count(g.log.String(), "new configuration is in use") == 2 })
	for range 5 {
		if r := login("/auth/login", ""); r.StatusCode == 429 {
			t.Error("there is no limit, and it is met")
		}
	}
}

// TestS147_SignInsOfOnePerson: from wherever they come, and nobody else waits for it.
func TestS147_SignInsOfOnePerson(t *testing.T) {
	g := newGate(t, oneUpstream+"limits: {account_sign_in_rate: 1, account_sign_in_burst: 2}\n")
	g.start()
	signIn := func(email string) *codegranttest.Page {
		return codegranttest.NewBrowser(t).SignIn(g.url+"/orders", email, codegranttest.Password)
	}
	for i, want := range []int{200, 200, 429} {
		page := signIn("bob@example.com")
		if page.Status != want || want == 429 && (page.Header.Get("Retry-After") == "" || !strings.Contains(page.Body, "wait a moment")) {
			t.Errorf("%d: status %d, want %d: %s", i, page.Status, want, page.Body)
		}
	}
	if page := signIn("alice@example.com"); page.Status == 429 {
		t.Error("somebody else is refused")
	}
	if !strings.Contains(g.log.String(), "too many sign-ins of one person") {
		t.Errorf("the log does not say why:\n%s", g.log)
	}
}

func TestSignInLimiter(t *testing.T) {
	var l limiter[netip.Prefix]
	l.set(60, 2)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ask := func(address string, after time.Duration) time.Duration {
		t.Helper()
		return l.wait(network(netip.MustParseAddr(address)), now.Add(after)).Round(time.Millisecond)
	}
	for _, tt := range []struct {
		address     string
		after, wait time.Duration
	}{
		{"198.51.100.1", 0, 0}, {"198.51.100.1", 0, 0}, {"198.51.100.1", 0, time.Second}, {"198.51.100.1", 500 * time.Millisecond, 500 * time.Millisecond},
		{"198.51.100.2", 0, 0}, {"198.51.100.1", time.Second, 0}, {"198.51.100.1", time.Second, time.Second},
		{"2001:db8:1:2::1", 0, 0}, {"2001:db8:1:2::2", 0, 0}, {"2001:db8:1:2:ffff::3", 0, time.Second}, {"2001:db8:1:3::1", 0, 0},
	} {
		if got := ask(tt.address, tt.after); got != tt.wait {
			t.Errorf("%s after %v: %v, want %v", tt.address, tt.after, got, tt.wait)
		}
	}
	// A configuration with the same limits forgets nobody.
	l.set(60, 2)
	if ask("2001:db8:1:2::4", 0) == 0 {
		t.Error("the same limits let everybody begin anew")
	}
}

// TestS145_SignInLimiterIsBounded: memory does not grow with addresses, and who is
// heard of stays known.
func TestS145_SignInLimiterIsBounded(t *testing.T) {
	var l limiter[netip.Prefix]
	l.set(60, 1)
	now := time.Now()
	mine := network(netip.MustParseAddr("198.51.100.1"))
	l.wait(mine, now)
	for i := range 3 * maxLimited {
		l.wait(network(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})), now)
		if i%1000 == 0 && l.wait(mine, now) == 0 {
			t.Fatalf("after %d others it is forgotten", i)
		}
	}
	if len(l.known) != maxLimited || l.recent.Len() != maxLimited {
		t.Errorf("it knows %d addresses, and has %d in order", len(l.known), l.recent.Len())
	}
}

// TestServeShedsLoad answers at once where it would have to wait.
func TestServeShedsLoad(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"limits: {requests: 2}\nops_listen: "+address+"\n")
	g.start()
	for range 2 {
		held, err := http.Get(g.url + "/open?hold")
		if err != nil {
			t.Fatal(err)
		}
		defer held.Body.Close()
		if _, err := io.ReadFull(held.Body, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.Get(g.url + "/open")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if _, text := operations(t, address, "/metrics"); !strings.Contains(text, `codegrant_refused_total{reason="overload"} 1`) || !strings.Contains(text, "codegrant_requests_in_flight 2") {
		t.Error("the metrics do not say so")
	}
	g.release()
	g.until("there is room", func() bool { status, _ := g.get(http.DefaultClient, "/open"); return status == 200 })
}

// TestS144_SlowAndLargeRequests are ended.
func TestS144_SlowAndLargeRequests(t *testing.T) {
	g := newGate(t, oneUpstream+"limits: {header_bytes: 8KiB}\n")
	g.start()
	r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Large", strings.Repeat("x", 16<<10))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: %d", response.StatusCode)
	}
	large := g.settings()
	synctest.Test(t, func(t *testing.T) {
		server := (&process{log: slog.New(slog.DiscardHandler)}).server(t.Context(), large)
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		pipes := make(pipeListener)
		go func() { _ = server.Serve(pipes) }()
		defer server.Close()
		// end is after how long the server ends a connection on which it is sent a byte at a
		// time, or nothing after what is sent at first.
		end := func(first string, every time.Duration) time.Duration {
			ours, theirs := net.Pipe()
			defer ours.Close()
			pipes <- theirs
			begun, gone := time.Now(), make(chan struct{})
			if _, err := io.WriteString(ours, first); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, ours); close(gone) }()
			for every > 0 {
				select {
				case <-gone:
					return time.Since(begun)
				case <-time.After(every):
				}
				if time.Since(begun) > time.Hour {
					t.Fatal("it reads headers for an hour")
				}
				_, _ = io.WriteString(ours, "x")
			}
			select {
			case <-gone:
			case <-time.After(time.Hour):
				t.Fatal("it waits for an hour")
			}
			return time.Since(begun)
		}
		for name, tt := range map[string]struct {
			first       string
			every, want time.Duration
		}{
			"headers a byte a second":   {"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", time.Second, 10 * time.Second},
			"headers that stop":         {"GET / HTTP/1.1\r\nHo", 0, 10 * time.Second},
			"nothing at all":            {"", 0, 10 * time.Second},
			"nothing after one request": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 2 * time.Minute},
		} {
			if got := end(tt.first, tt.every); got < tt.want || got > tt.want+5*time.Second {
				t.Errorf("%s: ended after %v, want %v", name, got, tt.want)
			}
		}
	})
}

// pipeListener accepts the connections that are sent to it.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l pipeListener) Close() error { close(l); return nil }

func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestS101_S134_TheBinaryExemptsNobody: the listener of the public has no door beside
// the routes.
func TestS101_S134_TheBinaryExemptsNobody(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"ops_listen: "+address+"\ntrusted_proxies: 127.0.0.1\n")
	g.start()
	for _, target := range []string{"/healthz", "/readyz", "/livez", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/vars", "/reload", "/version", "/x?ready=1"} {
		for _, agent := range []string{"kube-probe/1.34", "ELB-HealthChecker/2.0", "Prometheus/3.0"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+target, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("User-Agent", agent)
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if response.Body.Close(); response.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s gets %d of %s", agent, response.StatusCode, target)
			}
		}
	}
	if status, _ := operations(t, address, "/metrics"); status != 200 {
		t.Errorf("and operators get %d", status)
	}
}

// TestSocketsOfThisMachine: a proxy behind a Unix socket can be trusted.
func TestSocketsOfThisMachine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local(r)
		_, _ = io.WriteString(w, addressOf(r.RemoteAddr).String())
	})}}
	server.Start()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://gate/")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "127.0.0.1" {
		t.Errorf("it comes from %s, %v", body, err)
	}
}

// TestServeAnswersEnvoy over gRPC, under whichever configuration is in use.
func TestServeAnswersEnvoy(t *testing.T) {
	address := testenv.FreeAddress(t)
	more := "ext_authz_listen: " + address + "\ntrusted_proxies: 127.0.0.1\n"
	g := newGate(t, oneUpstream+more)
	g.start()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(path string) int32 {
		t.Helper()
		answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{}},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Host: strings.TrimPrefix(g.url, "http://"), Path: path, Scheme: "http",
				Headers: map[string]string{":authority": strings.TrimPrefix(g.url, "http://"), ":path": path, ":method": "GET"},
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if denied := answer.GetDeniedResponse(); denied != nil {
			return int32(denied.GetStatus().GetCode())
		}
		return 200
	}
	if open, admin := ask("/open/x"), ask("/admin"); open != 200 || admin != 401 {
		t.Errorf("/open %d, /admin %d", open, admin)
	}
	g.write(strings.Replace(oneUpstream, "path: /open", "path: /admin/open", 1) + more)
	g.logged("new configuration is in use")
	if open, admin := ask("/open/x"), ask("/admin/open"); open != 401 || admin != 200 {
		t.Errorf("with a new configuration: /open %d, /admin/open %d", open, admin)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestServeAnswersHAProxy over a Unix socket, which one that died has left behind, under
// whichever configuration is in use.
func TestServeAnswersHAProxy(t *testing.T) {
	folder, err := os.MkdirTemp("", "spoe") // t.TempDir is too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = left.Close()
	more := "spoe_listen: unix:" + path + "\ntrusted_proxies: 127.0.0.1\n"
	g := newGate(t, oneUpstream+more)
	g.start()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v %v", info, err)
	}
	if _, err := listen.Here("spoe_listen", "unix:"+path, 0); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second process: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	exchange := func(content string) string {
		t.Helper()
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...)); err != nil {
			t.Fatal(err)
		}
		var length [4]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			t.Fatal(err)
		}
		return string(answer)
	}
	exchange("\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x0apipelining")
	ask := func(path string) bool {
		t.Helper()
		host := strings.TrimPrefix(g.url, "http://")
		headers := "\x04host" + string([]byte{byte(len(host))}) + host + "\x00\x00"
		return strings.Contains(exchange("\x03\x00\x00\x00\x01\x01\x01\x05check\x03\x06method\x08\x03GET\x03uri\x08"+string([]byte{byte(len(path))})+path+
			"\x07headers\x09"+string([]byte{byte(len(headers))})+headers), "\x06status\x03\xc8")
	}
	if open, admin := ask("/open/x"), ask("/admin"); !open || admin {
		t.Errorf("/open %t, /admin %t", open, admin)
	}
	g.write(strings.Replace(oneUpstream, "path: /open", "path: /admin/open", 1) + more)
	g.logged("new configuration is in use")
	if open, admin := ask("/open/x"), ask("/admin/open"); open || !admin {
		t.Errorf("with a new configuration: /open %t, /admin/open %t", open, admin)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
