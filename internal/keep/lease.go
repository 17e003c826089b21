package keep

import (
	"context"
	"errors"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/session"
)

const (
	// A lease is short: whoever waits for a process that was killed waits no longer than
	// that, and less than a request does. Its holder extends it in steps for as long as
	// it works. It outlasts one call of the store that runs into its timeout, with time
	// for the next.
	refreshLease = 8 * time.Second
	leaseStep    = 2 * time.Second
	leaseAgain   = 500 * time.Millisecond // after the store did not answer
	leasePoll    = 50 * time.Millisecond
	// How far the clocks of two processes may be apart without harm.
	clockSkew = 2 * time.Minute
)

// leaseEnd is the end of a lease that begins now, in what every store keeps: it also says
// whose the lease is.
func (e *engine) leaseEnd() time.Time { return e.clock().Add(refreshLease).Truncate(time.Microsecond) }

// hold extends the lease of l until the function that it returns is called, which waits
// for that to be over and returns what is held then.
func (e *engine) hold(ctx context.Context, l *Held) (through func() *Held) {
	working, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	e.behind.Go("lease", func() {
		defer close(done)
		for step, mine := leaseStep, true; mine && pause(working, step) == nil; {
			l, mine = e.extend(ctx, l) // a write under way is waited for: whether it was made matters
			step = leaseStep
			if !l.tried.IsZero() {
				step = leaseAgain
			}
		}
	})
	return func() *Held {
		stop()
		<-done
		return l
	}
}

// extend writes a later end of the lease. mine: it is still the holder's, as far as is
// known.
func (e *engine) extend(ctx context.Context, l *Held) (_ *Held, mine bool) {
	until := e.leaseEnd()
	from, changed := l, !l.tried.IsZero()
	for {
		if changed {
			now, err := e.keeper.Now(ctx, l)
			switch {
			case err == nil && !l.leases(now.Record), errors.Is(err, fault.SessionEnded):
				return l, false
			case err != nil:
				return l, true
			}
			from = now
		}
		next := *from
		next.Record.LeaseUntil = until
		written, err := e.keeper.Swap(ctx, &next)
		own := *l
		own.Record.LeaseUntil = from.Record.LeaseUntil
		switch {
		case errors.Is(err, ErrChanged):
			changed = true
			continue
		case errors.Is(err, fault.SessionEnded):
			return l, false
		case err != nil:
			own.tried = until
		case !changed:
			return written, true
		default:
			// The process that changed the row may have marked it. Keep the version of the
			// lease, so that the write reads the row again.
			own.Record.LeaseUntil, own.tried = until, time.Time{}
		}
		return &own, true
	}
}

// leases reports whether the lease of a record is h's.
func (h *Held) leases(r session.Record) bool {
	return !r.LeaseUntil.IsZero() && (r.LeaseUntil.Equal(h.Record.LeaseUntil) || r.LeaseUntil.Equal(h.tried))
}

// leaseSeen judges a lease by the clock of whoever waits for it: the one that the
// lease was written by may be ahead or behind.
type leaseSeen struct {
	until, first time.Time
}

// held reports whether the lease may still be somebody's.
func (s *leaseSeen) held(until, now time.Time) bool {
	if until.IsZero() || now.After(until.Add(clockSkew)) {
		return false
	}
	if !until.Equal(s.until) {
		s.until, s.first = until, now
	}
	return now.Sub(s.first) < refreshLease
}
