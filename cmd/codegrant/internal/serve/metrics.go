package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/tracing"
	"github.com/codegrant/codegrant/session"
)

// metrics count what happens. Their labels come from the configuration, never from a
// request, so that nobody outside can add series.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	endpoints *prometheus.CounterVec
	events    map[string]func(pool string)
	stores    *prometheus.HistogramVec
	faults    *prometheus.CounterVec
	reloads   *prometheus.CounterVec
	refused   *prometheus.CounterVec
	tools     *prometheus.CounterVec
	responses *prometheus.CounterVec
	outside   *outside
	programs  *programs

	ofRequests handles[requestKey, requestSeries]

	// by pool
	signIns, signOuts, refreshes, ended, proofs *prometheus.CounterVec
}

func newMetrics(p *process) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "codegrant", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		requests:  counter("requests_total", "Requests that were decided on, forward-auth questions among them.", "pool", "route", "decision"),
		endpoints: counter("endpoint_requests_total", "Requests to login, callback, logout and their siblings, by class of status.", "status"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "codegrant", Name: "request_duration_seconds", Help: "From the request's headers to the answer's end.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		stores: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "codegrant", Name: "session_store_duration_seconds", Help: "How long the session store takes.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"operation"}),
		faults:    counter("session_store_faults_total", "Operations that the session store did not answer.", "operation"),
		reloads:   counter("configurations_total", "New configurations, by what became of them.", "outcome"),
		tools:     counter("mcp_calls_total", "Calls of tools of MCP servers, by the rule for the tool.", "route", "tool", "decision"),
		responses: counter("responses_total", "Answers to requests for a route, by HTTP status.", "route", "code"),
		refused:   counter("refused_total", "Requests that were refused before anything was decided.", "reason"),
	}
	m.outside, m.programs = newOutside(p.log), newPrograms()
	m.signIns = counter("sign_ins_total", "Sign-ins, by outcome.", "pool", "outcome")
	m.signOuts = counter("sign_outs_total", "Sign-outs.", "pool")
	m.refreshes = counter("refreshes_total", "Refreshes of sessions, by outcome.", "pool", "outcome")
	m.ended = counter("sessions_ended_total", "Sessions that were ended before their time: by the person, by an operator, or because the pool no longer stands behind them.", "pool")
	m.proofs = counter("proofs_refused_total", "Tokens and cookies that proved nothing.", "pool")
	of := func(c *prometheus.CounterVec, outcome ...string) func(string) {
		return func(pool string) { c.WithLabelValues(append([]string{pool}, outcome...)...).Inc() }
	}
	m.events = map[string]func(string){
		"sign-in started":   of(m.signIns, "started"),
		"signed in":         of(m.signIns, label("signed in")),
		"sign-in refused":   of(m.signIns, "refused"),
		"sign-in failed":    of(m.signIns, "failed"),
		"signed out":        of(m.signOuts),
		"session refreshed": of(m.refreshes, "refreshed"),
		"refresh failed":    of(m.refreshes, "failed"),
		"session ended":     of(m.ended),
		"proof refused":     of(m.proofs),
		"request refused":   func(string) {},
	}
	m.registry.MustRegister(
		m.requests, m.endpoints, m.latency, m.stores, m.faults, m.reloads, m.refused, m.tools, m.responses, m.signIns, m.signOuts, m.refreshes, m.ended, m.proofs,
		state{p},
	)
	m.registry.MustRegister(ops.Program()...)
	m.outside.register(m.registry)
	m.programs.register(m.registry)
	return m
}

// requestKey is what counts of a request, and requestSeries what it is counted by.
type requestKey struct {
	pool, route string
	decision    gateway.Decision
	code        int
}

type requestSeries struct {
	requests, responses prometheus.Counter
	latency             prometheus.Observer
}

func (m *metrics) seriesOf(k requestKey) requestSeries {
	return requestSeries{
		m.requests.WithLabelValues(k.pool, label(k.route), label(string(k.decision))),
		m.responses.WithLabelValues(label(k.route), codeOf(k.code)),
		m.latency.WithLabelValues(label(k.route)),
	}
}

func (m *metrics) decided(o gateway.Outcome) {
	code := o.Status
	if code != 0 && http.StatusText(code) == "" {
		code = code/100*100 + 99 // which is none either: upstreams may make up as many as they like
	}
	s := m.ofRequests.of(requestKey{o.Tenant, o.Route, decisionOf(o), code}, m.seriesOf)
	s.requests.Inc()
	s.responses.Inc()
	s.latency.Observe(o.Duration.Seconds())
	if o.Decision == gateway.TooLarge {
		m.refused.WithLabelValues(label("identity too large")).Inc()
	}
}

// state is read when it is asked for.
type state struct{ *process }

// Describe implements [prometheus.Collector]: without descriptions, what is there may
// differ from time to time.
func (state) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s state) Collect(to chan<- prometheus.Metric) {
	gauge := func(name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, label(labels[i+1]))
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc("codegrant_"+name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	gauge("requests_in_flight", "Requests in progress.", float64(s.inFlight.Load()))
	s.collectTraces(to)
	g := s.current.Load()
	if g == nil {
		return
	}
	gauge("configuration_loaded_timestamp_seconds", "When the configuration in use was taken.", seconds(g.since))
	if !g.KeysSince.IsZero() {
		gauge("sealing_key_age_seconds", "Age of the newest sealing key's file.", time.Since(g.KeysSince).Seconds())
	}
	if c := g.Certificate; c != nil {
		gauge("certificate_expiry_timestamp_seconds", "When the certificate of tls expires, or the first of its chain.", seconds(c.Expires))
	}
	for _, one := range g.gateway.Servers() {
		up := 0.0
		if one.Up {
			up = 1
		}
		gauge("upstream_up", "Whether a server of an upstream gets requests: its health check succeeds, and it was not out of reach just now.", up, "route", one.Route, "server", one.Address)
	}
	if n := g.stores.live.Load(); n >= 0 {
		gauge("live_sessions", fmt.Sprintf("Sessions that have not expired, as counted within the last minute, up to %d.", mostLive), float64(n))
	}
	report := s.ready.report()
	for _, state := range []struct {
		name, help string
		is         bool
	}{
		{"ready", "Whether requests of people who are signed in can be answered.", report.Ready},
		{"degraded", "Whether it is ready, and something does not work.", report.Degraded},
		{"overloaded", "Whether requests were refused in the last ten seconds because too many were in progress.", report.Overloaded},
	} {
		is := 0.0
		if state.is {
			is = 1
		}
		gauge(state.name, state.help, is)
	}
	for _, d := range report.Checks {
		up := 0.0
		if d.OK {
			up = 1
		}
		gauge("dependency_up", "Whether a dependency answers.", up, "dependency", d.Name)
		gauge("dependency_since_timestamp_seconds", "Since when it does, or does not.", seconds(d.Since), "dependency", d.Name)
	}
	for name, pool := range g.pools {
		if found := pool.callback.Load(); found != callbackUnknown {
			gauge("callback_registered", "Whether the pool knows the URL that it is to send people back to.", float64(found), "pool", name)
		}
		if n := pool.owed.Load(); n >= 0 {
			gauge("revocations_owed", "Refresh tokens that the pool has not revoked yet when it was asked to.", float64(n), "pool", name)
		}
	}
	s.collectPasses(g, gauge)
	if g.stores.outbox != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		ops.Outbox(ctx, g.stores.outbox, gauge)
	}
	if db := g.stores.db; db != nil {
		stats := db.Stats()
		gauge("database_connections", "Connections to the database.", float64(stats.InUse), "state", "in use")
		gauge("database_connections", "Connections to the database.", float64(stats.Idle), "state", "idle")
		gauge("database_connections_max", "Connections that may be open.", float64(stats.MaxOpenConnections))
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc("codegrant_database_wait_seconds_total", "How long was waited for connections.", nil, nil),
			prometheus.CounterValue, stats.WaitDuration.Seconds())
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixMilli()) / 1000
}

// counting hears of a pool's events on their way to the log, also of those that are
// not logged.
type counting struct {
	slog.Handler
	events map[string]func(pool string)
	pool   string
	traces *tracing.Tracer
	day    *console.Day
	hooks  *hooks
	issuer string
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(ctx context.Context, r slog.Record) error {
	c.hooks.hear(r, c.pool, c.issuer)
	if count, ok := c.events[r.Message]; ok {
		count(c.pool)
		if outcome := outcomes[r.Message]; outcome != "" {
			c.traces.Request(ctx).Set(tracing.DecisionKey, outcome)
		}
		countDay(c.day, r)
	}
	if !c.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

func (c counting) WithAttrs(attrs []slog.Attr) slog.Handler {
	c.Handler = c.Handler.WithAttrs(attrs)
	return c
}

func (c counting) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}

// measured times a session store.
type measured struct {
	session.Store
	*metrics
}

// Shared is the store's own word.
func (m measured) Shared() bool {
	shared, ok := m.Store.(interface{ Shared() bool })
	return ok && shared.Shared()
}

func (m measured) done(operation string, start time.Time, err *error) {
	m.stores.WithLabelValues(label(operation)).Observe(time.Since(start).Seconds())
	// A client that has gone did not wait for the answer.
	if errors.Is(*err, session.ErrUnavailable) && !errors.Is(*err, context.Canceled) {
		m.faults.WithLabelValues(label(operation)).Inc()
	}
}

func (m measured) Create(ctx context.Context, r session.Record) (err error) {
	defer m.done("create", time.Now(), &err)
	return m.Store.Create(ctx, r)
}

func (m measured) Get(ctx context.Context, id string) (_ session.Record, err error) {
	defer m.done("get", time.Now(), &err)
	return m.Store.Get(ctx, id)
}

func (m measured) CompareAndSwap(ctx context.Context, r session.Record) (_ session.Record, err error) {
	defer m.done("replace", time.Now(), &err)
	return m.Store.CompareAndSwap(ctx, r)
}

func (m measured) Delete(ctx context.Context, id string) (err error) {
	defer m.done("delete", time.Now(), &err)
	return m.Store.Delete(ctx, id)
}

func (m measured) List(ctx context.Context, q session.Query) (_ []session.Record, err error) {
	defer m.done("list", time.Now(), &err)
	return m.Store.List(ctx, q)
}

func (m measured) DeleteBySubject(ctx context.Context, pool, subject string) (_ int, err error) {
	defer m.done("delete by subject", time.Now(), &err)
	return m.Store.DeleteBySubject(ctx, pool, subject)
}

func (m measured) MarkStale(ctx context.Context, pool, subject string) (_ int, err error) {
	defer m.done("mark stale", time.Now(), &err)
	return m.Store.MarkStale(ctx, pool, subject)
}

func (m measured) DeleteExpired(ctx context.Context, limit int) (_ int, err error) {
	defer m.done("delete expired", time.Now(), &err)
	return m.Store.DeleteExpired(ctx, limit)
}
