package codegrant

import (
	"cmp"
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

// Watch returns a context for a long request, such as a WebSocket or a stream of events.
// The context has the values of the request's context. It ends with the request, when you
// call stop, and when the request may not continue: the session has ended, the proof has
// expired, or the person lost one of the permissions or acts for another organization.
// [context.Cause] returns the reason: an ErrInvalid or ErrForbidden of [Auth.Recheck]. Call
// stop when the work is done.
//
//	ctx, stop := auth.Watch(r, codegrant.InGroup("staff"))
//	defer stop()
//
// Watch calls Recheck at once if the request passed neither Require nor Identify. After
// that it calls Recheck when the known proof expires, and every minute. So it sees an end
// within a minute. While Codegrant cannot find out, the request continues. Watch never
// counts as use of the session. There is no goroutine between two checks.
func (a *Auth) Watch(r *http.Request, permissions ...Permission) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &watch{auth: a, asked: r.Clone(ctx), permissions: permissions, cancel: cancel}
	w.asked.Body = http.NoBody
	first := time.Duration(0)
	if w.was = a.letThrough(ctx); w.was != nil {
		first = w.wait(earlier(w.was.Expires, fromContext(ctx).sessionEnd))
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
	was         *Identity // who it was let through for; nil until it is known
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
		err = elsewhere(w.was, id)
	}
	if err == nil {
		w.was = cmp.Or(w.was, id)
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
