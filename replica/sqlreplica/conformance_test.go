package sqlreplica

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/replicatest"
)

func TestConformance(t *testing.T) {
	for _, e := range slices.Concat(testEngines, otherWays) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			replicatest.Run(t, harnessOf(e.store))
		})
	}
}

// harnessOf gives stores to the suite, with the spy on each.
func harnessOf(store func(*testing.T, Config) (*Store, *spy)) replicatest.Harness {
	var spies sync.Map // by store
	return replicatest.Harness{
		New: func(t *testing.T, o replicatest.Options) replica.Store {
			config := Config{Policy: o.Policy, Now: o.Now}
			if o.OnChange != nil {
				config.OnChange = func(ctx context.Context, _ *sql.Tx, c replica.Change) error { return o.OnChange(ctx, c) }
			}
			s, spy := store(t, config)
			spies.Store(replica.Store(s), spy)
			return s
		},
		Writes: func(s replica.Store) int64 {
			spied, _ := spies.Load(s)
			spy := spied.(*spy)
			spy.mu.Lock()
			defer spy.mu.Unlock()
			return int64(spy.writes)
		},
	}
}
