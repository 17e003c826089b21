package codegrant

import (
	"sync"
	"time"
)

// flights holds one refresh per session of this process, and what the last
// failed one said, so that a pool in trouble is not asked on every request.
//
// The key is the whole record id: results of two sessions can never be mixed up.
type flights struct {
	now     func() time.Time
	mu      sync.Mutex
	current map[string]*flight
	failed  map[string]*flight
}

// flight is one refresh. result and err may be read once done is closed.
type flight struct {
	done     chan struct{}
	result   *live
	err      error
	failures int
	retryAt  time.Time
}

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 15 * time.Second
	maxFailures  = 1 << 14 // remembered sessions; past it they are simply tried again
)

func newFlights(now func() time.Time) *flights {
	return &flights{now: now, current: make(map[string]*flight), failed: make(map[string]*flight)}
}

// join returns the flight under way, or the last failure while its back-off
// lasts, or a new flight of which the caller is the leader.
func (f *flights) join(id string) (_ *flight, leader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.current[id]; ok {
		return fl, false
	}
	fl := &flight{done: make(chan struct{})}
	if last, ok := f.failed[id]; ok {
		if f.now().Before(last.retryAt) {
			return last, false
		}
		fl.failures = last.failures
	}
	f.current[id] = fl
	return fl, true
}

// finish publishes the outcome.
func (f *flights) finish(id string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.current, id)
	delete(f.failed, id)
	if fl.err != nil && isUnavailable(fl.err) {
		if len(f.failed) >= maxFailures {
			clear(f.failed)
		}
		backoff := max(min(firstBackoff<<min(fl.failures, 10), maxBackoff), askedWait(fl.err))
		fl.failures++
		fl.retryAt = f.now().Add(backoff)
		fl.err = withRetryAfter(fl.err, backoff)
		f.failed[id] = fl
	}
	close(fl.done)
}
