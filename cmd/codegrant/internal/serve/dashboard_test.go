package serve

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// dashboardPanel is what of a panel of Grafana is of interest here.
type dashboardPanel struct {
	Title, Type string
	Datasource  struct{ Type, UID string }
	GridPos     struct{ H, W, X, Y int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

var (
	selected   = regexp.MustCompile(`(codegrant_[a-z_]+)(\{[^}]*\})?`)
	groupedBy  = regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	legendName = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// labelsServed are the labels of the series of each metric, after a scrape; Prometheus adds job
// and instance.
func labelsServed(text string) map[string]map[string]bool {
	found := make(map[string]map[string]bool)
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		if found[m[1]] == nil {
			found[m[1]] = map[string]bool{"job": true, "instance": true}
		}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			found[m[1]][l[1]] = true
		}
	}
	return found
}

// wrongIn says what is wrong with an expression: metrics that nobody serves, labels that
// they do not have. By are the labels of what comes out.
func wrongIn(expr string, found map[string]map[string]bool) (wrong []string, by map[string]bool) {
	names := selected.FindAllStringSubmatch(expr, -1)
	if len(names) == 0 {
		wrong = append(wrong, "it names no metric")
	}
	for _, m := range names {
		has := found[m[1]]
		if has == nil {
			wrong = append(wrong, "nobody serves "+m[1])
			continue
		}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if !has[l[1]] {
				wrong = append(wrong, m[1]+" has no label "+l[1])
			}
		}
		if by == nil {
			by = has
		}
		for _, grouping := range groupedBy.FindAllStringSubmatch(expr, -1) {
			by = make(map[string]bool)
			for _, label := range strings.Split(grouping[1], ", ") {
				by[label] = label != "le"
				if !has[label] {
					wrong = append(wrong, m[1]+" has no label "+label)
				}
			}
		}
	}
	return wrong, by
}

// unitsOf are the units that an expression may be shown in.
func unitsOf(expr string) []string {
	switch {
	case strings.Contains(expr, "rate("):
		if strings.Contains(expr, "histogram_quantile(") {
			return []string{"s"}
		}
		return []string{"ops", "reqps"}
	case strings.Contains(expr, "_seconds"):
		return []string{"s"}
	}
	return []string{"short"}
}

// TestDashboardShowsWhatIsServed: each panel of deploy/grafana names metrics and labels that
// a gateway and a sync serve which run, in a unit that fits, and under a legend of labels
// that are there; so does each alert. That Prometheus understands the expressions is shown
// by promtool, in e2e/deploy.
func TestDashboardShowsWhatIsServed(t *testing.T) {
	g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	g.write(strings.Replace(stored, "replica: true", "replica: {outbox: true}", 1) + hooked + oneUpstream + "ops_listen: " + g.address + "\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	g.signIn()
	g.follow(g.pool.URL)
	g.until("a pass is done, and the clock and the callback are known", func() bool {
		text := g.metrics()
		return strings.Contains(text, "codegrant_sync_max_age_seconds") && strings.Contains(text, "codegrant_clock_offset_seconds") && strings.Contains(text, "codegrant_callback_registered")
	})
	text := g.metrics()
	// One with a certificate, which nobody signs in at.
	secure := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	secure.write(oneUpstream + "tls: {certificate_file: pair.pem, key_file: pair.pem}\nops_listen: " + secure.address + "\n")
	secure.writeFile("pair.pem", expiring(t, time.Now().Add(90*24*time.Hour)))
	secure.start()
	programs, _ := withPrograms(t)
	programs.follow(programs.pool.URL)
	programs.until("webhooks are counted", func() bool { return strings.Contains(programs.metrics(), "codegrant_webhook_given_up") })
	found := labelsServed(text + secure.metrics() + programs.metrics())

	file, err := os.ReadFile("../../../../deploy/grafana/codegrant.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []dashboardPanel }
	if err := json.Unmarshal(file, &dashboard); err != nil || len(dashboard.Panels) < 30 {
		t.Fatalf("%d panels, %v", len(dashboard.Panels), err)
	}
	for i, p := range dashboard.Panels {
		for _, other := range dashboard.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, other.Title)
			}
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is wider than the page", p.Title)
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.Type != "prometheus" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s: of %+v, %d targets", p.Title, p.Datasource, len(p.Targets))
		}
		refs := make(map[string]bool)
		for _, target := range p.Targets {
			if refs[target.RefID] || target.RefID == "" {
				t.Errorf("%s: two targets are %q", p.Title, target.RefID)
			}
			refs[target.RefID] = true
			wrong, by := wrongIn(target.Expr, found)
			for _, label := range legendName.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !by[label[1]] {
					wrong = append(wrong, "the legend has "+label[1]+", and the result has not")
				}
			}
			if target.LegendFormat == "" {
				wrong = append(wrong, "there is no legend")
			}
			if unit := p.FieldConfig.Defaults.Unit; !slices.Contains(unitsOf(target.Expr), unit) {
				wrong = append(wrong, "its unit is "+unit)
			}
			for _, w := range wrong {
				t.Errorf("%s, %s: %s", p.Title, target.Expr, w)
			}
		}
	}
	for name, expr := range alertsOf(t) {
		wrong, _ := wrongIn(expr, found)
		for _, w := range wrong {
			t.Errorf("%s, %s: %s", name, expr, w)
		}
	}
	programs.end()
	secure.end()
	g.end()
}
