package tracing

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// The attributes of spans beside the conventions of OpenTelemetry.
const (
	PoolKey      = attribute.Key("codegrant.pool")
	RouteKey     = attribute.Key("codegrant.route")
	DecisionKey  = attribute.Key("codegrant.decision")
	ProofKey     = attribute.Key("codegrant.proof")     // how the person proved who they are
	OperationKey = attribute.Key("codegrant.operation") // what the pool or a store is asked for
	ResultKey    = attribute.Key("codegrant.result")    // of a store, where it is not a fault
	ReasonKey    = attribute.Key("codegrant.reason")    // of an event
)

// Request is the span of one request, or of a question. Its methods do nothing on
// nil. They are not safe for concurrent use.
type Request struct {
	span     trace.Span
	method   string
	question bool // answers whether another request may pass
	over     protocol
	ended    bool
}

// protocol is what a request or a question came over.
type protocol int

const (
	overHTTP protocol = iota
	overGRPC
	overSPOE
)

type requestKey struct{}

// w3c is the only form of trace contexts that is understood.
var w3c propagation.TraceContext

// StartRequest begins the span of a request. trusted says that the peer may say which
// trace the request belongs to.
func (t *Tracer) StartRequest(r *http.Request, trusted bool) (*http.Request, *Request) {
	if t == nil {
		return r, nil
	}
	q := &Request{method: methodOf(r.Method)}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	ctx := q.start(t, r.Context(), propagation.HeaderCarrier(r.Header), trusted, name(r.Method, ""),
		semconv.HTTPRequestMethodKey.String(q.method), semconv.URLScheme(scheme), semconv.NetworkProtocolVersion(version(r)))
	return r.WithContext(ctx), q
}

// The names of a proxy's question: the method that Envoy calls, the message that HAProxy
// sends.
const (
	checkMethod  = "envoy.service.auth.v3.Authorization/Check"
	checkMessage = "SPOE check"
)

// StartQuestion begins the span of what Envoy asks over gRPC, or HAProxy by SPOE, about
// original. The trace is the one that Envoy's call belongs to: headers of original may
// be a stranger's. HAProxy cannot name one.
func (t *Tracer) StartQuestion(original *http.Request, trusted bool) (*http.Request, *Request) {
	if t == nil {
		return original, nil
	}
	ctx := original.Context()
	q := &Request{question: true, over: overSPOE}
	if call, ok := metadata.FromIncomingContext(ctx); ok {
		q.over = overGRPC
		ctx = q.start(t, ctx, carrier(call), trusted, checkMethod, semconv.RPCSystemNameGRPC, semconv.RPCMethod(checkMethod))
	} else {
		ctx = q.start(t, ctx, carrier(nil), false, checkMessage, semconv.NetworkProtocolName("spoe"))
	}
	return original.WithContext(ctx), q
}

// carrier reads trace contexts from the metadata of a call.
type carrier metadata.MD

// Get implements [propagation.TextMapCarrier]. What is there twice is nobody's word.
func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) == 1 {
		return values[0]
	}
	return ""
}

// Set implements [propagation.TextMapCarrier].
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys implements [propagation.TextMapCarrier].
func (carrier) Keys() []string { return []string{"traceparent", "tracestate"} }

func (q *Request) start(t *Tracer, ctx context.Context, from propagation.TextMapCarrier, trusted bool, name string, attrs ...attribute.KeyValue) context.Context {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...)}
	remote := w3c.Extract(ctx, from)
	switch there := trace.SpanContextFromContext(remote); {
	case !there.IsValid():
	case trusted:
		ctx = remote
	default:
		// Its trace state is free text.
		options = append(options, trace.WithLinks(trace.Link{SpanContext: there.WithTraceState(trace.TraceState{})}))
	}
	ctx, q.span = t.tracer.Start(ctx, name, options...)
	return context.WithValue(ctx, requestKey{}, q)
}

// Request is the span that a request's context carries; nil: none.
func (t *Tracer) Request(ctx context.Context) *Request {
	if t == nil {
		return nil
	}
	q, _ := ctx.Value(requestKey{}).(*Request)
	return q
}

// name is that of a span, as the conventions have it.
func name(method, template string) string {
	if method = methodOf(method); method == other {
		method = "HTTP"
	}
	if template != "" {
		method += " " + template
	}
	return method
}

// Endpoint says that the request is for an endpoint of the pool's, or asks a question
// there, by the endpoint's path as the configuration has it.
func (q *Request) Endpoint(pool, template string, question bool) {
	if q == nil {
		return
	}
	q.question = question
	q.setTemplate(template)
	q.Set(PoolKey, pool)
}

// Route says which route took the request, by the path as the configuration has it and
// by name. Of a question it is the route of what was asked about.
func (q *Request) Route(pool, template, name string) {
	if q == nil {
		return
	}
	if !q.question {
		q.setTemplate(template)
	}
	q.Set(PoolKey, pool)
	q.Set(RouteKey, name)
}

func (q *Request) setTemplate(template string) {
	if template != "" {
		q.span.SetAttributes(semconv.HTTPRoute(template))
	}
	q.span.SetName(name(q.method, template))
}

// Set adds an attribute, unless it is empty.
func (q *Request) Set(key attribute.Key, value string) {
	if q != nil && value != "" {
		q.span.SetAttributes(key.String(value))
	}
}

// Answered says what the answer was. Status 0 is a connection that was taken over.
func (q *Request) Answered(status int) {
	if q == nil || q.ended {
		return
	}
	q.ended = true
	switch q.over {
	case overGRPC:
		q.span.SetAttributes(semconv.RPCResponseStatusCode("OK"))
		return
	case overSPOE: // an answer is an answer
		return
	}
	if status == 0 {
		status = http.StatusSwitchingProtocols
	}
	q.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		fail(q.span, strconv.Itoa(status))
	}
}

// End ends the span. Where nobody said what the answer was, it was cut off.
func (q *Request) End() {
	if q == nil {
		return
	}
	if !q.ended {
		fail(q.span, "cut_off")
	}
	q.span.End()
}

// fail marks a span as failed by a kind of fault.
func fail(span trace.Span, kind string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, "")
}

const other = "_OTHER"

// methodOf is one of the methods that there are: a request can have any word.
func methodOf(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return method
	}
	return other
}

func version(r *http.Request) string {
	if r.ProtoMajor == 1 {
		return "1." + strconv.Itoa(r.ProtoMinor)
	}
	return strconv.Itoa(r.ProtoMajor)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
