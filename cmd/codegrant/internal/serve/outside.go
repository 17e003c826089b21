package serve

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/gateway"
)

// outside counts what others answer to this process: upstreams, and pools. Names of routes,
// servers and pools come from the configuration alone.
type outside struct {
	upstreamTime   *prometheus.HistogramVec
	upstreamCodes  *prometheus.CounterVec
	upstreamFaults *prometheus.CounterVec
	poolTime       *prometheus.HistogramVec
	poolCodes      *prometheus.CounterVec
	poolFaults     *prometheus.CounterVec
	clockOffset    *prometheus.GaugeVec
	log            *slog.Logger

	ofServers handles[serverKey, serverSeries]

	mu        sync.Mutex // guards what follows
	clocksOff map[string]bool
	offsets   map[string]time.Duration
	tokens    map[string]endpointState // of token endpoints, by pool
	changed   func(name, text string)  // hears how one is from now on; nil: nobody

	known []gateway.Server // of the last configuration; by whoever takes a new one
}

func newOutside(log *slog.Logger) *outside {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "codegrant", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "codegrant", Name: name, Help: help, Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, labels)
	}
	return &outside{
		log: log, clocksOff: make(map[string]bool), offsets: make(map[string]time.Duration), tokens: make(map[string]endpointState),
		clockOffset:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "codegrant", Name: "clock_offset_seconds", Help: "How far the clock of this machine is ahead of a pool's, by its last answer; below zero: behind."}, []string{"pool"}),
		upstreamTime:   histogram("upstream_response_duration_seconds", "How long servers of upstreams take to begin their answers.", "route", "server"),
		upstreamCodes:  counter("upstream_responses_total", "Answers of servers of upstreams, by class of status.", "route", "server", "code"),
		upstreamFaults: counter("upstream_faults_total", "Requests that a server of an upstream did not answer.", "route", "server"),
		poolTime:       histogram("pool_response_duration_seconds", "How long the pools' endpoints take to begin their answers.", "pool", "endpoint"),
		poolCodes:      counter("pool_responses_total", "Answers of the pools' endpoints, by class of status; 429 is one of its own.", "pool", "endpoint", "code"),
		poolFaults:     counter("pool_faults_total", "Requests that an endpoint of a pool did not answer.", "pool", "endpoint"),
	}
}

func (o *outside) register(registry *prometheus.Registry) {
	registry.MustRegister(o.upstreamTime, o.upstreamCodes, o.upstreamFaults, o.poolTime, o.poolCodes, o.poolFaults, o.clockOffset)
}

// poolEndpoints are those that are told apart.
var poolEndpoints = []string{"token", "revoke", "keys", "other"}

// begin has the series there before the first answer, and forgets those of servers that the
// configuration does not name any more.
func (o *outside) begin(pools []string, servers []gateway.Server) {
	for i := range servers {
		servers[i].Up = false // not what they are known by
	}
	for _, s := range o.known {
		if !slices.Contains(servers, s) {
			of := prometheus.Labels{"route": label(s.Route), "server": s.Address}
			o.upstreamTime.DeletePartialMatch(of)
			o.upstreamCodes.DeletePartialMatch(of)
			o.upstreamFaults.DeletePartialMatch(of)
		}
	}
	o.known = servers
	o.ofServers.forget()
	for _, s := range servers {
		o.upstreamTime.WithLabelValues(label(s.Route), s.Address)
		o.upstreamFaults.WithLabelValues(label(s.Route), s.Address)
		for _, code := range []string{"2xx", "3xx", "4xx", "5xx"} {
			o.upstreamCodes.WithLabelValues(label(s.Route), s.Address, code)
		}
	}
	for _, pool := range pools {
		o.clockOffset.WithLabelValues(pool)
		for _, endpoint := range poolEndpoints {
			o.poolTime.WithLabelValues(pool, endpoint)
			o.poolFaults.WithLabelValues(pool, endpoint)
			for _, code := range []string{"2xx", "4xx", "429", "5xx"} {
				o.poolCodes.WithLabelValues(pool, endpoint, code)
			}
		}
	}
}

// serverKey is what counts of a server's answer, and serverSeries what it is counted by.
type serverKey struct {
	route, server string
	class         int // of the status; 0: there was no answer
}

type serverSeries struct {
	time    prometheus.Observer
	answers prometheus.Counter // or faults
}

func (o *outside) seriesOf(k serverKey) serverSeries {
	s := serverSeries{time: o.upstreamTime.WithLabelValues(label(k.route), k.server)}
	if k.class == 0 {
		s.answers = o.upstreamFaults.WithLabelValues(label(k.route), k.server)
	} else {
		s.answers = o.upstreamCodes.WithLabelValues(label(k.route), k.server, classOf(k.class*100))
	}
	return s
}

// upstream hears of a server's answer.
func (o *outside) upstream(a gateway.UpstreamAnswer) {
	class := a.Status / 100
	if a.Err != nil {
		class = 0
	}
	s := o.ofServers.of(serverKey{a.Route, a.Server, class}, o.seriesOf)
	s.time.Observe(a.Duration.Seconds())
	s.answers.Inc()
}

func classOf(status int) string { return strconv.Itoa(status/100) + "xx" }

// timedPool speaks to a pool, and counts what it answers.
type timedPool struct {
	http.RoundTripper
	*outside
	pool string
}

func (t timedPool) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoint := "other"
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/oauth2/token"):
		endpoint = "token"
	case strings.HasSuffix(path, "/oauth2/revoke"):
		endpoint = "revoke"
	case strings.HasSuffix(path, "/jwks.json"):
		endpoint = "keys"
	}
	begun := time.Now()
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil && errors.Is(r.Context().Err(), context.Canceled) {
		return response, err // nobody waits any more, which says nothing of the pool
	}
	answered := time.Now()
	t.poolTime.WithLabelValues(t.pool, endpoint).Observe(answered.Sub(begun).Seconds())
	if err == nil {
		t.clock(t.pool, response.Header.Get("Date"), begun, answered)
	}
	if endpoint == "token" {
		t.token(t.pool, response, err, answered.Sub(begun))
	}
	switch {
	case err != nil:
		t.poolFaults.WithLabelValues(t.pool, endpoint).Inc()
	case response.StatusCode == http.StatusTooManyRequests:
		t.poolCodes.WithLabelValues(t.pool, endpoint, "429").Inc()
	default:
		t.poolCodes.WithLabelValues(t.pool, endpoint, classOf(response.StatusCode)).Inc()
	}
	return response, err
}

// endpointState is how an endpoint was when it was asked last: requests ask it, and nobody
// else does.
type endpointState struct {
	answered, failed time.Time // last
	reason           string
	took             time.Duration // the last answer; above slowAnswer it is slow
}

// slowAnswer is how long a token endpoint may take: each sign-in and each refresh waits for it.
const slowAnswer = 2 * time.Second

const answers = "answers"

// inWords is empty where it was never asked.
func (s endpointState) inWords() string {
	switch {
	case s.failed.After(s.answered):
		return "does not answer: " + s.reason
	case s.answered.IsZero():
		return ""
	case s.took > slowAnswer:
		return "is slow"
	}
	return answers
}

// token hears of an answer of a token endpoint. A refusal is an answer.
func (o *outside) token(pool string, response *http.Response, err error, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.tokens[pool]
	defer func(was string) {
		if is := s.inWords(); o.changed != nil && is != was && (was != "" || is != answers) {
			o.changed("token endpoint of "+pool, is)
		}
	}(s.inWords())
	switch {
	case err != nil:
		s.failed, s.reason = time.Now(), err.Error()
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		s.failed, s.reason = time.Now(), response.Status
	default:
		s.answered = time.Now()
		switch was := s.took > slowAnswer; {
		case took > slowAnswer && !was:
			o.log.Warn("token endpoint is slow: sign-ins and refreshes wait for it", "pool", pool, "took", took.Round(time.Millisecond).String())
		case took <= slowAnswer && was:
			o.log.Info("token endpoint is no longer slow", "pool", pool, "took", took.Round(time.Millisecond).String())
		}
		s.took = took
	}
	o.tokens[pool] = s
}

func (o *outside) tokenEndpoint(pool string) endpointState {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tokens[pool]
}
