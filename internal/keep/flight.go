package keep

import (
	"sync"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
)

// flights holds one renewal per sign-in of this process, and what the last failed one
// said, so that a pool in trouble is not asked on every request.
//
// The name is the whole key: results of two sign-ins can never be mixed up.
type flights struct {
	now     func() time.Time
	mu      sync.Mutex
	current map[string]*flight
	failed  map[string]*flight
}

// flight is one renewal. result and err may be read once done is closed.
type flight struct {
	done     chan struct{}
	result   *Held
	err      error
	failures int
	retryAt  time.Time
}

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 15 * time.Second
	maxFailures  = 1 << 14 // remembered sign-ins; past it they are simply tried again
)

func newFlights(now func() time.Time) *flights {
	return &flights{now: now, current: make(map[string]*flight), failed: make(map[string]*flight)}
}

// join returns the flight under way, or the last failure while its back-off
// lasts, or a new flight of which the caller is the leader.
func (f *flights) join(name string) (_ *flight, leader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.current[name]; ok {
		return fl, false
	}
	fl := &flight{done: make(chan struct{})}
	if last, ok := f.failed[name]; ok {
		if f.now().Before(last.retryAt) {
			return last, false
		}
		fl.failures = last.failures
	}
	f.current[name] = fl
	return fl, true
}

// finish publishes the outcome.
func (f *flights) finish(name string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.current, name)
	delete(f.failed, name)
	if fl.err != nil && fault.IsUnavailable(fl.err) {
		if len(f.failed) >= maxFailures {
			clear(f.failed)
		}
		backoff := max(min(firstBackoff<<min(fl.failures, 10), maxBackoff), fault.AskedWait(fl.err))
		fl.failures++
		fl.retryAt = f.now().Add(backoff)
		fl.err = fault.RetryAfter(fl.err, backoff)
		f.failed[name] = fl
	}
	close(fl.done)
}
