package gateway

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/a.b/c-d_e.f", "/a..b", "/.a", "/a/.", "/a%20b", "/%c3%bc", "/a/../b", "/%2e%2e/", "//a", "/a;b", "/a%2fb", "/\\a", "/%", "/a?b"} {
		f.Add(seed, "x=1&y=%20", "Example.com:443")
	}
	f.Fuzz(func(t *testing.T, raw, query, host string) {
		got, err := newTarget(http.MethodGet, host, raw, query)
		if err != nil {
			return
		}
		if got.raw != raw || got.query != query {
			t.Fatalf("%q?%q is sent on as %+v", raw, query, got)
		}
		if again, err := newTarget(http.MethodGet, got.host, got.raw, got.query); err != nil || again.path != got.path || again.host != got.host {
			t.Fatalf("not stable: %+v, then %+v, %v", got, again, err)
		}
		// What is taken at first sight is what a closer look makes of it.
		readings, doubt, err := readingsOf(raw)
		if err != nil || readings[0] != got.path || (doubt != nil && got.doubt == nil) || len(readings) > 1 && len(got.readings) != len(readings) {
			t.Fatalf("%+v, and %q, %v, %v at a closer look", got, readings, doubt, err)
		}
		if got.settled && (len(readings) > 1 || canonical(raw, foldPlain) != raw || withoutExtension(raw) != "") {
			t.Fatalf("%q is not settled", raw)
		}
		for _, reading := range readings {
			for segment := range strings.SplitSeq(reading, "/") {
				if segment == ".." || segment == "." {
					t.Fatalf("dot segment in %q", reading)
				}
			}
		}
		if got.doubt == nil && (strings.ContainsAny(got.path, "\\;#\x00\r\n") || strings.Contains(got.path, "//")) || strings.ContainsAny(got.raw, " \r\n") {
			t.Fatalf("ambiguous %q", got.path)
		}
		for _, r := range []*route{{Route: Route{Path: "/"}}, {Route: Route{Path: "/", StripPrefix: true}}} {
			if u := upstreamURL(got, r); u.RequestURI() != raw+questionMark(query) && !strings.HasPrefix(raw, "//") {
				t.Fatalf("%q?%q reaches the upstream as %q", raw, query, u.RequestURI())
			}
		}
	})
}

func questionMark(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

func FuzzHeaderValue(f *testing.F) {
	for _, seed := range []string{"", "alice", "a,b", "50%", " x ", "ü\r\nX: y", "\x00", strings.Repeat("a", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{encode(s, false), new(lister).encode([]string{s, s})} {
			if strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 || r > 0x7e }) || got != strings.TrimSpace(got) {
				t.Fatalf("%q of %q", got, s)
			}
		}
		if strings.Contains(encode(s, true), ",") {
			t.Fatalf("a comma in an item of %q", s)
		}
		// Nothing is cut: what was sent can be had back whole.
		if back, err := url.PathUnescape(encode(s, false)); err != nil || back != s {
			t.Fatalf("%q became %q", s, back)
		}
		items := strings.Split(new(lister).encode([]string{s, "x", s}), ",")
		if back, err := url.PathUnescape(items[0]); err != nil || back != s || len(items) != 3 || items[1] != "x" || items[2] != items[0] {
			t.Fatalf("%q became %q", s, items)
		}
	})
}

// TestS089_S106_ALongRequestEndsWithTheSession: a stream, or a WebSocket, goes on while
// its permission does: it ends when nobody is signed in any more, and when somebody is
// who may no longer.
func TestS089_S106_ALongRequestEndsWithTheSession(t *testing.T) {
	for _, kind := range []string{"stream", "events", "WebSocket"} {
		for _, loss := range []string{"the session", "the permission"} {
			t.Run(kind+" without "+loss, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { outlives(t, kind, loss) }) })
		}
	}
}

func outlives(t *testing.T, kind, loss string) {
	auth, route := testAuth(t)
	var taken atomic.Bool
	route.Permissions = []codegrant.Permission{codegrant.PermissionFunc("membership", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) {
		return !taken.Load(), nil
	})}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Key", "good")
	transport, closed := http.RoundTripper(endless{}), make(chan struct{})
	if kind == "events" { // on a connection of their own
		r.Header.Set("Accept", "text/event-stream")
		transport = &Transport{direct: &direct{func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer close(closed)
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: open\n\n")
				}
				_, _ = io.Copy(io.Discard, theirs) // until the gateway closes it
			}()
			return ours, nil
		}}}
	} else {
		close(closed)
	}
	g, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{route}, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	w := http.ResponseWriter(httptest.NewRecorder())
	if kind == "WebSocket" {
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
			r.Header.Set(name, value)
		}
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		w = hijacked{w, theirs}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }() // http.ErrAbortHandler: the answer had begun
		g.ServeHTTP(w, r)
	}()
	time.Sleep(10*recheckEvery + time.Second)
	synctest.Wait()
	select {
	case <-ended:
		t.Fatal("it ended while the permission stood")
	default:
	}
	if loss == "the session" {
		revoked.Store(true)
		defer revoked.Store(false)
	} else {
		taken.Store(true)
	}
	time.Sleep(time.Minute + time.Second)
	synctest.Wait()
	select {
	case <-ended:
	default:
		t.Fatal("it goes on after " + loss + " is gone")
	}
	select {
	case <-closed:
	default:
		t.Error("the connection to the server goes on after the stream")
	}
}

// hijacked is a response whose connection can be had.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// TestS164_ALongRequestEndsWithAPanic: asking a permission again, which panics, ends
// the request, and not the process.
func TestS164_ALongRequestEndsWithAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, route := testAuth(t)
		asked := 0
		route.Permissions = []codegrant.Permission{codegrant.PermissionFunc("moody", func(context.Context, *codegrant.Identity, *http.Request) (bool, error) {
			if asked++; asked > 1 {
				panic("the second time")
			}
			return true, nil
		})}
		g, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{route}, Transport: endless{}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Key", "good")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer func() { _ = recover() }() // http.ErrAbortHandler: the answer had begun
			g.ServeHTTP(httptest.NewRecorder(), r)
		}()
		time.Sleep(recheckEvery + time.Second)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Fatal("it goes on")
		}
	})
}

var revoked atomic.Bool

type key struct{}

func (key) Authenticate(r *http.Request) (*codegrant.Identity, error) {
	if r.Header.Get("X-Key") != "good" || revoked.Load() {
		return nil, nil
	}
	return &codegrant.Identity{Subject: "robot"}, nil
}

func (key) Challenge(error) string { return "" }

// endless is a server that never finishes.
type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Upgrade") != "" {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}
		return &http.Response{StatusCode: 101, Header: header, Body: theirs, Request: r}, nil
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: waiting{r.Context()}, Request: r}, nil
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) { <-w.ctx.Done(); return 0, w.ctx.Err() }
func (w waiting) Close() error             { return nil }

func testAuth(t *testing.T) (*codegrant.Auth, Route) {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{Pool: testPool, Authenticators: []codegrant.Authenticator{key{}}})
	if err != nil {
		t.Fatal(err)
	}
	return auth, Route{Path: "/", Upstream: &Upstream{URLs: []string{"http://127.0.0.1:1"}}}
}

var testPool = cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}

// TestAssertionsAreSignedOnce: for half of its lifetime a token is sent again, to whom
// every claim of it is true.
func TestAssertionsAreSignedOnce(t *testing.T) {
	_, signing, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	s, err := newSigner(Assertions{Keys: []ed25519.PrivateKey{signing}, Issuer: "https://app.example.com"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	alice := codegrant.Identity{Subject: "1", Username: "alice", Email: "alice@example.com", EmailVerified: true, Groups: []string{"admins", "editors"}}
	sign := func(audience string, id codegrant.Identity) string {
		t.Helper()
		token, err := s.sign(audience, &id)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := sign("orders", alice)
	now = now.Add(2*time.Minute + 28*time.Second)
	if sign("orders", alice) != first {
		t.Error("it is signed again within half of its lifetime")
	}
	seen := map[string]string{first: "alice"}
	for name, change := range map[string]func(*codegrant.Identity){
		"subject":      func(id *codegrant.Identity) { id.Subject = "2" },
		"username":     func(id *codegrant.Identity) { id.Username = "bob" },
		"e-mail":       func(id *codegrant.Identity) { id.Email = "bob@example.com" },
		"verification": func(id *codegrant.Identity) { id.EmailVerified = false },
		"name":         func(id *codegrant.Identity) { id.Name = "Alice" },
		"issuer":       func(id *codegrant.Identity) { id.Issuer = "https://other.example.com" },
		"fewer groups": func(id *codegrant.Identity) { id.Groups = id.Groups[:1] },
		"one group":    func(id *codegrant.Identity) { id.Groups = []string{"adminseditors"} },
		"scopes":       func(id *codegrant.Identity) { id.Scopes = []string{"admins", "editors"}; id.Groups = nil },
		"user id":      func(id *codegrant.Identity) { id.UserID = 7 },
	} {
		other := alice
		change(&other)
		token := sign("orders", other)
		if who, ok := seen[token]; ok {
			t.Errorf("another %s gets the token of another %s", name, who)
		}
		seen[token] = name
	}
	if _, ok := seen[sign("reports", alice)]; ok {
		t.Error("another audience gets a token that was there")
	}
	now = now.Add(2 * time.Second)
	if sign("orders", alice) == first {
		t.Error("it is not signed again after half of its lifetime")
	}
	for i := range 3 * maxSigned {
		s.young[strconv.Itoa(i)] = signedToken{}
		if len(s.young) == maxSigned {
			sign(strconv.Itoa(i), alice)
		}
	}
	if len(s.young)+len(s.old) > 2*maxSigned {
		t.Errorf("%d tokens are kept", len(s.young)+len(s.old))
	}
}

// TestNarrowedGuardsAreBounded: whoever asks for ever new permissions takes no memory.
func TestNarrowedGuardsAreBounded(t *testing.T) {
	auth, _ := testAuth(t)
	g, err := New(Config{Tenants: []Tenant{{Auth: auth}}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(query string) int {
		r := httptest.NewRequest(http.MethodGet, "/auth/check?"+query, nil)
		r.Header.Set("X-Key", "good")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 2*maxNarrowed + 10 {
		if status := ask("group=g" + strconv.Itoa(i)); status != http.StatusForbidden {
			t.Fatalf("a group that nobody is in: %d", status)
		}
	}
	if status := ask(""); status != http.StatusOK {
		t.Errorf("nothing asked for: %d", status)
	}
	if n := len(g.narrowed.kept); n > maxNarrowed {
		t.Errorf("%d are kept", n)
	}
}

// TestEveryHeaderIsTold: none is left to what a client has sent.
func TestEveryHeaderIsTold(t *testing.T) {
	auth, _ := testAuth(t)
	g, err := New(Config{Tenants: []Tenant{{Auth: auth}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []*codegrant.Identity{nil, {}, {Subject: "1", Email: "unverified@example.com"}} {
		h := make(http.Header)
		for _, name := range g.headers.all {
			h[name] = []string{"forged", "forged"}
		}
		g.tell(h, id)
		for _, name := range g.headers.all {
			if values := h[name]; len(values) != 1 || values[0] != "" && (name != g.headers.Subject || values[0] != "1") {
				t.Errorf("%+v: %s = %q", id, name, values)
			}
		}
	}
}
