package events

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// SecretHeader is the header that an API destination of EventBridge is told to send
// to Codegrant, with the secret in it.
const SecretHeader = "X-Codegrant-Secret"

// Sink is where events are posted to.
type Sink struct {
	URL    string
	Secret string // empty: no header
}

// Config configures a [Trail]. Every field but Sinks is required.
type Config struct {
	Sinks  []Sink
	Client *http.Client
	Logger *slog.Logger
	Now    func() time.Time // of the events
	NewID  func() string
}

// Trail delivers events to every sink, to each in the order in which they were
// recorded. Its goroutines last as long as there is something to deliver. It is safe
// for concurrent use.
type Trail struct {
	Config
	ctx    context.Context // of deliveries; ended by Close
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.RWMutex // guards the list
	queues []*queue
}

// queue is what a sink is yet to be sent.
type queue struct {
	Sink

	mu      sync.Mutex // guards the fields below
	waiting [][]byte
	running bool
	dropped int // since the last line in the log
	closed  bool
}

const (
	maxWaiting  = 1000
	timeout     = 5 * time.Second // of one attempt, as that of an API destination
	firstWait   = 250 * time.Millisecond
	longestWait = 30 * time.Second
	patience    = 10 * time.Minute // with one event
)

// New returns a trail.
func New(c Config) *Trail {
	t := &Trail{Config: c}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	for _, sink := range c.Sinks {
		t.Add(sink)
	}
	return t
}

// Add has a sink told of what is recorded from now on.
func (t *Trail) Add(sink Sink) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queues = append(t.queues, &queue{Sink: sink, closed: t.ctx.Err() != nil})
}

// sinks lists the queues; none is ever taken away.
func (t *Trail) sinks() []*queue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.queues
}

// On reports whether anybody is told of an operation: calls of others need not be
// recorded.
func (t *Trail) On(operation string) bool { return len(t.sinks()) > 0 && Told(operation) }

// Record tells of a call. It waits for nobody.
func (t *Trail) Record(c Call) {
	if !t.On(c.Operation) {
		return
	}
	body, err := eventOf(c, t.NewID(), t.NewID(), t.Now())
	if err != nil {
		t.Logger.Error("an event could not be written", slog.String("event", c.Operation), slog.Any("error", err))
		return
	}
	for _, q := range t.sinks() {
		t.add(q, body)
	}
}

func (t *Trail) add(q *queue, body []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return
	case len(q.waiting) >= maxWaiting:
		if q.dropped++; q.dropped == 1 {
			t.Logger.Warn("events are dropped: too many wait for a receiver that does not take them", slog.String("url", q.URL), slog.Int("waiting", maxWaiting))
		}
		return
	}
	q.dropped = 0
	q.waiting = append(q.waiting, body)
	if !q.running {
		q.running = true
		t.done.Go(func() { t.drain(q) })
	}
}

// drain delivers until there is nothing left.
func (t *Trail) drain(q *queue) {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 || q.closed {
			q.running = false
			q.mu.Unlock()
			return
		}
		body := q.waiting[0]
		q.mu.Unlock()
		if t.deliver(q.Sink, body) {
			q.mu.Lock()
			q.waiting = q.waiting[1:]
			q.mu.Unlock()
		}
	}
}

// deliver sends one event until it is taken, or it is no use. It reports false where
// the trail is closed meanwhile.
func (t *Trail) deliver(sink Sink, body []byte) bool {
	log := t.Logger.With(slog.String("url", sink.URL))
	began := time.Now()
	for wait, attempt := firstWait, 1; ; wait, attempt = min(2*wait, longestWait), attempt+1 {
		again, err := t.post(sink, body)
		switch {
		case err == nil:
			return true
		case t.ctx.Err() != nil:
			return false
		case !again, time.Since(began)+wait > patience:
			log.Warn("an event is dropped: it was not taken", slog.Any("error", err), slog.Int("attempts", attempt))
			return true
		case attempt == 1:
			log.Warn("an event is not taken; it is sent again for a while", slog.Any("error", err))
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2)) // not all at once
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// post sends an event once. again reports whether there is use in repeating it.
func (t *Trail) post(sink Sink, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sink.URL, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Amazon/EventBridge/ApiDestinations")
	if sink.Secret != "" {
		r.Header.Set(SecretHeader, sink.Secret)
	}
	response, err := t.Client.Do(r)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	switch s := response.StatusCode; {
	case s/100 == 2:
		return false, nil
	case s >= 500, s == http.StatusUnauthorized, s == http.StatusRequestTimeout, s == http.StatusConflict, s == http.StatusTooManyRequests:
		return true, fmt.Errorf("the receiver answers with status %d", s)
	default:
		return false, fmt.Errorf("the receiver answers with status %d, and a retry cannot help", s)
	}
}

// Close drops what is not delivered, and waits for what is on its way to end. It may
// be called more than once.
func (t *Trail) Close() {
	t.cancel()
	for _, q := range t.sinks() {
		q.mu.Lock()
		q.closed = true
		q.mu.Unlock()
	}
	t.done.Wait()
	for _, q := range t.sinks() {
		q.mu.Lock()
		if n := len(q.waiting); n > 0 {
			t.Logger.Warn("events are dropped: the pool ends", slog.String("url", q.URL), slog.Int("events", n))
		}
		q.waiting = nil
		q.mu.Unlock()
	}
}
