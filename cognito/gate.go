package cognito

import (
	"context"
	"sync"
	"time"
)

const (
	// maxCalls is how many requests to one pool may be under way, and
	// maxRevocations how many revocations beside them, which nobody waits for.
	maxCalls       = 64
	maxRevocations = 16
	// After maxTimeouts in a row, with no answer between them, one request per
	// probeInterval is let through to see whether the pool is back.
	maxTimeouts   = 5
	probeInterval = time.Second
)

// gate bounds what a slow pool costs: the requests that hang in it, and the time
// that people wait for a pool that is known not to answer. Errors that come
// quickly cost nothing and do not shut it.
type gate struct {
	slots chan struct{}

	mu        sync.Mutex // guards what follows
	timeouts  int
	nextProbe time.Time
}

func newGate(size int) *gate { return &gate{slots: make(chan struct{}, size)} }

// enter waits for a turn, at most as long as patience.
func (g *gate) enter(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return unusable("wait for %d other requests to the pool: %w", cap(g.slots), ctx.Err())
	}
	if wait := g.shut(); wait > 0 {
		<-g.slots
		err := unusable("the last %d requests to the pool timed out; not tried", maxTimeouts)
		err.RetryAfter = wait
		return err
	}
	return nil
}

// shut returns for how long the gate is shut, and takes the probe where it is time
// for one.
func (g *gate) shut() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timeouts < maxTimeouts {
		return 0
	}
	now := time.Now()
	if wait := g.nextProbe.Sub(now); wait > 0 {
		return wait
	}
	g.nextProbe = now.Add(probeInterval)
	return 0
}

// outcome is what a request tells about whether the pool is there.
type outcome int

const (
	answered  outcome = iota
	timedOut          // the pool had all the time that requests get
	undecided         // it failed at once, or the caller gave up
)

// leave ends a turn.
func (g *gate) leave(o outcome) {
	<-g.slots
	g.mu.Lock()
	defer g.mu.Unlock()
	switch o {
	case answered:
		g.timeouts = 0
	case timedOut:
		if g.timeouts++; g.timeouts == maxTimeouts {
			g.nextProbe = time.Now().Add(probeInterval)
		}
	}
}
