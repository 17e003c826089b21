package serve

import (
	"os"
	"os/exec"
	"runtime"
	readings "runtime/metrics"
	"testing"
	"time"
)

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

// TestCollectorFollowsAGrowingHeap: a heap that grows within moments from next to nothing
// is collected as the large one that it is, and not as late as the small one that it was.
func TestCollectorFollowsAGrowingHeap(t *testing.T) {
	const child = "CODEGRANT_TEST_COLLECTOR"
	if os.Getenv(child) == "" {
		// The percentage is the whole process's.
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCollectorFollowsAGrowingHeap$", "-test.count=1")
		command.Env = append(os.Environ(), child+"=yes")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	tuneCollector(t.Context())
	var held [][]byte
	highest := uint64(0)
	sample := []readings.Sample{{Name: "/gc/heap/goal:bytes"}}
	for range 400 << 10 { // 100 MiB are held, and as much is thrown away
		held = append(held, make([]byte, 256))
		sink = make([]byte, 256)
		if len(held)%1024 == 0 {
			time.Sleep(time.Millisecond)
			readings.Read(sample)
			highest = max(highest, sample[0].Value.Uint64())
		}
	}
	runtime.KeepAlive(held)
	if limit := uint64(400 << 20); highest > limit {
		t.Errorf("the heap might have grown to %d MiB, of which 100 are held", highest>>20)
	}
}

// sink keeps garbage on the heap.
var sink []byte
