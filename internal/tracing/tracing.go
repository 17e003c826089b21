package tracing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Config is what [New] needs. What is not set here is what the variables of
// OpenTelemetry (OTEL_…) say, or its defaults.
type Config struct {
	// Endpoint is the whole URL that traces are posted to.
	Endpoint string
	// Headers go with each post. Their values are secrets.
	Headers map[string]string
	// SampleRatio is the share of traces that are recorded, of those that nobody
	// else decided on. Negative: not set.
	SampleRatio float64
	// ServiceName defaults to codegrant.
	ServiceName string
	// Version is that of the service. Empty: unknown.
	Version string
	// Logger hears when traces cannot be sent, and when they can again. Required.
	Logger *slog.Logger
}

// Tracer makes spans. It is safe for concurrent use; nil is one that makes none.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
	exporter *exporter
	ended    atomic.Uint64
}

// scope names the instrumentation.
const scope = "github.com/codegrant/codegrant"

// New starts a tracer. It connects to nobody before there is something to send.
// Queue and batches are bounded; what has no room is dropped.
func New(c Config) (*Tracer, error) {
	ctx := context.Background()
	var options []otlptracehttp.Option
	if c.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(c.Endpoint))
	}
	if len(c.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(c.Headers))
	}
	otlp, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("configure tracing: %w", err)
	}
	t := &Tracer{exporter: &exporter{SpanExporter: otlp, log: c.Logger}}
	with := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(c.resource(ctx)),
		sdktrace.WithSpanProcessor(counted{sdktrace.NewBatchSpanProcessor(t.exporter), &t.ended}),
	}
	if c.SampleRatio >= 0 {
		with = append(with, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))))
	}
	t.provider = sdktrace.NewTracerProvider(with...)
	t.tracer = t.provider.Tracer(scope, trace.WithInstrumentationVersion(c.Version), trace.WithSchemaURL(semconv.SchemaURL))
	return t, nil
}

// resource says which process this is: by its own id, and not by its machine.
func (c Config) resource(ctx context.Context) *resource.Resource {
	var id [16]byte
	rand.Read(id[:])
	options := []resource.Option{
		resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("codegrant"), semconv.ServiceInstanceID(hex.EncodeToString(id[:]))),
	}
	if c.Version != "" {
		options = append(options, resource.WithAttributes(semconv.ServiceVersion(c.Version)))
	}
	options = append(options, resource.WithFromEnv())
	if c.ServiceName != "" {
		options = append(options, resource.WithAttributes(semconv.ServiceName(c.ServiceName)))
	}
	r, err := resource.New(ctx, options...)
	if err != nil {
		c.Logger.Warn("OTEL_RESOURCE_ATTRIBUTES not understood as a whole")
	}
	return r
}

// Counts are numbers of spans since the start.
type Counts struct {
	Ended    uint64 // that were to be sent
	Exported uint64
	Failed   uint64 // that the collector did not take; those neither exported nor failed wait, or had no room
}

// Counts returns what became of spans.
func (t *Tracer) Counts() Counts {
	if t == nil {
		return Counts{}
	}
	return Counts{t.ended.Load(), t.exporter.exported.Load(), t.exporter.failed.Load()}
}

// Shutdown sends what is left, as long as ctx lasts. Spans that end later are lost.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	err := t.provider.Shutdown(ctx)
	if err != nil {
		_ = t.exporter.SpanExporter.Shutdown(context.WithoutCancel(ctx)) // ends the post that is under way
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// counted counts the spans that are to be sent.
type counted struct {
	sdktrace.SpanProcessor
	ended *atomic.Uint64
}

func (c counted) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		c.ended.Add(1)
	}
	c.SpanProcessor.OnEnd(s)
}

// exporter says once that the collector does not answer, and once that it does
// again.
type exporter struct {
	sdktrace.SpanExporter
	log              *slog.Logger
	failing          atomic.Bool
	exported, failed atomic.Uint64
}

// ExportSpans implements [sdktrace.SpanExporter]. The fault is told here, and not by
// the library's global handler.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.failed.Add(uint64(len(spans)))
		if !e.failing.Swap(true) {
			e.log.Error("traces not sent; they are dropped until the collector answers", "reason", clip(err.Error(), 512))
		}
		return nil
	}
	e.exported.Add(uint64(len(spans)))
	if e.failing.Swap(false) {
		e.log.Info("traces are sent again", "dropped", e.failed.Load())
	}
	return nil
}
