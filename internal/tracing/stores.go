package tracing

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// Sessions gives the calls of a session store spans. engine is the store's technology
// as OpenTelemetry names it, such as postgresql. Where the store answers from copies,
// as that of Redis does, set copies, and have [Asked] called as it asks: what it did
// not ask for is not a span.
func (t *Tracer) Sessions(store session.Store, engine string, copies bool) session.Store {
	if t == nil {
		return store
	}
	return &sessions{store, t, engine, copies}
}

type sessions struct {
	session.Store
	*Tracer
	engine string
	copies bool
}

// Shared is the store's own word.
func (s *sessions) Shared() bool {
	shared, ok := s.Store.(interface{ Shared() bool })
	return ok && shared.Shared()
}

// asking is a call to a store that may have no need to ask anybody.
type asking struct{ since time.Time }

type askingKey struct{}

// Asked says that the store is about to ask somebody on behalf of a call.
func (t *Tracer) Asked(ctx context.Context) {
	if a, _ := ctx.Value(askingKey{}).(*asking); a != nil && a.since.IsZero() {
		a.since = time.Now()
	}
}

// begin returns what ends the span.
func (s *sessions) begin(ctx context.Context, operation string) (context.Context, func(error)) {
	if !traced(ctx) {
		return ctx, func(error) {}
	}
	if !s.copies {
		ctx, span := s.store(ctx, "session "+operation, s.engine, operation)
		return ctx, func(err error) { endStore(span, err) }
	}
	a := new(asking)
	return context.WithValue(ctx, askingKey{}, a), func(err error) {
		if a.since.IsZero() {
			return
		}
		_, span := s.store(ctx, "session "+operation, s.engine, operation, trace.WithTimestamp(a.since))
		endStore(span, err)
	}
}

func (t *Tracer) store(ctx context.Context, name, engine, operation string, more ...trace.SpanStartOption) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, name, append(more, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.DBSystemNameKey.String(engine), OperationKey.String(operation)))...)
}

// endStore: that there is no such session, or that it has changed, is an answer.
func endStore(span trace.Span, err error) {
	result := ""
	switch {
	case err == nil:
	case errors.Is(err, session.ErrNotFound), errors.Is(err, replica.ErrNotFound):
		result = "not found"
	case errors.Is(err, session.ErrConflict), errors.Is(err, replica.ErrConflict):
		result = "conflict"
	case errors.Is(err, session.ErrExists):
		result = "exists"
	case errors.Is(err, session.ErrFull):
		fail(span, "full")
	default:
		kind := kindOf(err)
		if kind == other && (errors.Is(err, session.ErrUnavailable) || errors.Is(err, replica.ErrUnavailable)) {
			kind = "unavailable"
		}
		fail(span, kind)
	}
	if result != "" {
		span.SetAttributes(ResultKey.String(result))
	}
	span.End()
}

func (s *sessions) Create(ctx context.Context, r session.Record) (err error) {
	ctx, end := s.begin(ctx, "create")
	defer func() { end(err) }()
	return s.Store.Create(ctx, r)
}

func (s *sessions) Get(ctx context.Context, id string) (_ session.Record, err error) {
	ctx, end := s.begin(ctx, "get")
	defer func() { end(err) }()
	return s.Store.Get(ctx, id)
}

func (s *sessions) CompareAndSwap(ctx context.Context, r session.Record) (_ session.Record, err error) {
	ctx, end := s.begin(ctx, "replace")
	defer func() { end(err) }()
	return s.Store.CompareAndSwap(ctx, r)
}

func (s *sessions) Delete(ctx context.Context, id string) (err error) {
	ctx, end := s.begin(ctx, "delete")
	defer func() { end(err) }()
	return s.Store.Delete(ctx, id)
}

// Replica gives statements to a replica spans.
func (t *Tracer) Replica(store replica.Store, engine string) replica.Store {
	if t == nil {
		return store
	}
	traced := &people{store, t, engine}
	if lister, ok := store.(replica.IdentityLister); ok {
		return &listing{traced, lister}
	}
	return traced
}

// listing is of a replica that lists identities.
type listing struct {
	*people
	replica.IdentityLister
}

type people struct {
	replica.Store
	*Tracer
	engine string
}

func (p *people) Apply(ctx context.Context, s replica.Snapshot) (_ replica.Change, err error) {
	if !traced(ctx) {
		return p.Store.Apply(ctx, s)
	}
	ctx, span := p.store(ctx, "replica apply", p.engine, "apply")
	defer func() { endStore(span, err) }()
	return p.Store.Apply(ctx, s)
}

type workKey struct{}

// Work gives work of a pool that is more than one call a span, a refresh for one. It
// is what [codegrant.Config.OnWork] takes; nil where tracing is off.
func (t *Tracer) Work(pool string) func(context.Context, string) (context.Context, func(error)) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, work string) (context.Context, func(error)) {
		if !traced(ctx) {
			return ctx, func(error) {}
		}
		ctx, span := t.tracer.Start(ctx, work, trace.WithAttributes([]attribute.KeyValue{PoolKey.String(pool)}...))
		return context.WithValue(ctx, workKey{}, work), func(err error) {
			if err != nil {
				fail(span, kindOf(err))
			}
			span.End()
		}
	}
}
