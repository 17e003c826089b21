package directory

import (
	"context"
	"fmt"
	"sync"
)

// parallel calls f for every item, for some of them at once, and returns the first
// error, after which it begins with no other item.
func parallel[T any](ctx context.Context, atOnce int, items []T, f func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(atOnce, len(items)) {
		wg.Go(func() {
			for item := range next {
				if err := safely(func() error { return f(ctx, item) }); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, item := range items {
		select {
		case next <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// safely calls what runs beside its caller, where nobody else would catch a panic:
// sources, stores and hooks are not all ours.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
