package syncing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/directory"
)

// operations is what operators see of a codegrant sync that goes on running. Passes are
// told of as the journal has them, so that a process that stands by says the same as the
// one that makes them.
type operations struct {
	*syncing
	journal  directory.Looker
	registry *prometheus.Registry
	late     time.Duration // after which passes are overdue
	begun    time.Time

	changes, passes *prometheus.CounterVec
	refusals        *prometheus.CounterVec
	took            *prometheus.HistogramVec

	mu    sync.Mutex
	since map[string]check // by name, as last said
}

// check is one line of /readyz.
type check struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Needed bool      `json:"needed"`
	Since  time.Time `json:"since"`
	Error  string    `json:"error,omitempty"`
}

type readyReport struct {
	Ready      bool    `json:"ready"`
	Degraded   bool    `json:"degraded"`
	Overloaded bool    `json:"overloaded"`
	Checks     []check `json:"checks"`
}

// outcomes of passes.
const (
	outcomeDone     = "done"
	outcomeWithheld = "removals_withheld"
	outcomeFailed   = "failed"
)

// lookTimeout is how long the database may take to say how passes are.
const lookTimeout = 3 * time.Second

func (s *syncing) newOperations(every time.Duration) *operations {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "codegrant", Subsystem: "sync", Name: name, Help: help}, labels)
	}
	o := &operations{
		syncing: s, journal: s.journal, registry: prometheus.NewRegistry(), begun: time.Now(), since: make(map[string]check),
		// A pass over a large pool takes its time, and one that failed is tried again.
		late:     3*every + 10*time.Minute,
		changes:  counter("changes_total", "Changes of passes of this process in the replica. A person who was disabled or got other groups counts as changed, too.", "pool", "kind"),
		refusals: counter("refused_users_total", "People who could not be taken over as the pool has them, in passes of this process.", "pool"),
		passes:   counter("passes_total", "Passes of this process that have ended, by outcome.", "pool", "outcome"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "codegrant", Subsystem: "sync", Name: "pass_duration_seconds", Help: "How long passes took, from the first process to the end.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200},
		}, []string{"pool"}),
	}
	o.registry.MustRegister(ops.Program()...)
	if s.hooks != nil {
		o.registry.MustRegister(s.hooks)
	}
	o.registry.MustRegister(o.changes, o.passes, o.refusals, o.took, o)
	for _, p := range s.pools {
		o.count(p.name, directory.Report{}, nil, 0)
		for _, outcome := range []string{outcomeDone, outcomeWithheld, outcomeFailed} {
			o.passes.WithLabelValues(p.name, outcome)
		}
		o.took.WithLabelValues(p.name)
	}
	return o
}

func (o *operations) count(pool string, r directory.Report, err error, passes float64) {
	for kind, n := range map[string]int{
		"created": r.Created, "changed": r.Changed, "disabled": r.Disabled, "regrouped": r.Regrouped, "removed": r.Removed, "kept": r.Kept,
		"sessions_ended": r.SessionsEnded, "sessions_stale": r.SessionsStale,
	} {
		o.changes.WithLabelValues(pool, kind).Add(float64(n))
	}
	o.refusals.WithLabelValues(pool).Add(float64(r.Refused))
	outcome := outcomeDone
	switch {
	case errors.Is(err, directory.ErrTooManyRemovals):
		outcome = outcomeWithheld
	case err != nil:
		outcome = outcomeFailed
	}
	o.passes.WithLabelValues(pool, outcome).Add(passes)
}

// done hears of a pass that has ended.
func (o *operations) done(pool string, r directory.Report, err error) {
	if o == nil {
		return
	}
	if r.Finished.IsZero() {
		r = directory.Report{} // whoever goes on with it counts what was done
	} else {
		o.took.WithLabelValues(pool).Observe(r.Finished.Sub(r.Started).Seconds())
	}
	o.count(pool, r, err, 1)
}

// Describe implements [prometheus.Collector]: without descriptions, what is there may
// differ from time to time.
func (*operations) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (o *operations) Collect(to chan<- prometheus.Metric) {
	gauge := func(name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc("codegrant_"+name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	report, found := o.look(ctx)
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	gauge("ready", "Whether passes are made, and none fails.", is(report.Ready))
	for _, c := range report.Checks {
		gauge("dependency_up", "Whether a dependency answers.", is(c.OK), "dependency", strings.ReplaceAll(c.Name, " ", "_"))
	}
	for pool, s := range found {
		success, age := 0.0, time.Since(o.begun)
		if !s.Last.Finished.IsZero() {
			success, age = float64(s.Last.Finished.UnixMilli())/1000, s.Age(time.Now())
		}
		gauge("sync_last_success_timestamp_seconds", "When the last pass was done, by any process; 0: none was.", success, "pool", pool)
		ops.Passes(pool, age, o.settings.PassMaxAge, gauge)
		gauge("sync_failing", "Whether the last pass has failed, by any process.", is(s.Fault != ""), "pool", pool)
		gauge("sync_withheld_removals", "People who were missing from the pool at the last pass that was done, and were not removed because they were too many.", float64(s.Last.Withheld), "pool", pool)
		gauge("sync_running", "Whether a pass is in progress, in any process.", is(s.Running), "pool", pool)
	}
	if o.settings.Replica.Outbox {
		ops.Outbox(ctx, o.Users.OutboxSize, gauge)
	}
}

// look says how things are, out of the database.
func (o *operations) look(ctx context.Context) (readyReport, map[string]directory.Status) {
	found := make(map[string]directory.Status)
	report := readyReport{Ready: true}
	add := func(name string, err error) {
		c := check{Name: name, OK: err == nil, Needed: true, Since: time.Now()}
		if err != nil {
			c.Error = err.Error()
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if was, ok := o.since[name]; ok && was.OK == c.OK {
			c.Since = was.Since
		}
		o.since[name] = c
		report.Checks = append(report.Checks, c)
		report.Ready = report.Ready && c.OK
	}
	var fault error
	for _, p := range o.pools {
		s, err := directory.ReadStatus(ctx, o.journal, p.Issuer)
		if fault = err; fault != nil {
			break // the others would wait as long
		}
		found[p.name] = s
	}
	add("database", fault)
	for _, p := range o.pools {
		if s, ok := found[p.name]; ok {
			add("passes of pool "+p.name, o.wrong(s))
		}
	}
	return report, found
}

// wrong says what is wrong with passes; nil: nothing. Too many missing people are no
// fault of the passes, which do all else: an alert is for that.
func (o *operations) wrong(s directory.Status) error {
	since := o.begun
	if s.Last.Finished.After(since) {
		since = s.Last.Finished
	}
	switch {
	case s.Fault != "":
		return fmt.Errorf("the last pass failed at %s: %s", s.FaultAt.Format(time.RFC3339), s.Fault)
	case time.Since(since) > o.late:
		return fmt.Errorf("no pass was done for %s", time.Since(since).Round(time.Second))
	case s.Last.Pass == "" && !s.Running && time.Since(o.begun) > time.Minute:
		return errNoPass
	}
	return nil
}

// serveOperations serves them until the context ends, if there is an address for them.
func (s *syncing) serveOperations(ctx context.Context, all *sync.WaitGroup, every time.Duration, stop context.CancelCauseFunc) error {
	at := cmp.Or(s.OpsListen, s.settings.SyncOpsListen)
	if at == "" {
		return nil
	}
	listener, err := listen.Here("--ops-listen, or sync_ops_listen in "+s.Config, at, s.settings.SocketMode)
	if err != nil {
		return err
	}
	o := s.newOperations(every)
	s.seen = o
	server := ops.Server(ops.Mux(func() (bool, any) {
		ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
		defer cancel()
		report, _ := o.look(ctx)
		return report.Ready, report
	}, o.registry), s.log)
	s.log.Info("serving operations", slog.String("at", listener.Addr().String()))
	all.Go(func() { s.serve(server, listener, stop) })
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

func (s *syncing) serve(server *http.Server, listener net.Listener, stop context.CancelCauseFunc) {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop(fmt.Errorf("serve operations: %w", err))
	}
}
