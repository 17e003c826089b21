package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// recording is a tracer whose spans stay here.
func recording(t *testing.T) (*Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return &Tracer{tracer: provider.Tracer(scope), provider: provider}, recorder
}

// TestOff: what is off costs nothing, and nothing is wrapped.
func TestOff(t *testing.T) {
	var off *Tracer
	store, transport, handler := session.NewMemoryStore(session.MemoryConfig{}), new(http.Transport), slog.DiscardHandler
	if off.Sessions(store, "redis", true) != session.Store(store) || off.Pool("p", transport) != http.RoundTripper(transport) ||
		off.Upstream(transport) != http.RoundTripper(transport) || off.Handler(handler) != handler || off.Work("p") != nil || off.Replica(nil, "") != nil {
		t.Error("something is wrapped")
	}
	r := httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(100, func() {
		same, q := off.StartRequest(r, true)
		if same != r || q != nil {
			t.Error("a request has a span")
		}
		q = off.Request(r.Context())
		q.Endpoint("p", "/x", false)
		q.Route("p", "/x", "y")
		q.Set(DecisionKey, "passed")
		q.Answered(200)
		q.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := off.Shutdown(t.Context()); err != nil || off.Counts() != (Counts{}) {
		t.Error(err)
	}
}

// FuzzStrangers: whatever a stranger sends, the span says none of it, and the trace is
// our own.
func FuzzStrangers(f *testing.F) {
	f.Add("GET", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=secret")
	f.Add("ST RANGE", "00-00000000000000000000000000000000-0000000000000000-00", "a=b,c=d")
	f.Add("", "ff-\x00", strings.Repeat("x=y,", 400))
	recorder := tracetest.NewSpanRecorder()
	tracer := &Tracer{tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer(scope)}
	f.Fuzz(func(t *testing.T, method, parent, state string) {
		r := httptest.NewRequest("GET", "/secret?secret", nil)
		r.Method = method
		r.Header.Set("Traceparent", parent)
		r.Header.Set("Tracestate", state)
		for _, trusted := range []bool{false, true} {
			recorder.Reset()
			_, q := tracer.StartRequest(r, trusted)
			q.Answered(200)
			q.End()
			ended := recorder.Ended()
			if len(ended) == 0 {
				if !trusted {
					t.Fatal("a stranger decides what is recorded")
				}
				continue
			}
			span := ended[0]
			for _, a := range span.Attributes() {
				if a.Key == "http.request.method" && a.Value.AsString() != method && a.Value.AsString() != other {
					t.Errorf("%q became %q", method, a.Value.AsString())
				}
				if strings.Contains(a.Value.String(), "secret") {
					t.Errorf("%s=%s", a.Key, a.Value.String())
				}
			}
			if methodOf(method) == other && span.Name() != "HTTP" {
				t.Errorf("the name is %q", span.Name())
			}
			if !trusted && (span.Parent().IsValid() || strings.HasPrefix(parent, "00-"+span.SpanContext().TraceID().String())) {
				t.Error("a stranger names the trace")
			}
			for _, link := range span.Links() {
				if link.SpanContext.TraceState().Len() > 0 {
					t.Error("a stranger's trace state is sent on")
				}
			}
		}
	})
}

// TestQuestions: what a proxy asks is named for what it is, whatever headers the request
// has that it asks about.
func TestQuestions(t *testing.T) {
	tracer, recorder := recording(t)
	const stranger = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		attrs []string
	}{
		{"envoy.service.auth.v3.Authorization/Check", metadata.NewIncomingContext(t.Context(), nil),
			[]string{"rpc.method=envoy.service.auth.v3.Authorization/Check", "rpc.response.status_code=OK", "rpc.system.name=grpc"}},
		{"SPOE check", t.Context(), []string{"network.protocol.name=spoe"}},
	} {
		recorder.Reset()
		original := httptest.NewRequest("GET", "/secret?secret", nil).WithContext(tt.ctx)
		original.Header.Set("Traceparent", stranger)
		_, q := tracer.StartQuestion(original, true)
		q.Route("", "/secret/*", "")
		q.Answered(503)
		q.End()
		span := recorder.Ended()[0]
		var attrs []string
		for _, a := range span.Attributes() {
			attrs = append(attrs, string(a.Key)+"="+a.Value.AsString())
		}
		slices.Sort(attrs)
		if span.Name() != tt.name || !slices.Equal(attrs, tt.attrs) || span.Status().Code != codes.Unset || span.Parent().IsValid() || len(span.Links()) > 0 {
			t.Errorf("%s: %s %q %v %v", tt.name, span.Name(), attrs, span.Status(), span.Links())
		}
	}
}

// TestKinds: faults have one word each, of a list that is closed.
func TestKinds(t *testing.T) {
	secret := errors.New("secret")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: %w", secret, context.Canceled), "canceled"},
		{fmt.Errorf("%w: %w", codegrant.ErrUnavailable, context.DeadlineExceeded), "timeout"},
		{&net.OpError{Op: "dial", Err: secret}, "not_connected"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection_lost"},
		{io.ErrUnexpectedEOF, "connection_lost"},
		{fmt.Errorf("%w: %w", codegrant.ErrUnavailable, secret), "unavailable"},
		{cognito.ErrInvalidClient, "misconfigured"},
		{cognito.ErrInvalidGrant, "refused"},
		{codegrant.ErrSessionEnded, "refused"},
		{secret, other},
	} {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("kindOf(%v) = %s, want %s", tt.err, got, tt.want)
		}
	}
}

// answers is a store that answers everything alike.
type answers struct {
	session.Store
	err error
	ask func(context.Context)
}

func (a answers) Get(ctx context.Context, _ string) (session.Record, error) {
	if a.ask != nil {
		a.ask(ctx)
		a.ask(ctx) // again, after a fault
	}
	return session.Record{}, a.err
}

type noPeople struct {
	replica.Store
	err error
}

func (p noPeople) Apply(context.Context, replica.Snapshot) (replica.Change, error) {
	return replica.Change{}, p.err
}

func TestStores(t *testing.T) {
	tracer, recorder := recording(t)
	within, root := tracer.tracer.Start(t.Context(), "root")
	root.End()
	for _, tt := range []struct {
		err          error
		result, kind string
	}{
		{nil, "", ""},
		{session.ErrNotFound, "not found", ""},
		{session.ErrConflict, "conflict", ""},
		{session.ErrExists, "exists", ""},
		{session.ErrFull, "", "full"},
		{fmt.Errorf("secret: %w", session.ErrUnavailable), "", "unavailable"},
		{fmt.Errorf("%w: %w", session.ErrUnavailable, context.DeadlineExceeded), "", "timeout"},
	} {
		recorder.Reset()
		_, err := tracer.Sessions(answers{err: tt.err}, "sqlite", false).Get(within, "the id")
		span := recorder.Ended()[0]
		if !errors.Is(err, tt.err) || span.Name() != "session get" || span.SpanKind() != trace.SpanKindClient || span.Parent().SpanID() != root.SpanContext().SpanID() {
			t.Errorf("%v: %v %v", tt.err, err, span)
		}
		if get(span, "codegrant.result") != tt.result || get(span, "error.type") != tt.kind || (span.Status().Code == codes.Error) != (tt.kind != "") ||
			get(span, "db.system.name") != "sqlite" || span.Status().Description != "" {
			t.Errorf("%v: %v %v", tt.err, span.Attributes(), span.Status())
		}
	}

	// A copy is not a span; nor is what belongs to no request.
	recorder.Reset()
	for _, ask := range []func(context.Context){nil, tracer.Asked} {
		for _, ctx := range []context.Context{t.Context(), within} {
			_, _ = tracer.Sessions(answers{ask: ask}, "redis", true).Get(ctx, "the id")
		}
	}
	_, _ = tracer.Sessions(answers{}, "sqlite", false).Get(t.Context(), "the id")
	if n := len(recorder.Ended()); n != 1 {
		t.Errorf("%d spans, want 1", n)
	}

	recorder.Reset()
	_, _ = tracer.Replica(noPeople{err: replica.ErrUnavailable}, "postgresql").Apply(within, replica.Snapshot{})
	_, _ = tracer.Replica(noPeople{}, "postgresql").Apply(t.Context(), replica.Snapshot{})
	if ended := recorder.Ended(); len(ended) != 1 || ended[0].Name() != "replica apply" || get(ended[0], "error.type") != "unavailable" {
		t.Errorf("%v", ended)
	}
}

func get(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransports(t *testing.T) {
	tracer, recorder := recording(t)
	within, root := tracer.tracer.Start(t.Context(), "root")
	defer root.End()
	r, err := http.NewRequestWithContext(within, "POST", "https://pool.example.com/oauth2/token?secret", strings.NewReader("code=secret"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "secret")
	var sent *http.Request
	next := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r
		return &http.Response{StatusCode: 400, ProtoMajor: 2, Body: io.NopCloser(strings.NewReader("secret"))}, nil
	})
	response, err := tracer.Pool("staff", next).RoundTrip(r)
	if err != nil || len(recorder.Ended()) != 0 {
		t.Fatal(err, "the span ended before the answer was read")
	}
	response.Body.Close()
	response.Body.Close()
	span := recorder.Ended()[0]
	if span.Name() != "POST /oauth2/token" || get(span, "server.port") != "443" || get(span, "codegrant.operation") != "exchange" || get(span, "error.type") != "400" ||
		get(span, "network.protocol.version") != "2" || strings.Contains(fmt.Sprint(span.Attributes(), span.Name(), span.Events()), "secret") {
		t.Errorf("%s %v", span.Name(), span.Attributes())
	}
	if sent.Header.Get("Traceparent") != "" {
		t.Error("the pool is told of the trace")
	}

	// Which key of a load balancer is asked for, a stranger may have said.
	recorder.Reset()
	kid, err := http.NewRequestWithContext(within, "GET", "https://public-keys.auth.elb.eu-west-1.amazonaws.com/5d5f1b7c-4e5a-4b5e-9d3c-0f1e2d3c4b5a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err = tracer.Pool("staff", next).RoundTrip(kid); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if span = recorder.Ended()[0]; span.Name() != "GET /{kid}" || strings.Contains(fmt.Sprint(span.Attributes()), "5d5f1b7c") || get(span, "codegrant.operation") != "keys" {
		t.Errorf("%s %v", span.Name(), span.Attributes())
	}
	recorder.Reset()

	r.Header.Set("Traceparent", "theirs")
	before := r.Header.Clone()
	if response, err = tracer.Upstream(next).RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if !strings.Contains(sent.Header.Get("Traceparent"), root.SpanContext().TraceID().String()) || !slices.Equal(r.Header["Traceparent"], before["Traceparent"]) {
		t.Errorf("sent %v, and the request has %v", sent.Header, r.Header)
	}

	// A connection that is taken over is its own body, and has to stay what it is.
	conn, _ := net.Pipe()
	defer conn.Close()
	upgrade := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 101, Body: conn}, nil
	})
	recorder.Reset()
	if response, err = tracer.Upstream(upgrade).RoundTrip(r); err != nil || len(recorder.Ended()) != 1 {
		t.Fatal(err, len(recorder.Ended()))
	}
	if _, ok := response.Body.(io.Writer); !ok {
		t.Error("nothing can be written to the connection any more")
	}
	recorder.Reset()
	fails := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") })
	if _, err = tracer.Upstream(fails).RoundTrip(r); err == nil || get(recorder.Ended()[0], "error.type") != other {
		t.Errorf("%v %v", err, recorder.Ended())
	}
	recorder.Reset()
	if response, err = tracer.Upstream(next).RoundTrip(r.WithContext(t.Context())); err != nil || len(recorder.Ended()) != 0 || sent.Header.Get("Traceparent") != "theirs" {
		t.Errorf("what belongs to no request: %v, %v", err, sent.Header)
	}
	response.Body.Close()
}

func TestWork(t *testing.T) {
	tracer, recorder := recording(t)
	if ctx, end := tracer.Work("staff")(t.Context(), codegrant.WorkRefresh); ctx != t.Context() || end == nil {
		t.Error("work that belongs to no request has a span")
	}
	within, root := tracer.tracer.Start(t.Context(), "root")
	ctx, end := tracer.Work("staff")(within, codegrant.WorkRefresh)
	root.End() // before the work does
	r, _ := http.NewRequestWithContext(ctx, "POST", "https://pool.example.com/oauth2/token", nil)
	if got := poolOperation(r.Context(), r.URL); got != "refresh" {
		t.Errorf("the pool is asked for %s", got)
	}
	end(codegrant.ErrUnavailable)
	span := recorder.Ended()[1]
	if span.Name() != "refresh" || span.Parent().SpanID() != root.SpanContext().SpanID() || get(span, "error.type") != "unavailable" || get(span, "codegrant.pool") != "staff" {
		t.Errorf("%s %v", span.Name(), span.Attributes())
	}
}

// TestHandler: lines name their span, and spans have the lines, with the reason and
// nothing else of them.
func TestHandler(t *testing.T) {
	tracer, recorder := recording(t)
	var b bytes.Buffer
	log := slog.New(tracer.Handler(slog.NewTextHandler(&b, nil))).With("pool", "staff")
	log.Info("nobody's")
	if strings.Contains(b.String(), "trace_id") {
		t.Errorf("%s", &b)
	}
	ctx, span := tracer.tracer.Start(t.Context(), "root")
	log.LogAttrs(ctx, slog.LevelWarn, "sign-in refused", slog.String("sub", "alice"), slog.String("reason", strings.Repeat("ä", 300)))
	log.LogAttrs(ctx, slog.LevelInfo, AccessLine, slog.String("path", "/"))
	span.End()
	there := span.SpanContext()
	if n := strings.Count(b.String(), "trace_id="+there.TraceID().String()+" span_id="+there.SpanID().String()); n != 2 {
		t.Errorf("%d lines name the span: %s", n, &b)
	}
	events := recorder.Ended()[0].Events()
	if len(events) != 1 || events[0].Name != "sign-in refused" || len(events[0].Attributes) != 1 || len(events[0].Attributes[0].Value.AsString()) > maxReason+8 {
		t.Errorf("%v", events)
	}
}

// TestExport: a collector that fails is told of once, and once when it is back.
func TestExport(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "5")
	var mu sync.Mutex
	status, posts := http.StatusBadRequest, 0
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		posts++
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
	}))
	defer collector.Close()
	var b bytes.Buffer
	tracer, err := New(Config{Endpoint: collector.URL + "/v1/traces", SampleRatio: 1, Logger: slog.New(slog.NewTextHandler(&b, nil)), Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		t.Helper()
		_, q := tracer.StartRequest(httptest.NewRequest("GET", "/", nil), false)
		q.End()
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	mu.Lock()
	status = http.StatusOK
	mu.Unlock()
	ask()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if got, want := tracer.Counts(), (Counts{Ended: 3, Exported: 1, Failed: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if strings.Count(b.String(), "traces not sent") != 1 || strings.Count(b.String(), "traces are sent again") != 1 {
		t.Errorf("the log: %s", &b)
	}
}

// TestSampling: nothing of a stranger's decides.
func TestSampling(t *testing.T) {
	tracer, err := New(Config{Endpoint: "http://127.0.0.1:1/v1/traces", SampleRatio: 0, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracer.Shutdown(context.Background()) }()
	for trusted, want := range map[bool]bool{false: false, true: true} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		_, q := tracer.StartRequest(r, trusted)
		if got := q.span.SpanContext().IsSampled(); got != want {
			t.Errorf("trusted %t: recorded %t", trusted, got)
		}
		if trusted {
			continue
		}
		q.End()
	}
}
