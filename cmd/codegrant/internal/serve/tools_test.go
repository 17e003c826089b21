package serve

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/mcp"
)

// TestToolsAreCountedByRule: what clients call a tool makes no series.
func TestToolsAreCountedByRule(t *testing.T) {
	p := &process{log: slog.New(slog.DiscardHandler)}
	p.metrics = newMetrics(p)
	ruled, open := mcp.Config{Tools: []mcp.Tool{{Name: "delete_*"}}}, mcp.Config{}
	p.hearCalls("docs", &ruled)
	p.hearCalls("open", &open)
	for i := range 100 {
		ruled.OnCall(context.Background(), mcp.Call{Tool: fmt.Sprint("invented", i)})
		ruled.OnCall(context.Background(), mcp.Call{Tool: fmt.Sprint("delete_", i), Rule: "delete_*", Allowed: true})
		open.OnCall(context.Background(), mcp.Call{Tool: fmt.Sprint("any", i), Allowed: true})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.metrics.tools)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	got := make(map[string]float64)
	for _, m := range families[0].Metric {
		key := ""
		for _, label := range m.Label {
			key += label.GetValue() + " "
		}
		got[key] = m.Counter.GetValue()
	}
	if len(got) != 3 || got["forbidden docs none "] != 100 || got["passed docs delete_* "] != 100 || got["passed open * "] != 100 {
		t.Errorf("%v", got)
	}
}
