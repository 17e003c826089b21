package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"
)

// term is the time during which this process holds a lease.
type term struct {
	s      *Sync
	name   string
	number int64

	ctx    context.Context // ends with the term
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when nobody renews any more
}

// begin takes a lease and keeps it, until end. It returns what was written under
// it last.
func (s *Sync) begin(ctx context.Context, name string) (*term, []byte, error) {
	number, state, err := s.Journal.Acquire(ctx, name, rand.Text(), s.Lease)
	if err != nil {
		return nil, nil, err
	}
	t := &term{s: s, name: name, number: number, done: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	go t.keep()
	return t, state, nil
}

// keep renews the lease until the term ends, and ends the term where that fails
// for as long as the lease lasts.
func (t *term) keep() {
	defer close(t.done)
	renewed := time.Now()
	ticker := time.NewTicker(t.s.Lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
		}
		begun := time.Now()
		err := t.s.Journal.Renew(t.ctx, t.name, t.number, t.s.Lease)
		switch {
		case err == nil:
			renewed = begun
		case errors.Is(err, ErrLost), time.Since(renewed) > t.s.Lease:
			t.cancel(err)
			return
		default:
			t.s.log.Warn("cannot renew the lease", slog.String("lease", t.name), slog.Any("error", err))
		}
	}
}

// write keeps a state.
func (t *term) write(state []byte) error {
	return t.s.Journal.Write(t.ctx, t.name, t.number, t.s.Lease, state)
}

// last keeps a state also when the term's context has ended, unless somebody else
// has the lease by then.
func (t *term) last(state []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), releaseTimeout)
	defer cancel()
	return t.s.Journal.Write(ctx, t.name, t.number, t.s.Lease, state)
}

// end gives the lease back.
func (t *term) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), releaseTimeout)
	defer cancel()
	t.cancel(nil)
	<-t.done
	if err := t.s.Journal.Release(ctx, t.name, t.number); err != nil {
		t.s.log.Warn("cannot give the lease back: it will run out", slog.String("lease", t.name), slog.Any("error", err))
	}
}

const releaseTimeout = 5 * time.Second
