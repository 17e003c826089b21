package codegrant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// watchEvery is how often somebody is asked about who holds a request open.
const watchEvery = time.Minute

// watchPause is between two questions at least, whatever the clocks say.
const watchPause = time.Second

// Watch returns a context for a request that was let through and lasts, such as a
// WebSocket or a stream of events. It has the values of the request's own and ends with
// it, when stop is called, and when the request may not go on: its session has ended, by a
// sign-out or in any other way, its proof has expired, or one of the permissions was taken
// away. [context.Cause] says which: an error of [Auth.Recheck]'s, [ErrInvalid] or
// [ErrForbidden]. Call stop when the work is done.
//
//	ctx, stop := auth.Watch(r, codegrant.InGroup("staff"))
//	defer stop()
//
// Recheck is asked at once where neither Require nor Identify has let the request through,
// then when what is known expires, and every minute. So an end is seen within a minute.
// While that cannot be found out, the request goes on. It never counts as use of the
// session. There is no goroutine between two questions.
func (a *Auth) Watch(r *http.Request, permissions ...Permission) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &watch{auth: a, asked: r.Clone(ctx), permissions: permissions, cancel: cancel}
	w.asked.Body = http.NoBody
	first := time.Duration(0)
	if req := fromContext(ctx); req != nil && req.gate == a.gate && req.identity != nil {
		first = w.wait(earlier(req.identity.Expires, req.sessionEnd))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(first, w.ask)
	context.AfterFunc(ctx, w.end)
	return ctx, func() { cancel(context.Canceled) }
}

// watch is a request that lasts.
type watch struct {
	auth        *Auth
	asked       *http.Request
	permissions []Permission
	cancel      context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// wait is how long to wait, where what is known holds until then.
func (w *watch) wait(until time.Time) time.Duration {
	if until.IsZero() {
		return watchEvery
	}
	return min(watchEvery, max(watchPause, until.Sub(w.auth.gate.Now())))
}

func (w *watch) ask() {
	until, err := w.stands()
	if err != nil && !errors.Is(err, ErrUnavailable) {
		w.cancel(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.timer.Reset(w.wait(until))
	}
}

// stands asks again. Where that panics, the request is over: no net/http is there to end
// it, and the process is not to.
func (w *watch) stands() (until time.Time, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.auth.gate.audit(w.asked.Context(), slog.LevelError, "permission not asked again: that panicked", slog.Any("panic", p))
			err = fmt.Errorf("%w: the permission panicked", ErrForbidden)
		}
	}()
	id, until, err := w.auth.asksStill(w.asked)
	if err == nil {
		err = w.auth.gate.authorize(w.asked.Context(), id, w.asked, allOf(w.permissions))
	}
	return until, verdict(err)
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
}

// earlier is the first of two times, where the zero time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
