package tracing

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// traced reports whether what happens in a context belongs to a trace. What nobody
// asked for, such as looks at whether dependencies answer, is none.
func traced(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// Pool gives requests to a pool spans. The pool is told nothing of them: it belongs to
// somebody else.
func (t *Tracer) Pool(pool string, next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return &poolTransport{t, pool, next}
}

type poolTransport struct {
	*Tracer
	pool string
	next http.RoundTripper
}

func (p *poolTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if !traced(ctx) {
		return p.next.RoundTrip(r)
	}
	// Secrets go in bodies, and never in paths.
	path := poolPath(r.URL)
	_, span := p.tracer.Start(ctx, r.Method+" "+path, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(append(target(r),
		semconv.URLTemplate(path), PoolKey.String(p.pool), OperationKey.String(poolOperation(ctx, r.URL)))...))
	return finish(span, r, p.next)
}

// poolPath is the path of a request to a pool, which is the configuration's but for
// the key of a load balancer: which one that is, a token says that nobody has vouched
// for yet.
func poolPath(u *url.URL) string {
	if strings.Contains(u.Path, "/oauth2/") || strings.HasSuffix(u.Path, ".json") {
		return u.Path
	}
	return u.Path[:strings.LastIndexByte(u.Path, '/')+1] + "{kid}"
}

// poolOperation says what the pool is asked for. The token endpoint has two uses,
// told apart by what the request is part of: what is in it are secrets.
func poolOperation(ctx context.Context, u *url.URL) string {
	switch {
	case strings.HasSuffix(u.Path, "/oauth2/revoke"):
		return "revoke"
	case !strings.HasSuffix(u.Path, "/oauth2/token"):
		return "keys"
	}
	if work, _ := ctx.Value(workKey{}).(string); work == codegrant.WorkRefresh {
		return "refresh"
	}
	return "exchange"
}

// Upstream gives requests to upstreams spans, and tells the upstream which trace they
// belong to, in place of what the client said.
func (t *Tracer) Upstream(next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return &upstreamTransport{t, next}
}

type upstreamTransport struct {
	*Tracer
	next http.RoundTripper
}

func (u *upstreamTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if !traced(ctx) {
		return u.next.RoundTrip(r)
	}
	// Which upstream it is the address says, and the route is the parent's.
	ctx, span := u.tracer.Start(ctx, name(r.Method, ""), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(target(r)...))
	// Other servers may be tried with the same request: it is not written to.
	out := r.WithContext(ctx)
	out.Header = maps.Clone(r.Header)
	delete(out.Header, "Traceparent")
	delete(out.Header, "Tracestate")
	w3c.Inject(ctx, propagation.HeaderCarrier(out.Header))
	return finish(span, out, u.next)
}

// target says whom a request goes to, and nothing of its path.
func target(r *http.Request) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(methodOf(r.Method)), semconv.ServerAddress(r.URL.Hostname())}
	port := r.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
	}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, semconv.ServerPort(n))
	}
	return attrs
}

// finish sends a request. The span ends when the answer was read, or with a
// connection's first answer where that is taken over.
func finish(span trace.Span, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	ends := false
	defer func() {
		if !ends {
			span.End()
		}
	}()
	response, err := next.RoundTrip(r)
	if err != nil {
		fail(span, kindOf(err))
		return nil, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode), semconv.NetworkProtocolVersion(versionOf(response)))
	if response.StatusCode >= http.StatusBadRequest {
		fail(span, strconv.Itoa(response.StatusCode))
	}
	if response.StatusCode != http.StatusSwitchingProtocols && response.Body != nil {
		ends = true
		response.Body = &body{ReadCloser: response.Body, span: span}
	}
	return response, nil
}

func versionOf(r *http.Response) string {
	return version(&http.Request{ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor})
}

// body ends a span when it is closed.
type body struct {
	io.ReadCloser
	span trace.Span
	once sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		fail(b.span, kindOf(err))
	}
	return n, err
}

func (b *body) Close() error {
	defer b.once.Do(func() { b.span.End() })
	return b.ReadCloser.Close()
}

// kindOf names a fault from a list that is closed: its own text could be anything.
func kindOf(err error) string {
	var network net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "not_connected"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection_lost"
	case errors.Is(err, codegrant.ErrUnavailable), errors.Is(err, cognito.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, cognito.ErrMisconfigured):
		return "misconfigured"
	case errors.Is(err, codegrant.ErrInvalid), errors.Is(err, cognito.ErrInvalid):
		return "refused"
	}
	return other
}
