package codegrant

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// tasks counts work that outlives its request: refreshes and revocations. A
// sync.WaitGroup would not do: it panics where work begins while somebody waits.
type tasks struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to zero; nil where nobody waits
}

func (t *tasks) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// wait returns once nothing is under way, or with the context's error.
func (t *tasks) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// behind runs work beside the request. A panic in it is logged and ends it alone:
// clients, stores and loggers are not all ours.
func (a *Auth) behind(what string, work func()) {
	a.tasks.begin()
	go func() {
		defer a.tasks.end()
		defer func() {
			if p := recover(); p != nil {
				a.audit(context.Background(), slog.LevelError, what+" panicked", slog.String("panic", fmt.Sprint(p)))
			}
		}()
		work()
	}()
}

// work tells of work that begins; end is called with its outcome.
func (a *Auth) work(ctx context.Context, what string) (_ context.Context, end func(error)) {
	if a.OnWork == nil {
		return ctx, func(error) {}
	}
	return a.OnWork(ctx, what)
}
