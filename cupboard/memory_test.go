package cupboard_test

import (
	"testing"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/cupboardtest"
)

func TestMemory(t *testing.T) {
	cupboardtest.Run(t, func(_ *testing.T, clock *cupboardtest.Clock) cupboardtest.Harness {
		return cupboardtest.Harness{Store: cupboard.NewMemory(clock.Now)}
	})
}

func TestKey(t *testing.T) {
	again := cupboard.Key("a")
	if cupboard.Key("ab", "c") == cupboard.Key("a", "bc") || cupboard.Key("a") != again || len(cupboard.Key("a")) > cupboard.MaxKey {
		t.Error("keys do not tell parts apart")
	}
}
