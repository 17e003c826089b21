package serve

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Alerts are evaluated here as Prometheus does it, as far as deploy/prometheus needs: what
// cannot be read fails the test. promtool itself tests them in e2e/deploy.

// vector is values by labels; one without any is a number.
type vector map[string]float64

// scraped is what /metrics said, twice: increases are those between.
type scraped struct {
	before, after string
	now           time.Time
}

var (
	sampleLine = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`(\w+)(=~|=)"([^"]*)"`)
	tokens     = regexp.MustCompile(`\s*((?:sum|max) by \([a-z, ]+\)|[a-z_]+\(?|\{[^}]*\}|\[\w+\]|[0-9.]+|==|[()<>+/-])`)
)

func samples(t *testing.T, text, name, selector string) vector {
	t.Helper()
	found := vector{}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		if m[1] != name || m[3] == "NaN" {
			continue
		}
		labels := make(map[string]string)
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			labels[l[1]] = l[3]
		}
		fits := true
		for _, want := range labelPair.FindAllStringSubmatch(selector, -1) {
			got := labels[want[1]]
			fits = fits && (want[2] == "=" && got == want[3] || want[2] == "=~" && slices.Contains(strings.Split(want[3], "|"), got))
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		if fits {
			found[keyOf(labels)] = value
		}
	}
	return found
}

func keyOf(labels map[string]string) string {
	var all []string
	for name, value := range labels {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// evaluation is of one expression.
type evaluation struct {
	t *testing.T
	scraped
	rest []string
}

func evaluate(t *testing.T, s scraped, expr string) vector {
	t.Helper()
	e := &evaluation{t: t, scraped: s}
	left := expr
	for left != "" {
		m := tokens.FindStringSubmatchIndex(left)
		if m == nil || m[0] != 0 {
			t.Fatalf("%s: what is %q?", expr, left)
		}
		e.rest = append(e.rest, left[m[2]:m[3]])
		left = strings.TrimSpace(left[m[1]:])
	}
	result := e.comparison()
	for e.take("unless") {
		for key := range e.comparison() {
			delete(result, key)
		}
	}
	if len(e.rest) > 0 {
		t.Fatalf("%s: not understood from %q on", expr, e.rest)
	}
	return result
}

func (e *evaluation) take(token string) bool {
	if len(e.rest) > 0 && e.rest[0] == token {
		e.rest = e.rest[1:]
		return true
	}
	return false
}

func (e *evaluation) comparison() vector {
	left := e.sum()
	for _, operator := range []string{"==", "<", ">"} {
		if !e.take(operator) {
			continue
		}
		all, kept := e.sum(), vector{}
		number, only := all[""]
		for key, value := range left {
			right, ok := all[key]
			if only && len(all) == 1 {
				right, ok = number, true
			}
			if !ok {
				continue
			}
			if operator == "==" && value == right || operator == "<" && value < right || operator == ">" && value > right {
				kept[key] = value
			}
		}
		return kept
	}
	return left
}

func (e *evaluation) sum() vector {
	left := e.term()
	for {
		var apply func(a, b float64) float64
		switch {
		case e.take("+"):
			apply = func(a, b float64) float64 { return a + b }
		case e.take("-"):
			apply = func(a, b float64) float64 { return a - b }
		case e.take("/"):
			apply = func(a, b float64) float64 { return a / b }
		default:
			return left
		}
		right, both := e.term(), vector{}
		for key, value := range left {
			other, ok := right[key]
			if number, only := right[""]; !ok && only && len(right) == 1 {
				other, ok = number, true
			}
			if ok {
				both[key] = apply(value, other)
			}
		}
		left = both
	}
}

func (e *evaluation) term() vector {
	token := e.rest[0]
	e.rest = e.rest[1:]
	switch {
	case strings.HasPrefix(token, "sum by "), strings.HasPrefix(token, "max by "):
		by := strings.Split(strings.Trim(token[len("sum by "):], "()"), ", ")
		e.take("(")
		inner, grouped := e.comparison(), vector{}
		e.take(")")
		for key, value := range inner {
			labels := make(map[string]string)
			for _, pair := range strings.Split(key, ",") {
				if name, v, _ := strings.Cut(pair, "="); slices.Contains(by, name) {
					labels[name] = v
				}
			}
			key := keyOf(labels)
			if was, ok := grouped[key]; token[:3] == "sum" || !ok {
				grouped[key] = was + value
			} else {
				grouped[key] = max(was, value)
			}
		}
		return grouped
	case token == "increase(":
		name, selector := e.rest[0], ""
		if e.rest = e.rest[1:]; strings.HasPrefix(e.rest[0], "{") {
			selector, e.rest = e.rest[0], e.rest[1:]
		}
		e.rest = e.rest[2:] // the range, which is longer than the test, and the end
		was, is := samples(e.t, e.before, name, selector), samples(e.t, e.after, name, selector)
		for key := range is {
			is[key] -= was[key]
		}
		return is
	case token == "time(":
		e.take(")")
		return vector{"": float64(e.now.Unix())}
	case token == "abs(":
		inner := e.sum()
		e.take(")")
		for key := range inner {
			inner[key] = math.Abs(inner[key])
		}
		return inner
	}
	if number, err := strconv.ParseFloat(token, 64); err == nil {
		return vector{"": number}
	}
	selector := ""
	if len(e.rest) > 0 && strings.HasPrefix(e.rest[0], "{") {
		selector, e.rest = e.rest[0], e.rest[1:]
	}
	return samples(e.t, e.after, token, selector)
}

// alertsOf are the expressions by their names.
func alertsOf(t *testing.T) map[string]string {
	t.Helper()
	rules, err := os.ReadFile("../../../../deploy/prometheus/codegrant.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, m := range regexp.MustCompile(`- alert: (\w+)\s+expr: (.*)\n`).FindAllStringSubmatch(string(rules), -1) {
		all[m[1]] = m[2]
	}
	return all
}

// TestAlertsCanBeEvaluated: the small reader above understands each of them, and no alert is
// raised by nothing.
func TestAlertsCanBeEvaluated(t *testing.T) {
	text := `codegrant_pool_response_duration_seconds_sum{pool="a",endpoint="token"} %d
codegrant_pool_response_duration_seconds_count{pool="a",endpoint="token"} %d
codegrant_sign_ins_total{pool="a",outcome="failed"} %d
codegrant_sign_ins_total{pool="a",outcome="signed_in"} %d
codegrant_clock_offset_seconds{pool="a"} -600
codegrant_sync_last_success_age_seconds{pool="a"} 900
codegrant_sync_max_age_seconds{pool="a"} 1000
codegrant_sync_last_success_age_seconds{pool="b"} 1100
codegrant_sync_max_age_seconds{pool="b"} 1000
`
	alerts := alertsOf(t)
	for name, expr := range alerts {
		if got := evaluate(t, scraped{now: time.Now()}, expr); len(got) != 0 {
			t.Errorf("%s is raised by nothing: %v", name, got)
		}
	}
	for _, tt := range []struct {
		alert string
		was   []any
		is    []any
		want  int
	}{
		{"CodegrantTokenEndpointSlow", []any{1, 1, 0, 0}, []any{11, 3, 0, 0}, 1},
		{"CodegrantTokenEndpointSlow", []any{1, 1, 0, 0}, []any{2, 3, 0, 0}, 0},
		{"CodegrantSignInsFail", []any{1, 1, 0, 5}, []any{1, 1, 2, 5}, 1},
		{"CodegrantSignInsFail", []any{1, 1, 0, 5}, []any{1, 1, 2, 6}, 0},
		{"CodegrantSyncOverdue", []any{0, 0, 0, 0}, []any{0, 0, 0, 0}, 1},
		{"CodegrantClockOff", []any{0, 0, 0, 0}, []any{0, 0, 0, 0}, 1},
	} {
		s := scraped{fmt.Sprintf(text, tt.was...), fmt.Sprintf(text, tt.is...), time.Now()}
		if got := evaluate(t, s, alerts[tt.alert]); len(got) != tt.want {
			t.Errorf("%s: %v", tt.alert, got)
		}
	}
}
