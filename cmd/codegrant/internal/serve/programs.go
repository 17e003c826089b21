package serve

import (
	"cmp"
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/upstream"
)

// programs counts what people's programs and upstreams are given and refused. Labels are
// words of the packages that tell of it, and names of the configuration.
type programs struct {
	tokens, registrations, documents, consents, ended *prometheus.CounterVec // of the broker
	documentTime                                      *prometheus.HistogramVec
	exchanges                                         *prometheus.CounterVec
	exchangeTime                                      *prometheus.HistogramVec
	agreed, refreshed, revoked                        *prometheus.CounterVec // of other services
	refreshTime                                       *prometheus.HistogramVec
}

func newPrograms() *programs {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "codegrant", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: "codegrant", Name: name, Help: help, Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}
	}
	return &programs{
		tokens:        counter("broker_tokens_total", "Requests to the token endpoint of the broker, by what a client came with, and what it got.", "grant", "outcome"),
		registrations: counter("broker_registrations_total", "Clients that asked to be registered.", "outcome"),
		documents:     counter("broker_documents_total", "Documents of clients that were needed and not known.", "outcome"),
		documentTime:  prometheus.NewHistogramVec(histogram("broker_document_duration_seconds", "How long it takes to fetch a client's document."), nil),
		consents:      counter("broker_consents_total", "Consent pages that were shown, and what people answered.", "outcome"),
		ended:         counter("broker_grants_ended_total", "Grants that ended before their time.", "reason"),
		exchanges:     counter("exchanges_total", "Wishes of upstreams for a token of their own, by what became of them.", "route", "outcome"),
		exchangeTime:  prometheus.NewHistogramVec(histogram("exchange_duration_seconds", "How long exchanges of tokens take."), []string{"route"}),
		agreed:        counter("upstream_oauth_consents_total", "People who were sent to another service, and what they came back with.", "upstream", "outcome"),
		refreshed:     counter("upstream_oauth_refreshes_total", "Refreshes of tokens of other services.", "upstream", "outcome"),
		refreshTime:   prometheus.NewHistogramVec(histogram("upstream_oauth_refresh_duration_seconds", "How long other services take to refresh a token."), []string{"upstream"}),
		revoked:       counter("upstream_oauth_revocations_total", "Tokens of other services that those were asked to revoke.", "upstream", "outcome"),
	}
}

func (m *programs) register(registry *prometheus.Registry) {
	registry.MustRegister(m.tokens, m.registrations, m.documents, m.documentTime, m.consents, m.ended, m.exchanges, m.exchangeTime, m.agreed, m.refreshed, m.refreshTime, m.revoked)
}

// begin has the series of a configuration there before the first event.
func (m *programs) begin(g *generation) {
	if g.Broker != nil {
		m.documentTime.WithLabelValues()
		for _, kind := range broker.EventKinds() {
			for _, outcome := range kind.Outcomes() {
				m.ofBroker(kind, outcome)
			}
		}
	}
	for i, e := range g.Exchanges {
		if e == nil {
			continue
		}
		route := nameOf(g.Routes[i])
		m.exchangeTime.WithLabelValues(route)
		for _, outcome := range exchange.Outcomes() {
			m.exchanges.WithLabelValues(route, string(outcome))
		}
	}
	for _, u := range g.upstreams {
		m.refreshTime.WithLabelValues(u.Name)
		for _, kind := range upstream.EventKinds() {
			for _, outcome := range kind.Outcomes() {
				m.ofUpstream(u.Name, kind, outcome)
			}
		}
	}
}

// nameOf is a route's, as all metrics have it.
func nameOf(route gateway.Route) string {
	return label(cmp.Or(route.Name, route.Host+cmp.Or(route.Path, "/")))
}

func (m *programs) ofBroker(kind broker.EventKind, outcome string) prometheus.Counter {
	switch kind {
	case broker.ClientRegistered:
		return m.registrations.WithLabelValues(outcome)
	case broker.DocumentFetched:
		return m.documents.WithLabelValues(outcome)
	case broker.ConsentAsked:
		return m.consents.WithLabelValues(outcome)
	case broker.GrantEnded:
		return m.ended.WithLabelValues(outcome)
	}
	return m.tokens.WithLabelValues(string(kind), outcome)
}

func (m *programs) broker(_ context.Context, e broker.Event) {
	m.ofBroker(e.Kind, e.Outcome).Inc()
	if e.Took > 0 {
		m.documentTime.WithLabelValues().Observe(e.Took.Seconds())
	}
}

func (m *programs) exchange(route string) func(context.Context, exchange.Event) {
	route = label(route)
	return func(_ context.Context, e exchange.Event) {
		m.exchanges.WithLabelValues(route, string(e.Outcome)).Inc()
		if e.Took > 0 {
			m.exchangeTime.WithLabelValues(route).Observe(e.Took.Seconds())
		}
	}
}

func (m *programs) ofUpstream(name string, kind upstream.EventKind, outcome string) prometheus.Counter {
	switch kind {
	case upstream.TokenRenewed:
		return m.refreshed.WithLabelValues(name, outcome)
	case upstream.TokenRevoked:
		return m.revoked.WithLabelValues(name, outcome)
	}
	return m.agreed.WithLabelValues(name, outcome)
}

func (m *programs) upstream(name string) func(context.Context, upstream.Event) {
	return func(_ context.Context, e upstream.Event) {
		m.ofUpstream(name, e.Kind, e.Outcome).Inc()
		if e.Took > 0 {
			m.refreshTime.WithLabelValues(name).Observe(e.Took.Seconds())
		}
	}
}
