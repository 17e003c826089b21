package serve

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
)

// TestMetricsKeepToConventions: names, units and help are as Prometheus has them, no value
// of a label has a blank, a 502 has not passed, and the guide lists them.
func TestMetricsKeepToConventions(t *testing.T) {
	p := newProcess(&settings.Settings{}, nil, nil, nil, nil)
	p.metrics.begin([]string{"shop"}, []string{"/admin"})
	servers := []gateway.Server{{Route: "/admin", Address: "10.0.0.1:80"}, {Route: "/admin", Address: "10.0.0.2:80"}}
	p.metrics.outside.begin([]string{"shop"}, slices.Clone(servers))
	p.metrics.outside.begin([]string{"shop"}, slices.Clone(servers[:1])) // the other one is gone
	p.metrics.outside.upstream(gateway.UpstreamAnswer{Route: "/admin", Server: "10.0.0.1:80", Status: 302, Duration: time.Second})
	for _, o := range []gateway.Outcome{
		{Tenant: "shop", Route: "/admin", Decision: gateway.Passed, Status: 502},
		{Tenant: "shop", Route: "/admin", Decision: gateway.Passed, Status: 200},
		{Tenant: "shop", Route: "/admin", Decision: gateway.Passed, Status: 799},
		{Tenant: "shop", Decision: gateway.NotFound, Status: 404},
		{Tenant: "shop", Route: "/admin", Decision: gateway.TooLarge, Status: 403},
	} {
		p.metrics.decided(o)
	}
	families, err := p.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "codegrant_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
	page, err := os.ReadFile("../../../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	passed := make(map[string]float64)
	found := 0
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "codegrant_") {
			continue
		}
		found++
		if !strings.Contains(string(page), "`"+family.GetName()) {
			t.Errorf("docs/gateway.md lacks %s", family.GetName())
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.Contains(l.GetValue(), " ") {
					t.Errorf("%s has the value %q of %s", family.GetName(), l.GetValue(), l.GetName())
				}
				if l.GetName() == "server" && l.GetValue() != servers[0].Address {
					t.Errorf("%s has a series of %s", family.GetName(), l.GetValue())
				}
				if name := l.GetName(); name == "decision" || name == "code" {
					passed[l.GetValue()] += m.GetCounter().GetValue()
				}
			}
		}
	}
	if passed["passed"] != 2 || passed["upstream_failed"] != 1 || passed["502"] != 1 || passed["7xx"] != 1 || passed["not_found"] != 1 || passed["too_large"] != 1 {
		t.Errorf("counted %v", passed)
	}
	if passed["3xx"] != 1 || passed["unauthorized"] != 0 {
		t.Errorf("counted %v", passed)
	}
	if found < 20 {
		t.Errorf("%d families are there before the first event", found)
	}
}

// TestNamesOfRoutesHaveNoBlanks: each metric has one name for a route, without blanks, so that
// series can be joined.
func TestNamesOfRoutesHaveNoBlanks(t *testing.T) {
	p := newProcess(&settings.Settings{}, nil, nil, nil, nil)
	p.metrics.begin([]string{"shop"}, []string{"my orders"})
	p.metrics.outside.begin([]string{"shop"}, []gateway.Server{{Route: "my orders", Address: "10.0.0.1:80"}})
	p.metrics.outside.upstream(gateway.UpstreamAnswer{Route: "my orders", Server: "10.0.0.1:80", Status: 302, Duration: time.Second})
	p.metrics.decided(gateway.Outcome{Tenant: "shop", Route: "my orders", Decision: gateway.Passed, Status: 200})
	p.metrics.programs.exchange("my orders")(t.Context(), exchange.Event{Outcome: exchange.Exchanged})
	families, err := p.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, l := range metric.GetLabel() {
				if l.GetName() == "route" {
					seen++
					if l.GetValue() != "my_orders" {
						t.Errorf("%s has the route %q", family.GetName(), l.GetValue())
					}
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d series have a route", seen)
	}
}
