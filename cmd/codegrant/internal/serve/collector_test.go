package serve

import "testing"

func TestPercentFor(t *testing.T) {
	const mebi = 1 << 20
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, maxPercent},
		{mebi, maxPercent},
		{4 * mebi, 800},
		{8 * mebi, 400},
		{32 * mebi, 100},
		{500 * mebi, 100}, // a large heap grows by no more than Go has it grow
	} {
		if got := percentFor(c.live); got != c.want {
			t.Errorf("%d MiB: %d, want %d", c.live/mebi, got, c.want)
		}
	}
}
