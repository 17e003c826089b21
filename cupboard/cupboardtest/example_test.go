package cupboardtest_test

import (
	"testing"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/cupboardtest"
)

// The test of a cupboard of your own. Each case gets a store that is empty.
func ExampleRun() {
	test := func(t *testing.T) {
		cupboardtest.Run(t, func(_ *testing.T, clock *cupboardtest.Clock) cupboardtest.Harness {
			return cupboardtest.Harness{Store: cupboard.NewMemory(clock.Now), Clock: clock}
		})
	}
	_ = test // TestStore, in your package
}
