package repotest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func all(pattern, s string) (found []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(s, -1) {
		found = append(found, m[1])
	}
	return found
}

// metricsOfTheCode are the names that the commands give to metrics.
func metricsOfTheCode(t *testing.T) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	err := fs.WalkDir(os.DirFS("../../cmd/codegrant/internal"), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code := text(t, "cmd/codegrant/internal/"+path)
		prefix := "codegrant_"
		for _, of := range all(`Subsystem: "([a-z]+)"`, code) {
			for _, name := range all(`(?:counter\(|gauge\(|Name: )"([a-z_]+)"`, code) {
				found["codegrant_"+of+"_"+name] = true
			}
		}
		for _, name := range all(`(?:counter\(|histogram\(|gauge\(|Name: |name: )"([a-z_]+)"`, code) {
			found[prefix+name] = true
		}
		for _, name := range all(`"(codegrant_[a-z_]+)"`, code) {
			found[name] = true
		}
		for _, name := range all(`(?m)^\s*\{"([a-z_]+)", "[A-Z]`, code) { // a table of gauges
			found[prefix+name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAlertsAreExplained: each alert has an entry in the runbook that says what it means, what
// to look at and what to do, and a test; no entry is without its alert; and each metric that
// alerts and the dashboard name is one of the code. Nothing of it is there twice.
func TestAlertsAreExplained(t *testing.T) {
	rules, tests, runbook, dashboard := text(t, "deploy/prometheus/codegrant.rules.yaml"), text(t, "deploy/prometheus/codegrant.rules.test.yaml"), text(t, "docs/runbook.md"), text(t, "deploy/grafana/codegrant.json")
	alerts := all(`(?m)^\s+- alert: (\w+)$`, rules)
	if len(alerts) < 15 {
		t.Fatalf("%d alerts are found", len(alerts))
	}
	for _, alert := range alerts {
		_, entry, ok := strings.Cut(runbook, "\n## "+alert+"\n")
		entry, _, _ = strings.Cut(entry, "\n## ")
		for _, part := range []string{"**Means**", "**Look at**", "**Do**"} {
			if !ok || !strings.Contains(entry, part) {
				t.Errorf("the runbook's entry of %s lacks %s", alert, part)
			}
		}
		if !strings.Contains(rules, "docs/runbook.md#"+strings.ToLower(alert)+"\n") {
			t.Errorf("%s has no link to its entry", alert)
		}
		_, test, _ := strings.Cut(tests, "- name: "+alert+"\n")
		if test, _, _ = strings.Cut(test, "- name: "); !strings.Contains(test, "exp_alerts:") || !strings.Contains(test, "alertname: "+alert+"\n") {
			t.Errorf("%s has no test that expects it", alert)
		}
	}
	headings := all(`(?m)^## (Codegrant\w+)$`, runbook)
	for where, names := range map[string][]string{"the rules": alerts, "the tests": all(`(?m)^\s+- name: (Codegrant\w+)$`, tests), "the entries of the runbook": headings} {
		slices.Sort(names)
		for i, name := range names {
			if i > 0 && name == names[i-1] {
				t.Errorf("%s have %s twice", where, name)
			}
		}
	}
	for _, heading := range headings {
		if !slices.Contains(alerts, heading) {
			t.Errorf("the runbook explains %s, which is not an alert", heading)
		}
	}
	if !json.Valid([]byte(dashboard)) {
		t.Error("the dashboard is not JSON")
	}
	known := metricsOfTheCode(t)
	for page, content := range map[string]string{"rules": rules, "tests of the rules": tests, "dashboard": dashboard, "runbook": runbook} {
		for _, name := range all(`(codegrant_[a-z_]+)`, content) {
			plain := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				plain = strings.TrimSuffix(plain, suffix)
			}
			if !known[plain] && !known[name] {
				t.Errorf("%s: no code makes %s", page, name)
			}
		}
	}
}
