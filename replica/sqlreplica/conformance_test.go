package sqlreplica

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/replicatest"
)

func TestConformance(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		var spies sync.Map // by store
		replicatest.Run(t, replicatest.Harness{
			New: func(t *testing.T, o replicatest.Options) replica.Store {
				config := Config{Policy: o.Policy, Now: o.Now}
				if o.OnChange != nil {
					config.OnChange = func(ctx context.Context, _ *sql.Tx, c replica.Change) error { return o.OnChange(ctx, c) }
				}
				s, spy := e.store(t, config)
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
		})
	})
}
