package serve

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
)

// collector takes traces as OpenTelemetry's does.
type collector struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	spans  []*tracepb.Span
	raw    bytes.Buffer
	header http.Header // of the last post
	about  string      // of the last resource
	status int         // to answer with; 0: 200
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	// So that spans are there soon, whatever the machine's own environment says.
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME"} {
		t.Setenv(name, "")
	}
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	c := &collector{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			c.t.Error(err)
			return
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return
	}
	var posted coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &posted); err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != 0 {
		w.WriteHeader(c.status)
		return
	}
	c.raw.Write(text)
	c.header = r.Header
	for _, one := range posted.GetResourceSpans() {
		c.about = one.GetResource().String()
		for _, scope := range one.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

// attr is an attribute of a span as text, or its trace; empty where there is none.
func attr(s *tracepb.Span, key string) string {
	if key == "trace" {
		return hex.EncodeToString(s.GetTraceId())
	}
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			if n := a.GetValue().GetIntValue(); n != 0 {
				return fmt.Sprint(n)
			}
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// find returns the spans of a name and with attributes, given as key=value.
func (c *collector) find(name string, attrs ...string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s *tracepb.Span) bool {
		return s.GetName() != name || slices.ContainsFunc(attrs, func(a string) bool {
			key, value, _ := strings.Cut(a, "=")
			return attr(s, key) != value
		})
	})
}

// one waits for the one span of a name and with attributes.
func (c *collector) one(name string, attrs ...string) *tracepb.Span {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		found := c.find(name, attrs...)
		if len(found) == 1 {
			return found[0]
		}
		if len(found) > 1 || time.Now().After(deadline) {
			c.t.Fatalf("%d spans %s %v, want 1, of:\n%s", len(found), name, attrs, c)
		}
	}
}

// below lists the names of a span's children, in the order of their beginnings.
func (c *collector) below(parent *tracepb.Span) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	children := slices.DeleteFunc(slices.Clone(c.spans), func(s *tracepb.Span) bool {
		return !bytes.Equal(s.GetParentSpanId(), parent.GetSpanId()) || !bytes.Equal(s.GetTraceId(), parent.GetTraceId())
	})
	slices.SortFunc(children, func(a, b *tracepb.Span) int { return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano()) })
	var names []string
	for _, s := range children {
		names = append(names, s.GetName())
	}
	return names
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, s := range c.spans {
		fmt.Fprintf(&b, "%x %x<%x %s", s.GetTraceId()[:3], s.GetSpanId()[:3], s.GetParentSpanId(), s.GetName())
		for _, a := range s.GetAttributes() {
			fmt.Fprintf(&b, " %s=%s", a.GetKey(), attr(s, a.GetKey()))
		}
		for _, e := range s.GetEvents() {
			fmt.Fprintf(&b, " (%s)", e.GetName())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const inDatabase = "keys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:app.db\n"

// TestServeTraces follows one person through all that a trace can show.
func TestServeTraces(t *testing.T) {
	c := newCollector(t)
	g := newGate(t, oneUpstream+inDatabase+"tracing: {endpoint: "+c.url+", headers_file: collector, service_name: front door}\n")
	g.writeFile("keys", newSealingKey())
	g.writeFile("collector", "api-key=canary-collector\n")
	g.start()

	// A sign-in.
	alice := codegranttest.NewBrowser(t)
	var secrets canaries
	alice.Client.Transport = &secrets
	alice.SignIn(g.url+"/orders?first=canary-query", "alice@example.com", codegranttest.Password)
	login := c.one("GET /auth/login", "codegrant.pool=default", "http.response.status_code=302")
	if names := c.below(login); len(names) != 0 {
		t.Errorf("login asked for %v", names)
	}
	callback := c.one("GET /auth/callback", "codegrant.decision=signed in", "codegrant.pool=default", "http.response.status_code=303", "http.route=/auth/callback")
	if names := c.below(callback); !slices.Equal(slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "jwks.json") }),
		[]string{"session create", "POST /oauth2/token", "replica apply", "session create"}) { // the first takes the state
		t.Errorf("the callback has %v", names)
	}
	exchange := c.one("POST /oauth2/token", "codegrant.operation=exchange", "codegrant.pool=default", "http.response.status_code=200")
	if exchange.GetKind() != tracepb.Span_SPAN_KIND_CLIENT || callback.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		t.Error("the kinds are wrong")
	}
	if n := len(c.find("session create", "db.system.name=sqlite")); n != 2 { // the state, and the session
		t.Errorf("%d records were made", n)
	}
	if names := eventsOf(callback); !slices.Contains(names, "signed in") {
		t.Errorf("the callback has the events %v", names)
	}

	// A request of hers, with a trace context that nobody vouches for.
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	saw := g.upstreamSaw(alice.Client, "/orders/secret-id?q=canary-query", http.Header{
		"Traceparent": {"00-" + theirs + "-00f067aa0ba902b7-01"}, "Tracestate": {"stranger=canary-state"},
	})
	traced := strings.Split(saw.Get("Traceparent")+"---", "-")[1]
	proxied := c.one("GET /*", "trace="+traced, "codegrant.route=/", "codegrant.decision=passed", "codegrant.proof=session", "http.response.status_code=200", "codegrant.pool=default",
		"network.protocol.version=1.1")
	links := proxied.GetLinks()
	if len(proxied.GetParentSpanId()) != 0 || hex.EncodeToString(proxied.GetTraceId()) == theirs || len(links) != 1 || hex.EncodeToString(links[0].GetTraceId()) != theirs {
		t.Errorf("a stranger's trace context: %v", proxied)
	}
	if names := c.below(proxied); !slices.Equal(names, []string{"session get", "GET"}) {
		t.Errorf("the request has %v", names)
	}
	up := c.one("GET", "trace="+traced, "server.port="+g.up[strings.LastIndexByte(g.up, ':')+1:], "http.response.status_code=200")
	if want := "00-" + hex.EncodeToString(up.GetTraceId()) + "-" + hex.EncodeToString(up.GetSpanId()) + "-01"; saw.Get("Traceparent") != want || saw.Get("Tracestate") != "" {
		t.Errorf("the upstream saw %q and %q, want %q", saw.Get("Traceparent"), saw.Get("Tracestate"), want)
	}
	if line := g.logged("request", `"route":"/"`, hex.EncodeToString(proxied.GetTraceId())); line["span_id"] != hex.EncodeToString(proxied.GetSpanId()) {
		t.Errorf("the access log says %v", line)
	}

	// A refresh that the request waits for, and one that fails.
	g.markStale()
	g.pool.Fault("token", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "canary-answer", http.StatusServiceUnavailable)
	}))
	if status, _ := g.get(alice.Client, "/orders/b"); status != 503 {
		t.Errorf("with the pool down: %d", status)
	}
	down := c.one("GET /*", "codegrant.decision=unavailable", "error.type=503")
	failed := c.one("refresh", "error.type=unavailable")
	if !bytes.Equal(failed.GetParentSpanId(), down.GetSpanId()) {
		t.Error("the refresh that failed belongs to another span")
	}
	if down.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || !slices.Contains(eventsOf(failed), "refresh failed") {
		t.Errorf("the faults are not told: %v %v", down, failed)
	}
	g.pool.Fault("token", nil)
	g.until("the session is refreshed", func() bool { status, _ := g.get(alice.Client, "/orders/c"); return status == 200 })
	g.logged("session refreshed")
	refreshed := c.one("POST /oauth2/token", "codegrant.operation=refresh", "http.response.status_code=200")
	work := c.parentOf(refreshed)
	if names := c.below(work); work.GetName() != "refresh" || !slices.Equal(slices.DeleteFunc(names, func(n string) bool { return n == "replica apply" }),
		[]string{"session get", "session replace", "POST /oauth2/token", "session replace"}) {
		t.Errorf("%s has %v", work.GetName(), names)
	}

	// Refusals.
	for _, tt := range []struct {
		target, authorization, cookie string
		status                        int
	}{
		{"/auth/callback?code=canary-code&state=canary-state", "", "", 400},
		{"/orders", "Bearer canary-token", "", 401},
		{"/admin/canary-path", "", "__Host-codegrant=canary-cookie; codegrant=canary-cookie", 401},
		{"/auth/canary-endpoint?error=canary-error", "", "", 404},
		{"/a//canary-path", "", "", 400},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+tt.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {tt.authorization}, "Cookie": {tt.cookie}, "X-Auth-Email": {"canary-header"}, "User-Agent": {"canary-agent"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.target, response.StatusCode, tt.status)
		}
	}
	refused := c.one("GET /auth/callback", "codegrant.decision=refused")
	if !slices.Contains(eventsOf(refused), "sign-in refused") || len(c.below(refused)) != 0 {
		t.Errorf("the refused sign-in: %v", refused)
	}
	c.one("GET /*", "codegrant.decision=unauthorized", "http.response.status_code=401")
	c.one("GET /admin/*", "codegrant.decision=unauthorized")
	c.one("GET /auth/*", "http.response.status_code=404")
	c.one("GET", "codegrant.decision=refused", "http.response.status_code=400")

	// Signing out.
	g.signOut(alice.Client)
	out := c.one("GET /auth/logout", "codegrant.decision=signed out")
	revoke := c.one("POST /oauth2/revoke", "codegrant.operation=revoke")
	if work := c.parentOf(revoke); work.GetName() != "revocation" || !bytes.Equal(work.GetParentSpanId(), out.GetSpanId()) {
		t.Errorf("the revocation belongs to %v", work)
	}
	if names := c.below(out); !slices.Equal(names, []string{"session get", "session replace", "session delete", "revocation"}) {
		t.Errorf("signing out has %v", names)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}

	if !strings.Contains(c.about, "front door") || c.header.Get("Api-Key") != "canary-collector" {
		t.Errorf("the collector was told %s, with %v", c.about, c.header)
	}
	// Dependencies are looked after every few seconds, and belong to no trace.
	for _, s := range c.spans {
		if s.GetKind() != tracepb.Span_SPAN_KIND_SERVER && len(s.GetParentSpanId()) == 0 {
			t.Errorf("%s has no parent", s.GetName())
		}
	}
	// S-169: nothing that is secret, and nothing that a stranger chose.
	values := append(secrets.seen(), "canary", "secret-id", codegranttest.Password, "alice", g.pool.Register(g.url).ClientSecret.Reveal())
	for _, value := range values {
		if value != "" && bytes.Contains(c.raw.Bytes(), []byte(value)) {
			t.Errorf("the collector was told %q", value)
		}
		if value != "" && value != "alice" && value != "canary" && value != "secret-id" && strings.Contains(g.log.String(), value) {
			t.Errorf("the log has %q", value)
		}
	}
	if len(values) < 12 {
		t.Errorf("only %d values were looked for", len(values))
	}
}

func eventsOf(s *tracepb.Span) []string {
	var names []string
	for _, e := range s.GetEvents() {
		names = append(names, e.GetName())
	}
	return names
}

// parentOf waits for it: it ends later.
func (c *collector) parentOf(child *tracepb.Span) *tracepb.Span {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		for _, s := range c.spans {
			if bytes.Equal(s.GetSpanId(), child.GetParentSpanId()) {
				c.mu.Unlock()
				return s
			}
		}
		c.mu.Unlock()
	}
	c.t.Fatalf("%s has no parent", child.GetName())
	return nil
}

// canaries keeps the secrets that a browser sends and gets.
type canaries struct {
	mu  sync.Mutex
	all []string
}

func (c *canaries) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	query := r.URL.Query()
	if location, err := response.Location(); err == nil {
		for name, values := range location.Query() {
			query[name] = append(query[name], values...)
		}
	}
	for _, name := range []string{"code", "state", "nonce", "code_challenge"} {
		c.all = append(c.all, query[name]...)
	}
	for _, cookie := range append(response.Cookies(), r.Cookies()...) {
		if len(cookie.Value) > 8 {
			c.all = append(c.all, cookie.Value)
		}
	}
	return response, nil
}

func (c *canaries) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.all)
	return slices.Compact(c.all)
}

// upstreamSaw makes a request and returns the headers that the upstream got.
func (g *gate) upstreamSaw(client *http.Client, target string, header http.Header) http.Header {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+target, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header = header
	response, err := client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	select {
	case saw := <-g.saw:
		return saw
	case <-time.After(time.Minute):
		g.t.Fatalf("GET %s: the upstream saw nothing; %d", target, response.StatusCode)
		return nil
	}
}

// markStale has the sessions in app.db refreshed before they are used again.
func (g *gate) markStale() {
	g.t.Helper()
	db, err := parts.OpenDatabase("sqlite:" + g.dir + "/app.db")
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	sessions, _, err := db.Stores(settings.Replica{})
	if err != nil {
		g.t.Fatal(err)
	}
	all, err := sessions.List(g.t.Context(), session.Query{})
	if err != nil || len(all) == 0 {
		g.t.Fatal(len(all), err)
	}
	for _, one := range all {
		if _, err := sessions.MarkStale(g.t.Context(), one.Pool, one.Subject); err != nil {
			g.t.Fatal(err)
		}
	}
}

// TestServeTrustsTraces: of proxies that are trusted, over HTTP and over gRPC.
func TestServeTrustsTraces(t *testing.T) {
	c := newCollector(t)
	asks := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"trusted_proxies: 127.0.0.1\next_authz_listen: "+asks+"\ntracing: "+c.url+"\n")
	g.start()
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	saw := g.upstreamSaw(http.DefaultClient, "/open/1", http.Header{"Traceparent": {"00-" + trace + "-" + span + "-01"}, "Tracestate": {"proxy=1"}})
	if of := c.one("GET /open/*"); hex.EncodeToString(of.GetTraceId()) != trace || hex.EncodeToString(of.GetParentSpanId()) != span || len(of.GetLinks()) != 0 {
		t.Errorf("%v", of)
	}
	if !strings.HasPrefix(saw.Get("Traceparent"), "00-"+trace+"-") || saw.Get("Tracestate") != "proxy=1" {
		t.Errorf("the upstream saw %v", saw)
	}
	// Not to be recorded, says the proxy: it is not, and the upstream is told.
	saw = g.upstreamSaw(http.DefaultClient, "/open/2", http.Header{"Traceparent": {"00-" + trace + "-" + span + "-00"}})
	if !strings.HasPrefix(saw.Get("Traceparent"), "00-"+trace+"-") || !strings.HasSuffix(saw.Get("Traceparent"), "-00") {
		t.Errorf("the upstream saw %v", saw)
	}

	// A question over HTTP.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/auth/check", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"X-Forwarded-Method": {"POST"}, "X-Forwarded-Host": {strings.TrimPrefix(g.url, "http://")}, "X-Forwarded-Uri": {"/admin/1?canary"},
		"Traceparent": {"00-" + trace + "-" + span + "-01"},
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	of := c.one("GET /auth/check", "codegrant.route=/admin", "codegrant.decision=unauthorized", "http.route=/auth/check", "codegrant.pool=default")
	if hex.EncodeToString(of.GetTraceId()) != trace {
		t.Errorf("%v", of)
	}

	// One over gRPC: headers of the request asked about are the client's.
	conn, err := grpc.NewClient(asks, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+trace+"-1111111111111111-01")
	answer, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Host: strings.TrimPrefix(g.url, "http://"), Path: "/open/canary", Scheme: "http", Protocol: "HTTP/1.1",
			Headers: map[string]string{"traceparent": "00-00000000000000000000000000000bad-0000000000000bad-01"},
		}},
	}})
	if err != nil || answer.GetStatus().GetCode() != 0 {
		t.Fatal(answer, err)
	}
	of = c.one("envoy.service.auth.v3.Authorization/Check", "codegrant.route=/open", "codegrant.decision=passed", "rpc.system.name=grpc", "http.route=")
	if hex.EncodeToString(of.GetTraceId()) != trace || hex.EncodeToString(of.GetParentSpanId()) != "1111111111111111" {
		t.Errorf("%v", of)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if n := len(c.find("GET /open/*")); n != 1 || bytes.Contains(c.raw.Bytes(), []byte("canary")) {
		t.Errorf("%d requests were recorded, want 1", n)
	}
}

// TestServeTracesRedis: what a copy answers is not a span.
func TestServeTracesRedis(t *testing.T) {
	c := newCollector(t)
	more := fmt.Sprintf("keys_file: keys\nsessions: redis\nredis: %s?prefix=traces-%d\n", testenv.Redis(t), time.Now().UnixNano())
	g := newGate(t, oneUpstream+more+"tracing: "+c.url+"\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/admin", "alice@example.com", codegranttest.Password)
	const requests = 5
	for range requests {
		g.get(alice.Client, "/orders")
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if n := len(c.find("session create", "db.system.name=redis")); n != 2 { // the state, and the session
		t.Errorf("%d records were made", n)
	}
	if n, asked := len(c.find("GET /*", "codegrant.decision=passed")), len(c.find("session get", "db.system.name=redis")); n != requests || asked < 1 || asked >= requests {
		t.Errorf("%d requests, %d of which asked Redis", n, asked)
	}
}

// TestServeWithoutCollector: one that hangs, or refuses, holds up nobody.
func TestServeWithoutCollector(t *testing.T) {
	c := newCollector(t)
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hang) })
	for _, tt := range []struct {
		name, url, says string
		status          int
	}{
		{"hangs", slow.URL, "the last traces were not sent", 0},
		{"refuses", c.url, "traces not sent; they are dropped until the collector answers", 400},
		{"is not there", "http://" + testenv.FreeAddress(t), "traces not sent; they are dropped until the collector answers", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.status = tt.status
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
			t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "100")
			if tt.name == "hangs" {
				t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "60000")
			}
			g := newGate(t, oneUpstream+"tracing: "+tt.url+"\n")
			g.start("--drain-timeout", "2s")
			start := time.Now()
			for range 50 { // the queue is full after some
				if status, _ := g.get(http.DefaultClient, "/open"); status != 200 {
					t.Fatalf("status %d", status)
				}
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("50 requests took %v", took)
			}
			if tt.name != "hangs" {
				g.logged(tt.says)
			}
			start = time.Now()
			if status := g.end(); status != 0 {
				t.Errorf("status %d", status)
			}
			if took := time.Since(start); took > maxFlush+10*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			if n := strings.Count(g.log.String(), tt.says); n != 1 {
				t.Errorf("the log says so %d times", n)
			}
		})
	}
}

// TestServeTracingChanges: at the next start, and a wrong one never.
func TestServeTracingChanges(t *testing.T) {
	c := newCollector(t)
	g := newGate(t, oneUpstream)
	g.start()
	saw := g.upstreamSaw(http.DefaultClient, "/open", http.Header{"Traceparent": {"as it came"}})
	if saw.Get("Traceparent") != "as it came" {
		t.Errorf("with tracing off, the upstream saw %v", saw)
	}
	g.write(oneUpstream + "tracing: {endpoint: " + c.url + ", sample_ratio: 2}\n")
	g.logged("new configuration is wrong; the old one stays", "tracing.sample_ratio")
	g.write(oneUpstream + "tracing: " + c.url + "\n")
	g.logged("configuration changed, and takes effect at the next start", "tracing")
	g.get(http.DefaultClient, "/open")
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if s := c.String(); s != "" {
		t.Errorf("before the next start: %s", s)
	}
}

// TestServeTracesByEnvironment: the variables that every program understands.
func TestServeTracesByEnvironment(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of%20the%20environment")
	t.Setenv("OTEL_SERVICE_NAME", "by the environment")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	g := newGate(t, oneUpstream)
	g.start()
	g.get(http.DefaultClient, "/open")
	c.one("GET /open/*")
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(c.about, "by the environment") || c.header.Get("Api-Key") != "of the environment" {
		t.Errorf("%s %v", c.about, c.header)
	}

	g = newGate(t, oneUpstream+"tracing: {enabled: false}\n")
	g.start()
	g.get(http.DefaultClient, "/open")
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if n := len(c.find("GET /open/*")); n != 1 {
		t.Errorf("%d spans, though tracing is off", n)
	}
}
