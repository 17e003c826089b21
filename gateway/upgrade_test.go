package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

const webSocketKey = "dGhlIHNhbXBsZSBub25jZQ=="

// tunnels are handshakes that make another protocol of a request than WebSocket, or
// something that only looks like one.
var tunnels = map[string]string{
	"h2c":                     "GET %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"h2c in capitals":         "GET %s\r\nConnection: UPGRADE, HTTP2-SETTINGS\r\nUPGRADE: H2C\r\nHTTP2-SETTINGS: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"h2c, settings unnamed":   "GET %s\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"settings alone":          "GET %s\r\nConnection: HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"h2c by POST":             "POST %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 0\r\n",
	"h2c with a body":         "POST %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 2\r\n",
	"h2c and WebSocket":       "GET %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey + "\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
	"WebSocket, then h2c":     "GET %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey + "\r\n",
	"WebSocket with settings": "GET %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey + "\r\n",
	"WebSocket without a key": "GET %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
	"WebSocket by POST":       "POST %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\nSec-WebSocket-Key: " + webSocketKey + "\r\n",
	"WebSocket with a body":   "GET %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 2\r\nSec-WebSocket-Key: " + webSocketKey + "\r\n",
	"TLS":                     "GET %s\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
	"TLS by OPTIONS":          "OPTIONS %s\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n",
	"CONNECT-UDP":             "GET %s\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n",
	"SPDY":                    "POST %s\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n",
	"nothing named":           "GET %s\r\nConnection: Upgrade\r\n",
}

// switching agrees to become whatever it is asked to, or not asked to, and says on the
// new protocol that it is one.
func switching(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	protocol := r.Header.Get("Upgrade")
	if r.URL.Query().Has("as") {
		protocol = r.URL.Query().Get("as")
	}
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n")
	if !r.URL.Query().Has("unsaid") {
		fmt.Fprint(conn, "Connection: Upgrade\r\n")
	}
	if protocol != "" {
		fmt.Fprintf(conn, "Upgrade: %s\r\n", protocol)
	}
	fmt.Fprint(conn, "\r\ntunnel\n")
	_, _ = buffered.ReadString('\n')
}

// send writes a request head, which has a place for the target, and reads what comes.
func send(t *testing.T, site, head, target string) (*http.Response, *bufio.Reader) {
	t.Helper()
	host := strings.TrimPrefix(site, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	body := "\r\n"
	if strings.Contains(head, "Content-Length: 2") {
		body += "ok"
	}
	fmt.Fprintf(conn, head+"%s", target+" HTTP/1.1\r\nHost: "+host, body)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, reader
}

// TestS200_NoRequestBecomesATunnel: whatever an upstream agrees to, a request that is no
// WebSocket handshake stays one request, also where everybody may make it.
func TestS200_NoRequestBecomesATunnel(t *testing.T) {
	agreeing := gateway.Upstream{URLs: []string{upstream(t, switching)}}
	two := gateway.Upstream{URLs: []string{agreeing.URLs[0], agreeing.URLs[0]}}
	seeing := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q %q", r.Header["Upgrade"], r.Header["Http2-Settings"], r.Header["Connection"])
	})
	s := newSite(t, []gateway.Route{
		{Path: "/", Public: true, Upstream: &agreeing}, {Path: "/two", Public: true, Upstream: &two}, {Path: "/seen", Public: true, Upstream: &gateway.Upstream{URLs: []string{seeing}}},
	}, nil)
	for name, head := range tunnels {
		for _, target := range []string{"/", "/?as=h2c", "/?as=websocket", "/?as=", "/?as=websocket&unsaid", "/?as=h2c&unsaid", "/two"} {
			if r, _ := send(t, s.url, head, target); r.StatusCode != http.StatusBadGateway {
				t.Errorf("%s: %s: %s", name, target, r.Status)
			}
		}
		r, _ := send(t, s.url, head, "/seen")
		body, err := io.ReadAll(r.Body)
		if r.StatusCode != 200 || string(body) != "[] [] []" || err != nil {
			t.Errorf("%s: the upstream saw %s, %s %v", name, body, r.Status, err)
		}
		if r, _ := send(t, s.url, head, "/auth/user"); r.StatusCode == http.StatusSwitchingProtocols || r.StatusCode >= 500 {
			t.Errorf("%s: at an endpoint: %s", name, r.Status)
		}
	}
	// Nor where a transport of the program's own says less of a connection than net/http's.
	silent := newSite(t, public(agreeing), func(c *gateway.Config, _ *codegrant.Config) { c.Transport = unsaid{} })
	for name, head := range tunnels {
		if r, _ := send(t, silent.url, head, "/"); r.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: through a transport that says nothing: %s", name, r.Status)
		}
	}
	// A handshake that passes becomes a WebSocket, and nothing else.
	const handshake = "GET %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + webSocketKey + "\r\n"
	for target, want := range map[string]int{"/": 101, "/?as=websocket": 101, "/?as=h2c": 502, "/?as=": 502, "/?as=websocket&unsaid": 502, "/?as=&unsaid": 502, "/?as=websocket,%20h2c": 502, "/two": 101} {
		r, reader := send(t, s.url, handshake, target)
		if r.StatusCode != want {
			t.Errorf("a WebSocket: %s: %s", target, r.Status)
		}
		if r.StatusCode == 101 {
			if line, err := reader.ReadString('\n'); line != "tunnel\n" {
				t.Errorf("a WebSocket: %s: %q %v", target, line, err)
			}
		}
	}
}

// unsaid makes a connection of every request, and does not say to which protocol.
type unsaid struct{}

func (unsaid) RoundTrip(r *http.Request) (*http.Response, error) {
	near, far := net.Pipe()
	go func() { _, _ = io.WriteString(far, "tunnel\n"); _ = far.Close() }()
	return &http.Response{StatusCode: http.StatusSwitchingProtocols, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: near, Request: r}, nil
}

// TestS200_QuestionsAboutTunnels are refused: a proxy that asks may let its upstream agree.
func TestS200_QuestionsAboutTunnels(t *testing.T) {
	s := newSite(t, usual(), nil)
	host := strings.TrimPrefix(s.url, "http://")
	for name, head := range tunnels {
		head, _, _ := strings.Cut(head, " ")
		method := head
		header := http.Header{}
		for line := range strings.SplitSeq(tunnels[name], "\r\n") {
			if key, value, ok := strings.Cut(line, ": "); ok && key != "Content-Length" {
				header.Add(key, value)
			}
		}
		if header.Get("Upgrade") == "" && header.Get("Http2-Settings") == "" || name == "WebSocket with a body" { // nobody asks for anything, or nobody says that there is a body
			continue
		}
		w := httptest.NewRecorder()
		if pass := s.gateway.CheckOriginal(w, asOriginal(t, s, method, "/open", header.Clone()), nil); pass != nil || w.Code != 403 {
			t.Errorf("%s: %+v %d", name, pass, w.Code)
		}
		for _, kind := range []string{"nginx", "caddy"} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/auth/check", nil)
			r.Header, r.RemoteAddr = header.Clone(), "127.0.0.1:1"
			r.Host = host
			for key, value := range asked(kind, method, host, "/open") {
				r.Header.Set(key, value)
			}
			w := httptest.NewRecorder()
			s.gateway.ServeHTTP(w, r)
			if w.Code != 403 {
				t.Errorf("%s asks for %s: %d", kind, name, w.Code)
			}
		}
	}
	if !strings.Contains(s.log.String(), "asks for another protocol") {
		t.Error("the log does not say why")
	}
	socket := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Key": webSocketKey, "Sec-Websocket-Version": "13", "Origin": s.url}
	header := http.Header{}
	for key, value := range socket {
		header.Set(key, value)
	}
	if s.gateway.CheckOriginal(httptest.NewRecorder(), asOriginal(t, s, "GET", "/open", header), nil) == nil {
		t.Error("a WebSocket: refused")
	}
	for _, kind := range []string{"nginx", "caddy"} {
		if r, body := s.ask(http.DefaultClient, "GET", "/auth/check", merge(asked(kind, "GET", host, "/open"), "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", webSocketKey, "Origin", s.url)); r.StatusCode != 200 {
			t.Errorf("%s asks for a WebSocket: %d %s", kind, r.StatusCode, body)
		}
	}
}

// TestS200_Hypercorn: a real server that takes h2c answers one request at a time.
func TestS200_Hypercorn(t *testing.T) {
	bin := testenv.Python(t, "hypercorn==0.18.0")
	folder := t.TempDir()
	application := `
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-version", scope["http_version"].encode())]})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
`
	if err := os.WriteFile(filepath.Join(folder, "app.py"), []byte(application), 0o600); err != nil {
		t.Fatal(err)
	}
	address := testenv.FreeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, filepath.Join(bin, "hypercorn"), "--workers", "0", "--bind", address, "app:app") // no process of its own that would outlive it
	server.Dir = folder
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = server.Wait() })
	eventually(t, "hypercorn answers", func() bool {
		r, err := http.Get("http://" + address + "/")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == 200
	})
	if r, _ := send(t, "http://"+address, tunnels["h2c"], "/"); r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("hypercorn itself does not take h2c: %s", r.Status)
	}
	up := &gateway.Upstream{URLs: []string{"http://" + address}}
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: up}, {Path: "/open", Public: true, Upstream: up}}, nil)
	for name, head := range tunnels {
		if strings.Contains(head, "websocket") {
			continue // this application has none
		}
		r, _ := send(t, s.url, head, "/open")
		if r.StatusCode != 200 || r.Header.Get("X-Version") != "1.1" {
			t.Errorf("%s: %s over HTTP/%s", name, r.Status, r.Header.Get("X-Version"))
		}
	}
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(s.url+"/auth/login", "alice@example.com", codegranttest.Password)
	if r, body := s.ask(alice.Client, "GET", "/x", map[string]string{"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "Http2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}); r.StatusCode != 200 || body != "/x" {
		t.Errorf("signed in: %d %s", r.StatusCode, body)
	}
}
