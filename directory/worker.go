package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Queue is where events wait. Its methods are safe for concurrent use.
type Queue interface {
	// Receive waits for messages. The queue gives the returned messages to nobody else for a
	// while. It returns none if none came for long.
	Receive(ctx context.Context) ([]Message, error)

	// Done removes messages from the queue. Other received messages come again.
	Done(ctx context.Context, messages []Message) error
}

// Message is one message of a [Queue].
type Message struct {
	Body   []byte
	Handle string // by which the queue knows it
}

// Pools are the pools of one source of events, by their ids.
type Pools map[string]*Sync

// look looks at what events name again, in every pool. What fails in one pool keeps
// no other one from being looked at.
func (p Pools) look(ctx context.Context, events map[string][]Event) error {
	var all sync.WaitGroup
	var mu sync.Mutex // guards the faults
	var faults []error
	for id, some := range events {
		all.Go(func() {
			if err := safely(func() error { return p[id].Look(ctx, some) }); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, fmt.Errorf("pool %s: %w", id, err))
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// parse reads the events of every pool, by pool.
func (p Pools) parse(body []byte, into map[string][]Event) error {
	found, err := parseEvents(body, func(pool string) bool { return p[pool] != nil })
	if err != nil {
		return err
	}
	unnamed := found[anyPool]
	delete(found, anyPool)
	for pool, events := range found {
		into[pool] = append(into[pool], events...)
	}
	if len(unnamed) > 0 {
		for pool := range p {
			into[pool] = append(into[pool], unnamed...)
		}
	}
	return nil
}

func (p Pools) faults() (faults []error) {
	if len(p) == 0 {
		faults = append(faults, errors.New("Pools: there is none"))
	}
	for id, s := range p {
		if id == "" || s == nil {
			faults = append(faults, fmt.Errorf("Pools: %q: it must have an id and a Sync", id))
		}
	}
	return faults
}

// WorkerConfig configures a [Worker]. Queue and Pools are required.
type WorkerConfig struct {
	Queue Queue
	Pools Pools

	// Timeout is the maximum time for messages that were received together. It must be less
	// than the time for which the queue gives them to nobody else. Defaults to 100 seconds.
	Timeout time.Duration

	// Concurrency is how many groups of messages are handled at once. So a slow pool, or an
	// event in doubt, does not delay the others. Defaults to 4.
	Concurrency int

	// Grace is how long this work may continue when Run must end. The rest stays in the queue.
	// Defaults to 10 seconds.
	Grace time.Duration

	// Logger receives what is dropped, and why events wait. Defaults to none.
	Logger *slog.Logger
}

// Worker takes events from a queue and looks up what they name.
type Worker struct{ WorkerConfig }

// NewWorker returns a worker. It takes no messages before [Worker.Run]. The error names
// every mistake in the configuration.
func NewWorker(config WorkerConfig) (*Worker, error) {
	faults := config.Pools.faults()
	if config.Queue == nil {
		faults = append(faults, errors.New("Queue: is nil"))
	}
	if config.Timeout < 0 || config.Concurrency < 0 || config.Grace < 0 {
		faults = append(faults, errors.New("none of Timeout, Concurrency and Grace may be below zero"))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure the worker: %w", errors.Join(faults...))
	}
	config.Timeout = defaultTo(config.Timeout, 100*time.Second)
	config.Concurrency = defaultTo(config.Concurrency, 4)
	config.Grace = defaultTo(config.Grace, 10*time.Second)
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{config}, nil
}

// Run takes events until ctx ends, and then finishes what it has begun. A fault of the
// queue, the pool or the stores does not end it: the messages stay in the queue, and come
// again. While something fails, it takes fewer messages, because a queue gives up on
// messages that it has delivered too often.
func (w *Worker) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	slots := make(chan struct{}, w.Concurrency)
	var mu sync.Mutex // guards failed
	failed := 0
	told := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			failed = 0
		} else if ctx.Err() == nil {
			failed++
			w.Logger.Warn("events wait", slog.Any("error", err), slog.Int("failed", failed))
		}
	}
	for {
		mu.Lock()
		pause := time.Duration(0)
		if failed > 0 {
			pause = backoff(failed)
		}
		mu.Unlock()
		if sleep(ctx, pause) != nil {
			return context.Cause(ctx)
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		messages, err := w.Queue.Receive(ctx)
		if err != nil || len(messages) == 0 {
			<-slots
			if err != nil {
				told(fmt.Errorf("receive events: %w", err))
			}
			continue // that nothing came says nothing about the pool
		}
		working.Go(func() {
			defer func() { <-slots }()
			work, cancel := w.outlasting(ctx)
			defer cancel()
			told(safely(func() error { return w.handle(work, messages) }))
		})
	}
}

// outlasting returns a context that lasts for the grace beyond ctx, and never longer
// than the timeout.
func (w *Worker) outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timeout)
	var mu sync.Mutex // guards the fields below
	var timer *time.Timer
	over := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			timer = time.AfterFunc(w.Grace, cancel)
		}
	})
	return work, func() {
		stop()
		cancel()
		mu.Lock()
		defer mu.Unlock()
		over = true
		if timer != nil {
			timer.Stop()
		}
	}
}

// handle looks into messages and takes them from the queue.
func (w *Worker) handle(ctx context.Context, messages []Message) error {
	events := make(map[string][]Event)
	for _, m := range messages {
		if err := w.Pools.parse(m.Body, events); err != nil {
			// It would not make sense the next time either.
			w.Logger.Warn("message is dropped", slog.Any("error", err))
		}
	}
	if err := w.Pools.look(ctx, events); err != nil {
		return err
	}
	if err := w.Queue.Done(ctx, messages); err != nil {
		// They are looked into again: no reason to take others later.
		w.Logger.Warn("messages stay in the queue", slog.Any("error", err))
	}
	return nil
}
