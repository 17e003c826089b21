package serve

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/tracing"
)

// newTracer is nil where nothing is traced.
func newTracer(t settings.Tracing, log *slog.Logger) (*tracing.Tracer, error) {
	if !t.Enabled {
		return nil, nil
	}
	config := tracing.Config{
		Endpoint: t.Endpoint, SampleRatio: t.SampleRatio, ServiceName: t.ServiceName, Headers: make(map[string]string), Logger: log,
	}
	for _, h := range t.Headers {
		config.Headers[h.Name] = h.Value.Reveal()
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		config.Version = info.Main.Version
	}
	return tracing.New(config)
}

const (
	// How long the last spans may take when it stops: what is left of the drain,
	// and this at least and at most.
	minFlush = time.Second
	maxFlush = 5 * time.Second
)

// flush sends what is left to send.
func (p *process) flush(drained time.Time) {
	if p.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(max(time.Until(drained), minFlush), maxFlush))
	defer cancel()
	if err := p.tracing.Shutdown(ctx); err != nil {
		p.log.Warn("the last traces were not sent", "reason", err.Error())
	}
}

// traced serves a request within a span.
func (g *generation) traced(w http.ResponseWriter, r *http.Request) {
	r, span := g.process.tracing.StartRequest(r, g.trusts(addressOf(r.RemoteAddr)))
	defer span.End()
	if pool, template, question := g.templateOf(r); template != "" {
		span.Endpoint(pool, template, question)
	}
	g.serve(w, r)
}

// tracedQuestion answers what Envoy or HAProxy asks within a span.
func (g *generation) tracedQuestion(w http.ResponseWriter, original *http.Request, narrow url.Values) *gateway.Pass {
	original, span := g.process.tracing.StartQuestion(original, g.trusts(addressOf(original.RemoteAddr)))
	defer span.End()
	return g.gateway.CheckOriginal(w, original, narrow)
}

// span is that of a request; nil where nothing is traced.
func (g *generation) span(r *http.Request) *tracing.Request {
	if g.process.tracing == nil {
		return nil
	}
	return g.process.tracing.Request(r.Context())
}

// spanDecided tells a request's span what was decided.
func (g *generation) spanDecided(r *http.Request, o gateway.Outcome) {
	span := g.span(r)
	if span == nil {
		return
	}
	if o.Route == "" {
		span.Set(tracing.PoolKey, o.Tenant)
	} else {
		span.Route(o.Tenant, g.templates[o.Route], o.Route)
	}
	span.Set(tracing.DecisionKey, string(o.Decision))
	if o.Identity != nil {
		span.Set(tracing.ProofKey, string(o.Identity.Method))
	}
	span.Answered(o.Status)
}

// spanEndpoints are the endpoints of a pool that spans name. What else a request asks
// for there is its own invention.
var spanEndpoints = []string{"/login", "/callback", "/logout", "/user", "/session", "/sessions", "/flash", "/check", "/.well-known/jwks.json"}

// templateOf is the endpoint of a pool that a request is for, as the configuration has
// it; empty where it is for none.
func (g *generation) templateOf(r *http.Request) (pool, template string, question bool) {
	host := (&url.URL{Host: r.Host}).Hostname()
	for _, named := range []bool{true, false} {
		for i := range g.Pools {
			p := &g.Pools[i]
			rest, ok := strings.CutPrefix(r.URL.Path, p.Prefix)
			if !ok || rest == "" || rest[0] != '/' || named != slices.ContainsFunc(p.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) || !named && len(p.Hosts) > 0 {
				continue
			}
			if strings.HasPrefix(rest, "/check/") {
				rest = "/check"
			}
			if rest = strings.TrimSuffix(rest, "/"); slices.Contains(spanEndpoints, rest) {
				return p.Name, p.Prefix + rest, rest == "/check"
			}
			return p.Name, p.Prefix + "/*", false
		}
	}
	return "", "", false
}

// templatesOf are the paths of routes by their names.
func templatesOf(routes []gateway.Route) map[string]string {
	all := make(map[string]string, len(routes))
	for _, r := range routes {
		path := r.Path
		if path == "" {
			path = "/"
		}
		name := r.Name
		if name == "" {
			name = strings.ToLower(r.Host) + path
		}
		if !r.Exact {
			path = strings.TrimSuffix(path, "/") + "/*"
		}
		all[name] = path
	}
	return all
}

// outcomes are what events of a pool's endpoints come to, for their spans.
var outcomes = map[string]string{
	"signed in": "signed in", "sign-in refused": "refused", "sign-in failed": "unavailable", "signed out": "signed out",
}

// poolClient speaks to a pool as the library would, within spans, and counts its answers.
func (p *process) poolClient(pool string) *http.Client {
	return &http.Client{Transport: p.tracing.Pool(pool, timedPool{cognito.NewTransport(), p.metrics.outside, pool})}
}

// collectTraces tells what became of spans.
func (p *process) collectTraces(to chan<- prometheus.Metric) {
	if p.tracing == nil {
		return
	}
	counts := p.tracing.Counts()
	desc := prometheus.NewDesc("codegrant_trace_spans_total", "Spans that were to be sent to the collector, and what became of them.", []string{"outcome"}, nil)
	for outcome, n := range map[string]uint64{"ended": counts.Ended, "sent": counts.Exported, "not taken": counts.Failed} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), label(outcome))
	}
}
