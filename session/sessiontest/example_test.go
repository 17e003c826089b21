package sessiontest_test

import (
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// The test of a store of your own. Each case gets a store that is empty.
func ExampleRun() {
	test := func(t *testing.T) {
		sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
			now := time.Now()
			clock := func() time.Time { return now }
			return sessiontest.Harness{
				Store: session.NewMemoryStore(session.MemoryConfig{Now: clock}), Now: clock,
				Advance: func(d time.Duration) { now = now.Add(d) },
			}
		})
	}
	_ = test // TestStore, in your package
}
