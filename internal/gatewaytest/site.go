package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
)

// Site is a pool, a gateway and an application.
type Site struct {
	*codegranttest.Pool
	T        *testing.T
	URL      string // of the proxy
	Auth     *codegrant.Auth
	Gateway  *gateway.Gateway
	Upstream string // the application
	Now      *Clock
	Log      *Logs
	Logger   *slog.Logger // to Log
}

// Loopback is this machine, where proxies are trusted.
var Loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// Routes are one for each decision.
func Routes() []gateway.Route {
	return []gateway.Route{
		{Name: "reports", Path: "/reports", Permissions: []codegrant.Permission{codegrant.InGroup("analysts")}},
		{Name: "open", Path: "/open", Public: true},
		{Name: "rest", Path: "/"},
	}
}

// New starts the pool and the application.
func New(t *testing.T) *Site {
	t.Helper()
	s := &Site{T: t, Now: new(Clock), Log: new(Logs)}
	s.Logger = slog.New(slog.NewTextHandler(s.Log, nil))
	s.Pool = codegranttest.NewPool(t, s.Now.Now)
	application := httptest.NewServer(http.HandlerFunc(tell))
	t.Cleanup(application.Close)
	s.Upstream = application.URL
	return s
}

// Open makes the gateway, with the pool and the address that config has.
func (s *Site) Open(config codegrant.Config, change func(*gateway.Config, *codegrant.Config)) {
	s.T.Helper()
	config.Now, config.Logger = s.Now.Now, s.Logger
	gate := gateway.Config{TrustedProxies: Loopback, Logger: s.Logger, Routes: Routes(), Now: s.Now.Now}
	if change != nil {
		change(&gate, &config)
	}
	var err error
	if s.Auth, err = codegrant.New(config); err != nil {
		s.T.Fatal(err)
	}
	gate.Tenants = []gateway.Tenant{{Name: "main", Auth: s.Auth}}
	if s.Gateway, err = gateway.New(gate); err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = s.Gateway.Close(context.Background()) })
}

// Seen is a request as the application got it.
type Seen struct {
	Method, Target, Host string
	Header               http.Header
}

// tell is the application. It says what it saw, or agrees to a WebSocket.
func tell(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") // of RFC 6455's key
		w.WriteHeader(http.StatusSwitchingProtocols)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Add("Set-Cookie", "theirs=1; Path=/")
	_ = json.NewEncoder(w).Encode(Seen{r.Method, r.RequestURI, r.Host, r.Header})
}

// SignIn returns a browser that has come to a page by signing in.
func (s *Site) SignIn(path, email string) *codegranttest.Browser {
	s.T.Helper()
	browser := codegranttest.NewBrowser(s.T)
	browser.SignIn(s.URL+path, email, codegranttest.Password)
	return browser
}

// Ask sends a request to the proxy as a program does, with headers as they are given.
func (s *Site) Ask(client *http.Client, method, path string, header map[string]string) (*http.Response, string) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), method, s.URL+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = []string{value}
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, ""
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return response, string(body)
}

// Reaches is Ask for requests that have to reach the application.
func (s *Site) Reaches(client *http.Client, method, path string, header map[string]string) (Seen, *http.Response) {
	s.T.Helper()
	r, body := s.Ask(client, method, path, header)
	var got Seen
	if err := json.Unmarshal([]byte(body), &got); err != nil || r.StatusCode != http.StatusOK {
		s.T.Fatalf("%s %s: %d %s", method, path, r.StatusCode, body)
	}
	return got, r
}

// AccessToken is that of who is signed in.
func (s *Site) AccessToken(client *http.Client) string {
	s.T.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		s.T.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	var token string
	s.Auth.Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if id, ok := codegrant.From(r.Context()); ok {
			token = id.AccessToken().Reveal()
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
	if token == "" {
		s.T.Fatal("nobody is signed in")
	}
	return token
}

// Clock goes as others do, and ahead of them when told to.
type Clock struct{ ahead atomic.Int64 }

// Now is the time on it.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance puts it ahead.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Logs keep what is written. They are safe for concurrent use.
type Logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *Logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// String returns all of it.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
