package serve

import (
	"context"
	"os"
	"runtime/debug"
	readings "runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// heapRoom is how much a heap may grow between two collections, however small it is. A
	// gateway has little to keep and makes much garbage: with Go's own rule, which doubles the
	// heap, a tenth of its processor time would be the collector's.
	heapRoom = 32 << 20
	// maxPercent bounds the percentage for a heap that is next to empty.
	maxPercent = 1000

	tuneEvery = 10 * time.Second
)

// percentFor is the GOGC that gives a heap its room. Above heapRoom it is Go's own.
func percentFor(live uint64) int {
	if live == 0 {
		return maxPercent
	}
	return int(min(max(100, heapRoom*100/live), maxPercent))
}

// limitMemory has the collector work harder before the limit of the container is reached. What
// the environment says comes first: memlimit reads GOMEMLIMIT. Without a limit it does nothing.
func (p *process) limitMemory() {
	before := debug.SetMemoryLimit(-1)
	if _, err := memlimit.Set(memlimit.WithProvider(memlimit.FromCgroup)); err != nil {
		p.log.Debug("memory limit of a container not found", "reason", err.Error())
		return
	}
	if now := debug.SetMemoryLimit(-1); now != before {
		p.log.Info("memory limit", "bytes", now, "source", "the container's")
	}
}

// tuneCollector follows the live heap until the context ends. Whoever sets GOGC has decided.
func tuneCollector(ctx context.Context) {
	if _, given := os.LookupEnv("GOGC"); given {
		return
	}
	debug.FreeOSMemory() // what the start has left behind
	sample := []readings.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(tuneEvery)
	defer tick.Stop()
	for set := 0; ; {
		readings.Read(sample)
		// Each change stops all goroutines for a moment: small ones are not worth that.
		if want := percentFor(sample[0].Value.Uint64()); want < set*9/10 || want > set*11/10 {
			debug.SetGCPercent(want)
			set = want
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
