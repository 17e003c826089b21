package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !true() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func upstream(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// gone is the address of a server that is not there.
func gone(t *testing.T) string {
	t.Helper()
	return "http://" + testenv.FreeAddress(t)
}

func public(u gateway.Upstream) []gateway.Route {
	return []gateway.Route{{Path: "/", Public: true, Upstream: &u}}
}

func TestRetriesAreForRequestsThatBearThem(t *testing.T) {
	var calls atomic.Int32
	well := upstream(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); fmt.Fprint(w, "ok") })
	s := newSite(t, public(gateway.Upstream{URLs: []string{gone(t), well}}), nil)
	for range 4 {
		if r, body := s.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 200 {
			t.Errorf("GET: %d %s", r.StatusCode, body)
		}
	}
	if calls.Load() != 4 {
		t.Errorf("%d calls of 4", calls.Load())
	}
	down := newSite(t, public(gateway.Upstream{URLs: []string{gone(t), gone(t)}}), nil)
	if r, _ := down.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 502 {
		t.Errorf("nobody there: %d", r.StatusCode)
	}
	// Nobody else is asked where that was turned off.
	calls.Store(0)
	halfWell := newSite(t, public(gateway.Upstream{URLs: []string{gone(t), well}, Retries: -1}), nil)
	first, _ := halfWell.ask(http.DefaultClient, "GET", "/", nil)
	second, _ := halfWell.ask(http.DefaultClient, "GET", "/", nil)
	if min(first.StatusCode, second.StatusCode) != 200 || max(first.StatusCode, second.StatusCode) != 502 || calls.Load() != 1 {
		t.Errorf("without retries: %d, %d and %d calls", first.StatusCode, second.StatusCode, calls.Load())
	}
	// A request that could have been acted upon goes to one server.
	var posts atomic.Int32
	breaks := func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	}
	broken := newSite(t, public(gateway.Upstream{URLs: []string{upstream(t, breaks), upstream(t, breaks)}}), nil)
	if r, _ := broken.ask(http.DefaultClient, "POST", "/", nil); r.StatusCode != 502 || posts.Load() != 1 {
		t.Errorf("POST: %d after %d tries", r.StatusCode, posts.Load())
	}
}

func TestHealthChecks(t *testing.T) {
	var ill atomic.Bool
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && ill.Load() {
			w.WriteHeader(503)
			return
		}
		fmt.Fprint(w, "ok")
	})
	s := newSite(t, public(gateway.Upstream{URLs: []string{server}, Health: "/health", HealthEvery: 100 * time.Millisecond}), nil)
	status := func() int { r, _ := s.ask(http.DefaultClient, "GET", "/", nil); return r.StatusCode }
	eventually(t, "well", func() bool { return status() == 200 })
	ill.Store(true)
	eventually(t, "ill: 503", func() bool { return status() == 503 })
	ill.Store(false)
	eventually(t, "well again", func() bool { return status() == 200 })
}

func TestSlowUpstream(t *testing.T) {
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_ = http.NewResponseController(w).Flush() // the answer has begun in time
		}
		<-held
		fmt.Fprint(w, "done")
	})
	t.Cleanup(release)
	const short, enough = 50 * time.Millisecond, 2 * time.Second // the latter, for an answer to begin
	s := newSite(t, []gateway.Route{
		{Path: "/", Public: true, Upstream: &gateway.Upstream{URLs: []string{server}, Timeout: short}},
		{Path: "/body", Public: true, Upstream: &gateway.Upstream{URLs: []string{server}, Timeout: enough}},
	}, nil)
	if r, _ := s.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 504 {
		t.Errorf("no answer in time: %d", r.StatusCode)
	}
	r, err := http.Get(s.url + "/body")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	<-time.After(enough + short) // the body takes longer than Timeout
	release()
	if body, err := io.ReadAll(r.Body); r.StatusCode != 200 || string(body) != "done" || err != nil {
		t.Errorf("a long body: %d %q, %v", r.StatusCode, body, err)
	}
}

func TestBodies(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/", Public: true}}, func(g *gateway.Config, _ *codegrant.Config) { g.Routes[0].Upstream.MaxBody = 1 << 10 })
	post := func(body io.Reader) (int, string) {
		r, err := http.Post(s.url+"/x", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		var got seen
		_ = json.Unmarshal(b, &got)
		return r.StatusCode, got.Body
	}
	if status, body := post(strings.NewReader("hello")); status != 200 || body != "hello" {
		t.Errorf("%d %q", status, body)
	}
	if status, body := post(io.MultiReader(strings.NewReader("streamed"))); status != 200 || body != "streamed" {
		t.Errorf("without a length: %d %q", status, body)
	}
	if status, _ := post(strings.NewReader(strings.Repeat("x", 2<<10))); status != 413 {
		t.Errorf("too large: %d", status)
	}
	if status, _ := post(io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<10)))); status != 413 {
		t.Errorf("too large, without a length: %d", status)
	}
}

func TestServerSentEventsFlowAtOnce(t *testing.T) {
	next := make(chan string)
	server := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			fmt.Fprintf(w, "data: %s\n\n", event)
			_ = http.NewResponseController(w).Flush()
		}
	})
	s := newSite(t, public(gateway.Upstream{URLs: []string{server}}), nil)
	go func() { next <- "one" }()
	r, err := http.Get(s.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Scan()
	if lines.Text() != "data: one" {
		t.Errorf("%q", lines.Text())
	}
	go func() { next <- "two"; close(next) }()
	lines.Scan()
	lines.Scan()
	if lines.Text() != "data: two" {
		t.Errorf("%q", lines.Text())
	}
}

// webSocket answers a handshake and echoes lines: what the frames are is between
// client and upstream.
func webSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		w.WriteHeader(400)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Auth-Subject: evil\r\nX-Seen: %s\r\n\r\n", r.Header.Get("X-Auth-Email"))
	for {
		line, err := buffered.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(conn, "echo "+line)
	}
}

func (s *site) handshake(t *testing.T, browser *codegranttest.Browser, origin string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	r, _ := http.NewRequest("GET", s.url+"/ws", nil)
	for _, c := range browser.Client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Key", webSocketKey)
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Origin", origin)
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, r)
	if err != nil {
		t.Fatal(err)
	}
	return response, conn, reader
}

func TestS106_WebSockets(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: &gateway.Upstream{URLs: []string{upstream(t, webSocket)}}}}, nil)
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(s.url+"/auth/login", "alice@example.com", codegranttest.Password)
	response, conn, reader := s.handshake(t, alice, s.url)
	if response.StatusCode != 101 || response.Header.Get("X-Seen") != "alice@example.com" || response.Header.Get("X-Auth-Subject") != "" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := reader.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("%q %v", line, err)
	}
	if response, _, _ := s.handshake(t, alice, "https://evil.example"); response.StatusCode != 403 {
		t.Errorf("from another site: %d", response.StatusCode)
	}
	if response, _, _ := s.handshake(t, codegranttest.NewBrowser(t), s.url); response.StatusCode != 401 {
		t.Errorf("of nobody: %d", response.StatusCode)
	}
}

func TestFilesOfASinglePageApplication(t *testing.T) {
	files := fstest.MapFS{
		"index.html": {Data: []byte("<h1>app</h1>")}, "app.js": {Data: []byte("run()")}, ".env": {Data: []byte("SECRET")}, "img/a.png": {Data: []byte("png")},
		".well-known/x": {Data: []byte("known")},
	}
	s := newSite(t, []gateway.Route{{Path: "/", Public: true, Files: files}, {Path: "/api"}, {Path: "/private", Files: files, StripPrefix: true}}, nil)
	for path, want := range map[string]string{
		"/": "<h1>app</h1>", "/boards/7": "<h1>app</h1>", "/app.js": "run()", "/img/a.png": "png", "/img": "<h1>app</h1>", "/index.html": "<h1>app</h1>", "/.well-known/x": "known",
	} {
		if r, body := s.ask(http.DefaultClient, "GET", path, nil); r.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q", path, r.StatusCode, body)
		}
	}
	for path, want := range map[string]int{"/missing.js": 404, "/.env": 404, "/api/x": 401, "/private/app.js": 401} {
		if r, body := s.ask(http.DefaultClient, "GET", path, nil); r.StatusCode != want || strings.Contains(body, "SECRET") {
			t.Errorf("%s: %d %q", path, r.StatusCode, body)
		}
	}
	if r, _ := s.ask(http.DefaultClient, "POST", "/", nil); r.StatusCode != 405 {
		t.Errorf("POST: %d", r.StatusCode)
	}
	alice := s.signIn("/api/x", "alice@example.com")
	if r, body := s.ask(alice.Client, "GET", "/private/app.js", nil); r.StatusCode != 200 || body != "run()" || r.Header.Get("Cache-Control") == "" {
		t.Errorf("private: %d %q %v", r.StatusCode, body, r.Header)
	}
}

func TestS109_WhatIsPassedOn(t *testing.T) {
	s := newSite(t, []gateway.Route{
		{Path: "/token", PassAccessToken: true}, {Path: "/kept", PassAuthorization: true}, {Path: "/strip", StripPrefix: true}, {Path: "/"}, {Path: "/open", Public: true},
	}, nil)
	alice := s.signIn("/", "alice@example.com").Client
	token := s.echoed(alice, "/token/x", nil).Header.Get("Authorization")
	if !strings.HasPrefix(token, "Bearer ey") {
		t.Fatalf("access token: %q", token)
	}
	bearer := map[string]string{"Authorization": token}
	if got := s.echoed(http.DefaultClient, "/x", bearer); got.Header.Get("Authorization") != "" || got.Header.Get("X-Auth-Username") != "alice" {
		t.Errorf("a bearer token was passed on: %v", got.Header)
	}
	if got := s.echoed(http.DefaultClient, "/kept/x", bearer); got.Header.Get("Authorization") != token {
		t.Errorf("not passed on though asked for: %v", got.Header)
	}
	if got := s.echoed(http.DefaultClient, "/open", map[string]string{"Authorization": "Basic dGhlaXI6b3du"}); got.Header.Get("Authorization") != "Basic dGhlaXI6b3du" {
		t.Errorf("what is between client and upstream: %v", got.Header)
	}
	for path, want := range map[string]string{"/strip/a/b?x=1": "/a/b?x=1", "/strip": "/", "/strip/": "/"} {
		if got := s.echoed(alice, path, nil); got.Target != want {
			t.Errorf("%s: upstream saw %s, want %s", path, got.Target, want)
		}
	}
	if got := s.echoed(alice, "/%c3%bc%20a?q=%zz&r=+", nil); got.Target != "/%c3%bc%20a?q=%zz&r=+" {
		t.Errorf("upstream saw %s", got.Target)
	}
}

func TestTenants(t *testing.T) {
	other := codegranttest.NewPool(t, nil)
	s := newSite(t, []gateway.Route{{Path: "/"}}, func(g *gateway.Config, c *codegrant.Config) {
		first, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		second, err := codegrant.New(codegrant.Config{Pool: other.Register("http://b.localhost:8080"), BaseURL: "http://b.localhost:8080", Logger: c.Logger, CookieName: "second"})
		if err != nil {
			t.Fatal(err)
		}
		g.Tenants = []gateway.Tenant{
			{Name: "a", Auth: first, Issuer: c.Pool.Issuer},
			{Name: "b", Auth: second, Hosts: []string{"b.localhost"}, Issuer: other.Clients()[0].Issuer},
		}
		g.Routes[0].PassAccessToken = true
	})
	alice := s.signIn("/", "alice@example.com").Client
	token := s.echoed(alice, "/", nil).Header.Get("Authorization")
	if got := s.echoed(alice, "/", map[string]string{"Cookie": "second=other; theirs=1"}); strings.Contains(got.Header.Get("Cookie"), "second") || !strings.Contains(got.Header.Get("Cookie"), "theirs=1") {
		t.Errorf("the upstream saw another tenant's cookie: %s", got.Header.Get("Cookie"))
	}
	on := func(host, token string) int {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/", nil)
		r.Host = host
		if token != "" {
			r.Header.Set("Authorization", token)
		} else {
			for _, c := range alice.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if got := on("b.localhost", ""); got != 401 {
		t.Errorf("a session of one tenant at another: %d", got)
	}
	if got := on("b.localhost", token); got != 401 || s.last().Tenant != "b" {
		t.Errorf("a bearer token of one tenant at another: %d by %s", got, s.last().Tenant)
	}
	if got := on("a.localhost", token); got != 200 || s.last().Tenant != "a" {
		t.Errorf("a bearer token at its own tenant: %d by %s", got, s.last().Tenant)
	}
}

// A request that a bare proxy would have served is served.
func TestLoadThroughTheProxy(t *testing.T) {
	s := newSite(t, []gateway.Route{{Path: "/"}}, nil)
	alice := s.signIn("/", "alice@example.com").Client
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				r, err := alice.Get(s.url + "/x")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != 200 {
					t.Errorf("%d", r.StatusCode)
				}
			}
		})
	}
	wg.Wait()
}
