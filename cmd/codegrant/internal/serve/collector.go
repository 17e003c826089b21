package serve

import (
	"context"
	"os"
	"runtime"
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

// tuneCollector has the percentage follow the live heap, from collection to collection,
// until the context ends.
// If GOGC is set, the operator has decided.
func tuneCollector(ctx context.Context) {
	if _, given := os.LookupEnv("GOGC"); given {
		return
	}
	debug.FreeOSMemory() // what the start has left behind
	sample, set := []readings.Sample{{Name: "/gc/heap/live:bytes"}}, 0
	follow := func() {
		readings.Read(sample)
		// Each change stops all goroutines for a moment: small ones are not worth that.
		if want := percentFor(sample[0].Value.Uint64()); want < set*9/10 || want > set*11/10 {
			debug.SetGCPercent(want)
			set = want
		}
	}
	follow()
	// A heap that grows fast must not go on with the percentage of the small one that it was.
	onCollection(ctx, follow)
}

// settled is how long after the start nothing of it goes on.
const settled = 10 * time.Second

// forgetStart has the process be without the pages of its file that its start has left
// there, once it is over. Most are of packages that were made ready, and are not needed
// again; they count as memory in use until the kernel runs short.
func (p *process) forgetStart(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(settled):
		if err := dropOwnPages(); err != nil {
			p.log.Debug("pages of the program's file stay in memory", "reason", err.Error())
		}
	}
}

// mark is an object that nothing refers to. Its finalizer runs after each collection.
type mark struct{ _ [64]byte }

// onCollection calls do after each collection, until one after the context ends.
func onCollection(ctx context.Context, do func()) {
	var again func(*mark)
	again = func(m *mark) {
		if ctx.Err() == nil {
			do()
			runtime.SetFinalizer(m, again)
		}
	}
	runtime.SetFinalizer(new(mark), again)
}
