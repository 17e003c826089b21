package behind

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// Work counts what is under way. A sync.WaitGroup would not do: it panics where work
// begins while somebody waits.
type Work struct {
	log *slog.Logger
	on  func(context.Context, string) (context.Context, func(error)) // nil: nobody hears of it

	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to zero; nil where nobody waits
}

// New returns a Work with nothing under way. on may be nil.
func New(log *slog.Logger, on func(context.Context, string) (context.Context, func(error))) *Work {
	return &Work{log: log, on: on}
}

// Go runs work beside the request. A panic in it is logged and ends it alone:
// clients, stores and loggers are not all ours.
func (w *Work) Go(what string, work func()) {
	w.begin()
	go func() {
		defer w.end()
		defer func() {
			if p := recover(); p != nil {
				w.log.LogAttrs(context.Background(), slog.LevelError, what+" panicked", slog.String("panic", fmt.Sprint(p)))
			}
		}()
		work()
	}()
}

// Tell tells whoever wants to hear of work that it begins; end is called with its
// outcome.
func (w *Work) Tell(ctx context.Context, what string) (_ context.Context, end func(error)) {
	if w.on == nil {
		return ctx, func(error) {}
	}
	return w.on(ctx, what)
}

// Wait returns once nothing is under way, or with the context's error.
func (w *Work) Wait(ctx context.Context) error {
	w.mu.Lock()
	if w.n == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Work) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
}

func (w *Work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}
