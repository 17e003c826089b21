package serve

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// hatch is where proxies connect that ask in other protocols than HTTP. Their servers
// know how to end a connection, and not how to end the place where they come in.
type hatch struct {
	net.Listener
	passed bool // by systemd, which goes on listening: who waits is the next process's

	accepted atomic.Int64 // when the last one came in, Unix nanoseconds
	shut     atomic.Bool
	closed   chan struct{}
	once     sync.Once
}

func newHatch(l net.Listener, passed bool) *hatch {
	return &hatch{Listener: l, passed: passed, closed: make(chan struct{})}
}

// Accept implements [net.Listener].
func (h *hatch) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err == nil {
		h.accepted.Store(time.Now().UnixNano())
		return c, nil
	}
	if h.shut.Load() {
		<-h.closed // the server is told in its own way
		return nil, net.ErrClosed
	}
	return nil, err
}

// Close implements [net.Listener].
func (h *hatch) Close() error {
	h.once.Do(func() { close(h.closed) })
	return h.Listener.Close()
}

// settle lets in who waits, and then nobody, so that the server knows everybody whom it
// will ever have when it is told to end.
func (h *hatch) settle(ctx context.Context) {
	if !h.passed {
		letIn(ctx, h.Listener, &h.accepted)
		return
	}
	h.shut.Store(true)
	if timed, ok := h.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = timed.SetDeadline(time.Unix(1, 0)) // nobody else is disturbed
	}
	pause := time.NewTimer(doorQuiet) // in which the server gets to know who came last
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// questions are the servers of proxies that ask.
type questions struct {
	asked   context.Context // ends when they are to end
	cut     context.CancelFunc
	hatches []*hatch
	serving sync.WaitGroup
	once    sync.Once
}

func newQuestions() *questions {
	q := new(questions)
	q.asked, q.cut = context.WithCancel(context.Background())
	return q
}

func (q *questions) serve(h *hatch, serve func(context.Context, net.Listener) error, served chan<- error) {
	q.hatches = append(q.hatches, h)
	q.serving.Go(func() { served <- serve(q.asked, h) })
}

// end begins their end. It comes after that of requests, since a proxy takes a gateway
// for dead soon that does not answer where it asks: the next process should be there.
func (q *questions) end() {
	q.once.Do(func() {
		var settling sync.WaitGroup
		for _, h := range q.hatches {
			settling.Go(func() { h.settle(q.asked) })
		}
		settling.Wait()
		q.cut()
	})
}

// wait returns once each has ended.
func (q *questions) wait() { q.serving.Wait() }
