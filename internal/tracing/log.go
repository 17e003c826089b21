package tracing

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Handler has lines of the log name the trace and the span that they belong to, and
// spans the lines: what happened, and why.
func (t *Tracer) Handler(next slog.Handler) slog.Handler {
	if t == nil {
		return next
	}
	return handler{next}
}

type handler struct{ slog.Handler }

// AccessLine is the message of lines that say what spans say already.
const AccessLine = "request"

const maxReason = 256

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanFromContext(ctx)
	there := span.SpanContext()
	if !there.IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	if span.IsRecording() && r.Message != AccessLine {
		var options []trace.EventOption
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != "reason" {
				return true
			}
			options = append(options, trace.WithAttributes(ReasonKey.String(clip(a.Value.String(), maxReason))))
			return false
		})
		span.AddEvent(r.Message, options...)
	}
	r = r.Clone()
	r.AddAttrs(slog.String("trace_id", there.TraceID().String()), slog.String("span_id", there.SpanID().String()))
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
