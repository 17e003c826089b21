package serve

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestS160_Instances: each process knows of all that share its stores, also of one that has other
// keys, and of none that has ended.
func TestS160_Instances(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "app.db")
	config := func(more string) string {
		return fmt.Sprintf("routes: [{path: /, upstream: '${UP}'}]\nconsole: {groups: admins}\nkeys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:%s\n%s", shared, more)
	}
	key := newSealingKey()
	start := func(key, more string) *gate {
		g := newGate(t, config(more))
		g.writeFile("keys", key)
		g.start()
		return g
	}
	one := start(key, "")
	alice := one.operator()
	shows := func(what string, want bool) {
		t.Helper()
		one.until(fmt.Sprintf("%q is shown: %v", what, want), func() bool {
			_, body := one.get(alice, "/console")
			return strings.Contains(body, what) == want
		})
	}
	shows("Instances", true)
	two := start(key, "limits: {requests: 100}\n")
	shows("It has another configuration than this process", true)
	three := start(newSealingKey(), "")
	shows("1 instance", true)
	shows("Give all processes the same keys", true)
	if status := three.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	shows("Give all the same keys", false)
	if status := two.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	shows("It has another configuration than this process", false)
}
