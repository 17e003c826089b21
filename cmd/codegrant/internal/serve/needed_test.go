package serve

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestS292_WhatRequestsNeedIsNeeded: where requests of people who are signed in ask the
// replica for groups, or for organizations, a process that cannot ask is not ready.
func TestS292_WhatRequestsNeedIsNeeded(t *testing.T) {
	for name, tt := range map[string]struct {
		pool, settings, table, dependency string
		needed                            bool
	}{
		"groups of the replica": {"    groups: replica\n", "", "codegrant_users", "replica", true},
		"organizations":         {"", "organizations: true\n", "codegrant_organization_members", "organizations", true},
		"groups of tokens":      {"", "", "codegrant_users", "replica", false},
	} {
		t.Run(name, func(t *testing.T) {
			address := testenv.FreeAddress(t)
			g := newGate(t, tt.pool+oneUpstream+"replica: true\ndatabase: sqlite:app.db\nops_listen: "+address+"\n"+tt.settings)
			g.start()
			g.until("it is ready", func() bool { status, r := ready(t, address); return status == 200 && !r.Degraded })
			db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("ALTER TABLE " + tt.table + " RENAME TO away"); err != nil {
				t.Fatal(err)
			}
			g.until(tt.dependency+" is told of", func() bool {
				_, r := ready(t, address)
				for _, c := range r.Checks {
					if c.Name == tt.dependency && !c.OK {
						if c.Needed != tt.needed {
							t.Errorf("needed %t", c.Needed)
						}
						return true
					}
				}
				return false
			})
			if tt.needed {
				g.until("it is not ready", func() bool { status, _ := ready(t, address); return status == 503 })
			} else if status, _ := ready(t, address); status != 200 {
				t.Errorf("/readyz %d", status)
			}
		})
	}
}

// TestReadinessListsChecks: a process that has asked nobody yet says so with an empty list.
func TestReadinessListsChecks(t *testing.T) {
	b, err := json.Marshal(new(readiness).report())
	if err != nil || !strings.Contains(string(b), `"checks":[]`) {
		t.Errorf("%s %v", b, err)
	}
}
