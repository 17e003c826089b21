package deploy

import (
	"os"
	"os/exec"
	"testing"
)

// TestAlertsByPromtool: Prometheus takes the alerts, each is quiet without its fault and
// raised by it. Building promtool takes minutes; internal/repotest holds alerts, runbook,
// dashboard and metrics together without it.
func TestAlertsByPromtool(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	promtool := tool(t, "github.com/prometheus/prometheus/cmd/promtool@v0.316.0")
	for _, args := range [][]string{{"check", "rules", "codegrant.rules.yaml"}, {"test", "rules", "codegrant.rules.test.yaml"}} {
		check := exec.CommandContext(t.Context(), promtool, args...)
		check.Dir = "../../deploy/prometheus"
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}
