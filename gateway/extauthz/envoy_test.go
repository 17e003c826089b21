package extauthz_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
)

// envoy stands in for Envoy: it asks about each request, over gRPC and TCP, in the
// words that Envoy uses, and does with the answer what Envoy does.
type envoy struct {
	t        *testing.T
	client   authv3.AuthorizationClient
	gateway  http.Handler // for /auth/, where the filter is disabled
	upstream string
	raw      bool                                // encode_raw_headers
	extend   func(path string) map[string]string // context_extensions of the route

	mu   sync.Mutex
	last *authv3.CheckResponse
}

func (e *envoy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/auth/") {
		e.gateway.ServeHTTP(w, r)
		return
	}
	header := map[string][]string{":method": {r.Method}, ":path": {r.RequestURI}, ":authority": {r.Host}, ":scheme": {"http"}}
	for name, values := range r.Header {
		if strings.EqualFold(name, "Cookie") {
			values = []string{strings.Join(values, "; ")}
		}
		name = strings.ToLower(name)
		header[name] = append(header[name], values...)
	}
	var extensions map[string]string
	if e.extend != nil {
		extensions = e.extend(r.URL.Path)
	}
	answer, err := e.client.Check(r.Context(), question(r.Method, r.Host, r.RequestURI, header, e.raw, extensions))
	if err != nil {
		e.t.Errorf("%s %s: the call failed: %v", r.Method, r.RequestURI, err)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e.mu.Lock()
	e.last = answer
	e.mu.Unlock()
	if answer.GetStatus().GetCode() != 0 {
		e.localReply(w, answer.GetDeniedResponse())
		return
	}
	ok := answer.GetOkResponse()
	for _, option := range ok.GetHeaders() {
		header[option.GetHeader().GetKey()] = mutate(e.t, header[option.GetHeader().GetKey()], option)
	}
	for _, name := range ok.GetHeadersToRemove() { // after the others were set
		delete(header, name)
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, e.upstream+r.RequestURI, nil)
	if err != nil {
		e.t.Error(err)
		return
	}
	for name, values := range header {
		if !strings.HasPrefix(name, ":") {
			out.Header[name] = values
		}
	}
	response, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		e.t.Error(err)
		return
	}
	defer response.Body.Close()
	maps.Copy(w.Header(), response.Header)
	for _, option := range ok.GetResponseHeadersToAdd() {
		name := http.CanonicalHeaderKey(option.GetHeader().GetKey())
		w.Header()[name] = mutate(e.t, w.Header()[name], option)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// mutate does what an option says to the values of its header.
func mutate(t *testing.T, values []string, option *corev3.HeaderValueOption) []string {
	t.Helper()
	if option.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
		values = nil
	}
	return append(values[:len(values):len(values)], option.GetHeader().GetValue())
}

// localReply answers for what was denied. Older Envoys replace whatever has a
// name that is mentioned; newer ones follow each option. Both have to come to the same.
func (e *envoy) localReply(w http.ResponseWriter, denied *authv3.DeniedHttpResponse) {
	own := http.Header{"Content-Type": {"text/plain"}, "Server": {"envoy"}}
	before, later := own.Clone(), own.Clone()
	for _, option := range denied.GetHeaders() {
		delete(before, http.CanonicalHeaderKey(option.GetHeader().GetKey()))
	}
	for _, option := range denied.GetHeaders() {
		name := http.CanonicalHeaderKey(option.GetHeader().GetKey())
		before.Add(name, option.GetHeader().GetValue())
		later[name] = mutate(e.t, later[name], option)
	}
	if !maps.EqualFunc(before, later, slices.Equal) {
		e.t.Errorf("two versions of Envoy would answer differently: %v, %v", before, later)
	}
	maps.Copy(w.Header(), later)
	w.WriteHeader(int(denied.GetStatus().GetCode()))
	_, _ = io.WriteString(w, denied.GetBody())
}

// question is what Envoy asks, in either form of the headers.
func question(method, host, path string, header map[string][]string, raw bool, extensions map[string]string) *authv3.CheckRequest {
	asked := &authv3.AttributeContext_HttpRequest{Id: "1", Method: method, Host: host, Path: path, Scheme: "http", Protocol: "HTTP/1.1"}
	if raw {
		asked.HeaderMap = new(corev3.HeaderMap)
		for name, values := range header {
			for _, value := range values {
				asked.HeaderMap.Headers = append(asked.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
			}
		}
	} else {
		asked.Headers = make(map[string]string)
		for name, values := range header {
			asked.Headers[name] = strings.ToValidUTF8(strings.Join(values, ","), "!")
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: asked}, ContextExtensions: extensions,
	}}
}

// site is a pool, a gateway, Envoy and an application that tells what it saw.
type site struct {
	*codegranttest.Pool
	t      *testing.T
	url    string
	auth   *codegrant.Auth
	envoy  *envoy
	client authv3.AuthorizationClient
	log    *logs
	now    *clock
}

// seen is a request as the application got it.
type seen struct {
	Method, Target string
	Header         http.Header
}

type clock struct{ atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.Load())) }
func (c *clock) Advance(d time.Duration) { c.Add(int64(d)) }

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

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func usual() []gateway.Route {
	return []gateway.Route{
		{Name: "reports", Path: "/reports", Permissions: []codegrant.Permission{codegrant.InGroup("analysts")}},
		{Name: "open", Path: "/open", Public: true},
		{Name: "rest", Path: "/"},
	}
}

func newSite(t *testing.T, change func(*gateway.Config, *codegrant.Config)) *site {
	t.Helper()
	s := &site{t: t, log: new(logs), now: new(clock)}
	s.Pool = codegranttest.NewPool(t, s.now.Now)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Add("Set-Cookie", "theirs=1; Path=/")
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(upstream.Close)
	s.envoy = &envoy{t: t, upstream: upstream.URL}
	s.url = s.App(func(config codegrant.Config) http.Handler {
		config.Now, config.Logger = s.now.Now, slog.New(slog.NewTextHandler(s.log, nil))
		gate := gateway.Config{TrustedProxies: loopback, Logger: config.Logger, Routes: usual(), Now: s.now.Now}
		if change != nil {
			change(&gate, &config)
		}
		var err error
		if s.auth, err = codegrant.New(config); err != nil {
			t.Fatal(err)
		}
		gate.Tenants = []gateway.Tenant{{Name: "main", Auth: s.auth}}
		g, err := gateway.New(gate)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close(context.Background()) })
		s.client = serve(t, extauthz.Config{Gateway: g, Logger: config.Logger})
		s.envoy.client, s.envoy.gateway = s.client, g
		return s.envoy
	})
	return s
}

// serve starts a server on this machine, ends it with the test and returns a client.
func serve(t *testing.T, config extauthz.Config) authv3.AuthorizationClient {
	t.Helper()
	server, err := extauthz.New(config)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return authv3.NewAuthorizationClient(conn)
}

func (s *site) signIn(path, email string) *codegranttest.Browser {
	s.t.Helper()
	browser := codegranttest.NewBrowser(s.t)
	browser.SignIn(s.url+path, email, codegranttest.Password)
	return browser
}

// ask sends a request through Envoy as a program does, with headers as they are given.
func (s *site) ask(client *http.Client, method, path string, header map[string]string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = []string{value}
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(body)
}

// reaches is ask for requests that have to reach the application.
func (s *site) reaches(client *http.Client, method, path string, header map[string]string) (seen, *http.Response) {
	s.t.Helper()
	r, body := s.ask(client, method, path, header)
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, body)
	}
	return got, r
}
