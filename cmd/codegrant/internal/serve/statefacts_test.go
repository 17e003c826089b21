package serve

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/internal/testenv"
)

// facts are those of a panel of the state, as a program gets it, by name.
func (g *faultGate) facts(panel string) map[string]console.Fact {
	g.t.Helper()
	r, err := http.Get("http://" + g.address + "/state")
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Body.Close()
	var state console.State
	if err := json.NewDecoder(r.Body).Decode(&state); err != nil {
		g.t.Fatal(err)
	}
	found := make(map[string]console.Fact)
	for _, p := range state.Panels {
		for _, f := range p.Facts {
			if p.Title == panel {
				found[f.Name] = f
			}
		}
	}
	return found
}

// TestStateHasWhatOperatorsLookFor: of a gateway and a sync that run, the state has what the
// last pass did, its age, when the next is due, and removals that were held back; what waits in
// the outbox, and since when; the queue of revocations; keys and certificates with their ages;
// and each instance with its version. The console's page shows the same.
func TestStateHasWhatOperatorsLookFor(t *testing.T) {
	g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	g.write(consoled + "ops_listen: " + g.address + "\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	begun := time.Now()
	alice := g.operator()
	g.follow(g.pool.URL, "--every", "1h")
	const when = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	has := func(panel, name, text string, aged bool) {
		t.Helper()
		pattern := regexp.MustCompile("(?s)^" + text)
		var f console.Fact
		g.until(panel+" has "+name+": "+text, func() bool {
			f = g.facts(panel)[name]
			return pattern.MatchString(f.Text + "; " + f.Detail)
		})
		if aged && (f.Since.IsZero() || time.Since(f.Since) > 24*time.Hour || f.Since.After(time.Now().Add(time.Minute))) {
			t.Errorf("%s, %s is since %s", panel, name, f.Since)
		}
	}
	has("Synchronization", "default", `the last pass is done; It read 2 people: \d new, \d changed, 0 of them disabled and 0 regrouped, 0 removed, 0 refused. It ended 0 sessions, and marked 0 to be renewed. The next one is due at `+when, true)
	has("Outbox", "Changes that nobody has taken", "[1-9]", true)
	has("Pools", "Revocations queued for default", "0", false)
	has("Keys and certificates", "Sealing keys", "1, the newest is [0-9a-f]{8}", true)
	version := g.facts("Service")["This process"].Text
	version = strings.TrimPrefix(version[:strings.Index(version, ",")], "codegrant ")
	g.until("it is among the instances", func() bool { return len(g.facts("Instances")) == 1 })
	for host, f := range g.facts("Instances") {
		if !strings.HasPrefix(f.Text, "codegrant "+version+", configuration ") || host == "" || f.Since.Before(begun.Add(-time.Minute)) {
			t.Errorf("the instance %s: %+v", host, f)
		}
	}
	_, page := g.get(alice, "/console")
	for _, want := range []string{"The next one is due at", "Changes that nobody has taken", "Revocations queued for default", "the newest is", "Instances", `since <time datetime="`} {
		if !strings.Contains(page, want) {
			t.Errorf("the console's page lacks %q", want)
		}
	}

	for _, name := range []string{"alice", "bob"} {
		if err := g.pool.DeleteUser(g.pool.PoolID, name); err != nil {
			t.Fatal(err)
		}
	}
	g.passOf(3)
	has("Synchronization", "default", "the last pass is done; 2 people were missing, which is more than may go: nobody was removed. ", true)

	secure := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
	secure.write(oneUpstream + "tls: {certificate_file: pair.pem, key_file: pair.pem}\nops_listen: " + secure.address + "\n")
	expires := time.Now().Add(60 * 24 * time.Hour)
	secure.writeFile("pair.pem", expiring(t, expires))
	secure.start()
	f := secure.facts("Keys and certificates")["Certificate"]
	if f.Text != "expires at "+expires.UTC().Format(time.RFC3339) || time.Since(f.Since).Round(time.Hour) != 30*24*time.Hour {
		t.Errorf("the certificate: %+v", f)
	}
	secure.end()
	g.end()
}
