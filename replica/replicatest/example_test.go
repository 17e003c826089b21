package replicatest_test

import (
	"testing"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/replicatest"
)

// The test of a replica of your own. Each case gets a store that is empty.
func ExampleRun() {
	var newStore func(*testing.T, replicatest.Options) replica.Store // yours
	test := func(t *testing.T) {
		replicatest.Run(t, replicatest.Harness{New: newStore, NoBatch: true})
	}
	_ = test // TestStore, in your package
}
