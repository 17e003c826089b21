package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const promtool = "github.com/prometheus/prometheus/cmd/promtool@v0.316.0"

// TestAlertsByPromtool: Prometheus takes the alerts, each is quiet without its fault and
// raised by it. Building promtool takes minutes; internal/repotest holds alerts, runbook,
// dashboard and metrics together without it.
func TestAlertsByPromtool(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	promtool := tool(t, promtool)
	for _, args := range [][]string{{"check", "rules", "codegrant.rules.yaml"}, {"test", "rules", "codegrant.rules.test.yaml"}} {
		check := exec.CommandContext(t.Context(), promtool, args...)
		check.Dir = "../../deploy/prometheus"
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestDashboardByPromtool: Prometheus understands each expression of the dashboard. That it
// names what is served, and in a unit that fits, is shown beside the gateway.
func TestDashboardByPromtool(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	promtool := tool(t, promtool)
	text, err := os.ReadFile("../../deploy/grafana/codegrant.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			read++
			// Grafana replaces its variable by a duration.
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")
			if out, err := exec.CommandContext(t.Context(), promtool, "--experimental", "promql", "format", expr).CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v %s", panel.Title, expr, err, out)
			}
		}
	}
	if read < 30 {
		t.Errorf("%d expressions", read)
	}
}
