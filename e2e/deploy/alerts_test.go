package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
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

// TestMetricsByPromtool: Prometheus finds nothing to say about names, units and help of what a
// gateway with people signed in, and a codegrant sync beside it, serve.
func TestMetricsByPromtool(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	promtool, folder := tool(t, promtool), t.TempDir()
	program := filepath.Join(folder, "codegrant")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", program, "./cmd/codegrant").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pool, address, gateOps, syncOps := codegranttest.NewPool(t, nil), testenv.FreeAddress(t), testenv.FreeAddress(t), testenv.FreeAddress(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(app.Close)
	p := pool.Register("http://" + address)
	config := fmt.Sprintf("listen: %[1]s\nbase_url: http://%[1]s\nops_listen: %[2]s\nsessions: database\ndatabase: sqlite:app.db\nreplica: {outbox: true}\nkeys: [%[3]s]\n"+
		"pools: [{id: %[4]s, domain: %[5]q, issuer: %[6]q, client_id: %[7]s, client_secret: %[8]s}]\nroutes: [{path: /, upstream: %[9]q}, {path: /mcp, scopes: docs/read, mcp: true, upstream: %[9]q}]\nbroker: {algorithm: ES256}\n",
		address, gateOps, "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=", p.ID, p.Domain, p.Issuer, p.ClientID, p.ClientSecret.Reveal(), app.URL)
	file := filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	defer proxytest.Run(t, "codegrant serve", exec.Command(program, "serve", "--config", file))()
	awaitText(t, "http://"+gateOps+"/metrics", "codegrant_ready 1")
	codegranttest.NewBrowser(t).SignIn("http://"+address+"/", "alice@example.com", codegranttest.Password)
	defer proxytest.Run(t, "codegrant sync", exec.Command(program, "sync", "--every", "1s", "--full", "--config", file, "--ops-listen", syncOps, "--endpoint", pool.URL))()
	for at, told := range map[string]string{gateOps: `codegrant_sign_ins_total{outcome="signed_in",pool="default"} 1`, syncOps: `codegrant_sync_failing{pool="default"} 0`} {
		check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		check.Stdin = strings.NewReader(awaitText(t, "http://"+at+"/metrics", told))
		if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}

// awaitText is what a page says once it says something.
func awaitText(t *testing.T, page, told string) (text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get(page); err == nil {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if text = string(body); strings.Contains(text, told) {
				return text
			}
		}
	}
	t.Fatalf("%s does not say %s: %s", page, told, text)
	return ""
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
