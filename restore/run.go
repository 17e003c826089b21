package restore

import (
	"context"
	"errors"
	"sync"
)

// workers is how many people are made at once: more than the quotas of a pool need, as long
// as a call takes less than a second.
const workers = 24

// Run plans, does each step, and calls f with the result, for one person at a time and in no
// order. It creates several people at once, at the pace of [Config.Share]. It stops at the
// first error, after the calls in progress.
func (r *Restore) Run(ctx context.Context, f func(Step) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	steps := make(chan Step)
	var mu sync.Mutex // guards the first error, and calls of f
	var first error
	fail := func(err error) {
		if err == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
			cancel()
		}
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for step := range steps {
				done, err := r.Do(ctx, step)
				if err == nil {
					mu.Lock()
					if first == nil {
						err = f(done)
					}
					mu.Unlock()
				}
				fail(err)
			}
		})
	}
	err := r.Plan(ctx, func(step Step) error {
		select {
		case steps <- step:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	close(steps)
	group.Wait()
	if first != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return first
	}
	return err
}
