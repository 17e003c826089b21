package serve

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

// raised waits until an alert is raised by what has happened since a look at the metrics.
func (g *faultGate) raised(before, alert string) {
	g.t.Helper()
	expr := alertsOf(g.t)[alert]
	if expr == "" {
		g.t.Fatalf("there is no alert %s", alert)
	}
	g.until("the alert "+alert+" is raised", func() bool {
		return len(evaluate(g.t, scraped{before, g.metrics(), time.Now()}, expr)) > 0
	})
}

// hasChanged reports whether the state's history tells of a dependency.
func (g *faultGate) hasChanged(what, how string) bool {
	r, err := http.Get("http://" + g.address + "/state")
	if err != nil {
		return false
	}
	defer r.Body.Close()
	var state console.State
	if err := json.NewDecoder(r.Body).Decode(&state); err != nil {
		g.t.Fatal(err)
	}
	return slices.ContainsFunc(state.Panels, func(p console.Panel) bool {
		return p.Title == "Recent changes" && slices.ContainsFunc(p.Rows, func(row []string) bool { return strings.HasPrefix(row[1], what) && strings.Contains(row[2], how) })
	})
}

// TestStateFollowsWhatHappens: the token endpoint, the queue of revocations, what has changed
// and a refused configuration are on the console's State, and the alerts for them are raised.
func TestStateFollowsWhatHappens(t *testing.T) {
	g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	config := stored + "ops_listen: " + g.address + "\nroutes:\n  - {path: /, upstream: \"${UP}\"}\n  - {path: /gone, public: true, upstream: 'http://127.0.0.1:1'}\n"
	g.write(config)
	g.writeFile("keys", newSealingKey())
	g.start()
	g.until("it is ready", func() bool { return strings.Contains(g.metrics(), "codegrant_ready 1") })
	shows := func(want ...string) {
		t.Helper()
		g.until("the console shows "+strings.Join(want, ", "), func() bool { return g.shows([4]string(want)) })
	}
	shows("Dependencies", "token endpoint of default", "", "not asked yet")
	before := g.metrics()

	g.pool.Fault(localpool.Token, refusing(http.StatusServiceUnavailable))
	g.signIn()
	g.signIn() // one fault alone raises nothing
	shows("Dependencies", "token endpoint of default", "bad", "does not answer 503 Service Unavailable. The last good answer came before this process began")
	g.raised(before, "CodegrantPoolUnreachable")
	g.until("the history tells of the token endpoint", func() bool { return g.hasChanged("token endpoint of default", "does not answer") })
	g.pool.Fault(localpool.Token, nil)
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	shows("Dependencies", "token endpoint of default", "good", "It failed last at ")

	if status, _ := g.get(http.DefaultClient, "/gone"); status != http.StatusBadGateway {
		t.Errorf("no upstream: %d", status)
	}
	g.raised(before, "CodegrantUpstreamFails")

	shows("Pools", "Revocations queued for default", "good", "0")
	g.pool.Fault(localpool.Revoke, refusing(http.StatusServiceUnavailable))
	g.signOut(alice.Client)
	shows("Pools", "Revocations queued for default", "warning", "1 Refresh tokens")
	g.raised(before, "CodegrantRevocationsOwed")

	bob := codegranttest.NewBrowser(t)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("ALTER TABLE codegrant_sessions RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	_, _ = g.get(bob.Client, "/")
	g.raised(before, "CodegrantSessionStoreFaults")
	g.until("the history tells of sessions", func() bool { return g.hasChanged("sessions", "") })

	g.write(config + "limits: {requests: -1}\n")
	shows("Configuration", "Last one that was refused", "bad", "fault")
	g.raised(before, "CodegrantConfigurationRefused")
	g.end()
}

// TestAlertsOfLoadAndOfMissingPeople: an alert is raised while requests are refused because
// too many are under way, and one when more people are missing than a pass may remove.
func TestAlertsOfLoadAndOfMissingPeople(t *testing.T) {
	g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	g.write(stored + "ops_listen: " + g.address + "\nlimits: {requests: 4}\nroutes: [{path: /, public: true, upstream: \"${UP}\"}]\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	g.until("it is ready", func() bool { return strings.Contains(g.metrics(), "codegrant_ready 1") })
	alerts := alertsOf(t)
	quiet := func(alert string) {
		t.Helper()
		if got := evaluate(t, scraped{"", g.metrics(), time.Now()}, alerts[alert]); len(got) > 0 {
			t.Errorf("%s is raised before there is a fault: %v", alert, got)
		}
	}

	quiet("CodegrantOverloaded")
	refused := false
	for range 5 {
		r, err := http.Get(g.url + "/?hold")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		refused = refused || r.StatusCode == http.StatusServiceUnavailable
	}
	if !refused {
		t.Fatal("five requests are under way, and four may be")
	}
	// The state lasts for ten seconds, which a busy machine may take to look: others come.
	over, others := make(chan struct{}), sync.WaitGroup{}
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if r, err := http.Get(g.url + "/"); err == nil {
				_ = r.Body.Close()
			}
		}
	})
	g.raised("", "CodegrantOverloaded")
	g.until("the console shows it", func() bool {
		return g.shows([4]string{"Service", "Requests of people who are signed in", "bad", "are refused when too many are in progress"})
	})
	close(over)
	others.Wait()
	g.release()

	g.follow(g.pool.URL)
	g.until("a pass has read everybody", func() bool {
		return strings.Contains(g.metrics(), `codegrant_sync_withheld_removals{pool="default"} 0`) && g.shows([4]string{"Synchronization", "default", "good", "the last pass is done"})
	})
	quiet("CodegrantSyncRemovesNobody")
	for _, name := range []string{"alice", "bob"} {
		if err := g.pool.DeleteUser(g.pool.PoolID, name); err != nil {
			t.Fatal(err)
		}
	}
	g.raised("", "CodegrantSyncRemovesNobody")
	g.until("the console shows it", func() bool { return g.shows([4]string{"Synchronization", "default", "bad", "nobody was removed"}) })
	g.end()
}

// TestEachAlertIsRaised: by a fault, here or in another test of this package, and by its
// expression as it is shipped.
func TestEachAlertIsRaised(t *testing.T) {
	raised := make(map[string]bool)
	for _, row := range faultRows() {
		raised[row.alert] = true
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\b(?:g\.raised\([^,()]+, |fault\()"(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			raised[m[1]] = true
		}
	}
	for alert := range alertsOf(t) {
		if !raised[alert] {
			t.Errorf("no fault raises %s", alert)
		}
	}
}
