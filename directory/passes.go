package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Schedule says how [Sync.Passes] makes passes.
type Schedule struct {
	// Every is how long after the end of a pass the next one begins. Defaults to
	// one hour.
	Every time.Duration

	// First are the options of the first pass, and Options those of all others.
	First, Options Options

	// Retry is how long to wait before a failed pass continues. Defaults to one minute, or
	// Every if that is less.
	Retry time.Duration

	// Done is called after each pass, with its error. Defaults to none.
	Done func(Report, error)
}

// Passes makes passes until ctx ends, and returns its cause. If several processes call it
// for the same journal, one makes passes and the others stand by. One of them takes over
// when it ends. A failed pass goes to Done and the log, and Passes continues. An invalid
// schedule is an error at once.
func (s *Sync) Passes(ctx context.Context, schedule Schedule) error {
	if schedule.Every < 0 || schedule.Retry < 0 {
		return errors.New("schedule of passes: neither Every nor Retry may be below zero")
	}
	schedule.Every = defaultTo(schedule.Every, time.Hour)
	schedule.Retry = defaultTo(schedule.Retry, min(time.Minute, schedule.Every))
	if schedule.Done == nil {
		schedule.Done = func(Report, error) {}
	}
	schedule.First.scheduled, schedule.Options.scheduled = true, true
	options, standby, failed := schedule.First, false, 0
	for {
		t, _, err := s.begin(ctx, "passes "+s.Issuer)
		pause := time.Duration(0)
		switch {
		case errors.Is(err, ErrHeld):
			if !standby {
				s.log.Info("another process makes the passes: this one stands by")
			}
			standby, failed, pause = true, 0, s.Lease/2
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			failed++
			s.log.Warn("cannot ask whether to make passes", slog.Any("error", err), slog.Int("failed", failed))
			pause = backoff(failed)
		default:
			if standby {
				s.log.Info("no other process makes passes any more: this one does")
			}
			standby, failed = false, 0
			err := s.passes(t, schedule, options)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			options = schedule.Options
			s.log.Warn("stops making passes", slog.Any("error", err))
		}
		if err := sleep(ctx, pause); err != nil {
			return context.Cause(ctx)
		}
	}
}

// passes makes passes until the term ends, and says why it did.
func (s *Sync) passes(t *term, schedule Schedule, options Options) error {
	defer t.end()
	for {
		report, err := s.Run(t.ctx, options)
		if err != nil && t.ctx.Err() != nil {
			return fmt.Errorf("pass ends before it is done: %w", context.Cause(t.ctx))
		}
		pause := schedule.Every
		failed := err
		switch {
		case errors.Is(err, ErrRunning):
			// Somebody makes one by hand: what that one did not read is still to be.
			s.log.Info("another process is making a pass: this one tries later")
			pause, failed = schedule.Retry, nil
		case errors.Is(err, ErrRecovering):
			s.log.Info("no pass is made until the pool has done so", slog.Any("reason", err))
			pause, failed = schedule.Retry, nil
		case err != nil && !errors.Is(err, ErrTooManyRemovals):
			schedule.Done(report, err)
			pause = schedule.Retry
		default:
			schedule.Done(report, err)
			options = schedule.Options
		}
		s.plan(t, pause, failed)
		if err := sleep(t.ctx, pause); err != nil {
			return context.Cause(t.ctx)
		}
	}
}
