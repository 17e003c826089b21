package directory

import (
	"context"
	"sync"
	"time"
)

// pace spaces calls evenly, at a rate that yields where the source says that it is
// too much and rises again, slowly, up to what was allowed. The rate is of calls
// that begin, whatever the number of goroutines that make them.
type pace struct {
	mu      sync.Mutex
	most    float64   // calls per second, at the best
	rate    float64   // now
	next    time.Time // when the next call may begin
	yielded time.Time // when the rate was last lowered
	raised  time.Time // up to when the rate was raised
}

const (
	yield      = 0.85                   // of the rate, once a second at most
	recovery   = 0.01                   // of the best rate, each second
	leastRate  = 0.02                   // of the best rate
	pauseAfter = 200 * time.Millisecond // with the quota used up, the next call fails as well
	madeUp     = 100 * time.Millisecond // a call that begins late delays none after it, up to this
)

func newPace(most float64) *pace {
	return &pace{most: most, rate: most}
}

// wait returns when the next call may begin.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	p.rise(now)
	at := p.next
	if earliest := now.Add(-madeUp); p.next.IsZero() {
		at = now
	} else if at.Before(earliest) {
		at = earliest
	}
	p.next = at.Add(time.Duration(float64(time.Second) / p.rate))
	p.mu.Unlock()
	return sleep(ctx, at.Sub(now))
}

// rise raises the rate by what has passed since it was last lowered or raised.
func (p *pace) rise(now time.Time) {
	if p.rate < p.most {
		p.rate = min(p.most, p.rate+p.most*recovery*now.Sub(p.raised).Seconds())
	}
	p.raised = now
}

// refused takes note that a call was one too many.
func (p *pace) refused() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	// Calls that were under way together say the same thing.
	if now.Sub(p.yielded) < time.Second {
		return
	}
	p.rise(now)
	p.rate = max(p.rate*yield, p.most*leastRate)
	p.yielded = now
	if until := now.Add(pauseAfter); p.next.Before(until) {
		p.next = until
	}
}

// sleep waits for d, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
