package syncing

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/codegrant/codegrant/directory"
)

// get asks at an address, and returns what is answered.
func (w *twoPools) get(url string) (int, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	w.ok(err)
	response, err := http.DefaultClient.Do(r)
	w.ok(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	w.ok(err)
	return response.StatusCode, string(body)
}

// TestSync_InSight: a sync that goes on running says how its passes are, by HTTP and out of
// the database, a process that stands by says the same, and neither is ready while passes
// fail.
func TestSync_InSight(t *testing.T) {
	w := newTwoPools(t, "sync_ops_listen: 127.0.0.1:0\nevents: {listen: '127.0.0.1:0', secret: 0123456789abcdef0123456789abcdef}")
	if stdout, stderr := w.sync(1, "--status"); !strings.Contains(stderr, "run codegrant migrate") {
		t.Errorf("without tables: %s %s", stdout, stderr)
	}
	w.sync(1, "--user", "nobody") // makes the tables
	if stdout, stderr := w.sync(1, "--status"); !strings.Contains(stdout, "shop: there was no pass yet") || !strings.Contains(stderr, "pool staff: there was no pass yet") {
		t.Errorf("without passes: %s %s", stdout, stderr)
	}
	_, end := w.following("--full", "--every", "50ms")
	first := w.ops
	_, endSecond := w.following("--every", "50ms")
	second := w.ops
	for _, at := range []string{first, second} {
		w.until("it is ready", func() bool { status, _ := w.get(at + "/readyz"); return status == http.StatusOK })
		_, metrics := w.get(at + "/metrics")
		for _, want := range []string{
			`codegrant_sync_last_success_timestamp_seconds\{pool="shop"\} 1\.\d+e\+09`, `codegrant_sync_last_success_age_seconds\{pool="staff"\} \d`,
			`codegrant_sync_failing\{pool="shop"\} 0`, `codegrant_sync_withheld_removals\{pool="staff"\} 0`, `codegrant_ready 1`,
			`codegrant_sync_passes_total\{outcome="failed",pool="staff"\} 0`, `codegrant_sync_changes_total\{kind="disabled",pool="shop"\} 0`,
			`codegrant_sync_refused_users_total\{pool="shop"\} 0`, `codegrant_build_info\{`, `codegrant_sync_pass_duration_seconds_count\{pool="staff"\}`,
			`codegrant_dependency_up\{dependency="passes_of_pool_staff"\} 1`,
		} {
			if !regexp.MustCompile(`(?m)^` + want).MatchString(metrics) {
				t.Errorf("%s: no %s in\n%s", at, want, metrics)
			}
		}
	}
	_, shown := w.get(first + "/metrics")
	problems, err := promlint.New(strings.NewReader(shown)).Lint()
	w.ok(err)
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "codegrant_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
	if _, metrics := w.get(first + "/metrics"); !regexp.MustCompile(`codegrant_sync_changes_total\{kind="created",pool="shop"\} 2`).MatchString(metrics) {
		t.Errorf("what was made is not counted:\n%s", metrics)
	}
	stdout, _ := w.sync(0, "--status")
	if !regexp.MustCompile(`shop: last pass done \ds ago \(.*\n.*groups?, 2 users read`).MatchString(stdout) {
		t.Errorf("status: %s", stdout)
	}
	stdout, _ = w.sync(0, "--status", "--json", "--pool", "shop")
	var all []told
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) != 1 || all[0].Last == nil || all[0].Last.Users != 2 || !all[0].Scheduled || all[0].Fault != "" {
		t.Errorf("as JSON: %v %s", err, stdout)
	}

	// The pool does not answer: both are not ready, and say why.
	w.down.Store(true)
	for _, at := range []string{first, second} {
		w.until("it is not ready", func() bool { status, _ := w.get(at + "/readyz"); return status == http.StatusServiceUnavailable })
		w.until("it says why", func() bool {
			_, body := w.get(at + "/readyz")
			return strings.Contains(body, "passes of pool shop") && strings.Contains(body, "the last pass failed at")
		})
		w.until("the metric says so", func() bool {
			_, metrics := w.get(at + "/metrics")
			return strings.Contains(metrics, `codegrant_sync_failing{pool="shop"} 1`) && strings.Contains(metrics, "codegrant_ready 0")
		})
	}
	if stdout, stderr := w.sync(1, "--status"); !strings.Contains(stdout, "the last try failed") || !strings.Contains(stderr, "the last pass failed") {
		t.Errorf("status: %s %s", stdout, stderr)
	}
	w.down.Store(false)
	for _, at := range []string{first, second} {
		w.until("it is ready again", func() bool { status, _ := w.get(at + "/readyz"); return status == http.StatusOK })
	}

	// Too many are missing: all else is done.
	w.ok(w.DeleteUser("local_Staff1", "carol"))
	w.ok(w.DeleteUser("local_Staff1", "dave"))
	w.until("what was not removed is told", func() bool {
		_, metrics := w.get(first + "/metrics")
		return strings.Contains(metrics, `codegrant_sync_withheld_removals{pool="staff"} 2`) && strings.Contains(metrics, "codegrant_ready 1")
	})
	if stdout, stderr := w.sync(exitTooMany, "--status"); !strings.Contains(stdout, "refused to remove 2 people") || !strings.Contains(stderr, "pool staff") {
		t.Errorf("status: %s %s", stdout, stderr)
	}
	if status := end(); status != 0 {
		t.Errorf("status %d", status)
	}
	if status := endSecond(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestSync_Overdue: passes that neither end nor fail are told of.
func TestSync_Overdue(t *testing.T) {
	o := (&syncing{}).newOperations(time.Hour)
	done := directory.Status{Last: directory.Report{Pass: "pass-1", Finished: time.Now().Add(-4 * time.Hour)}}
	for _, tt := range []struct {
		name   string
		begun  time.Duration // ago
		status directory.Status
		want   string
	}{
		{"just begun, and nothing was done for long", 0, done, ""},
		{"three passes are missing", 5 * time.Hour, done, "no pass was done for 4h0m"},
		{"the first pass hangs", 5 * time.Hour, directory.Status{Running: true}, "no pass was done for 5h0m"},
		{"the first pass takes its time", time.Hour, directory.Status{Running: true}, ""},
		{"nobody makes a pass", time.Hour, directory.Status{}, "there was no pass yet"},
		{"a pass failed", 0, directory.Status{Last: done.Last, Fault: "no answer"}, "no answer"},
	} {
		o.begun = time.Now().Add(-tt.begun)
		if err := o.wrong(tt.status); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
