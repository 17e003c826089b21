package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant"
)

// call is one request that a route was found for. It is made once, is the request's
// context from then on, and remembers what was decided.
type call struct {
	context.Context // of the request before; what proxy.serve starts ends with end

	gateway *Gateway
	tenant  *tenant
	route   *route
	target  target        // of requests to upstreams
	trusted bool          // it comes from a listed proxy
	socket  bool          // it is the handshake of a WebSocket
	asked   *http.Request // before anybody was found to be asking

	asker context.Context // of the request that was let through: it knows for whom

	// pass is called with who may pass, where somebody may.
	pass func(http.ResponseWriter, *http.Request, *call)

	recorder recorder
	passed   bool
	id       *codegrant.Identity
	told     *codegrant.Identity // id as the upstream is told of it
	tooLarge bool                // it cannot be told whole
	token    string              // that the upstream is sent; empty: none of ours
	withheld bool                // there is none, and the upstream was not asked
	answer   *http.Response      // of the upstream

	reference string // of the page that says that the upstream has failed

	leftover []string // cookies of an application's that are somebody else's

	cancel context.CancelCauseFunc // of requests to upstreams

	broken atomic.Bool // the body that the client sent: no server is at fault

	mu           sync.Mutex // guards what follows
	timer        *time.Timer
	waiting      bool      // for the only server there is to begin its answer
	slowAt       time.Time // when that has taken too long
	slow         bool      // it has
	clientIsSlow bool      // the next piece of its body is waited for, and that is not the server's fault
	recheckAt    time.Time // when the permission is asked again; zero: never
	ended        bool
}

type callKey struct{}

// Value finds the call, and what the context had before.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callOf is the call that a request belongs to, on its way to an upstream or here.
func callOf(r *http.Request) *call {
	c, _ := r.Context().Value(callKey{}).(*call)
	return c
}

// recheckEvery is how often a request that lasts, such as a WebSocket or a stream of
// events, has its permission asked again.
const recheckEvery = time.Minute

// guardOf asks the permissions of a route, and calls pass with whom they allow.
func guardOf(t *tenant, route *route) http.Handler {
	guard := t.Auth.Identify
	switch {
	case route.Guard != nil:
		guard = route.Guard.Require(t.Auth, route.permissions...)
	case !route.Public:
		guard = t.Auth.Require(route.permissions...)
	}
	return guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r)
		if route.Guard == nil {
			w = &c.recorder
		}
		c.passed, c.asker = true, r.Context()
		c.id, _ = codegrant.From(r.Context())
		c.told = route.shown(c.id)
		if c.told != nil && route.Files == nil {
			if err := c.gateway.fits(c.told, route); err != nil {
				c.tooLarge = true
				c.gateway.withhold(w, r, route, c.id, err)
				return
			}
		}
		if !c.handOver(w, r) {
			return
		}
		c.takeLeftovers(c.recorder.Header(), r)
		c.pass(w, r, c)
	}))
}

// decide asks a guard about the request, which is asked.
func (c *call) decide(w http.ResponseWriter, guard http.Handler) (Decision, *codegrant.Identity) {
	c.recorder.ResponseWriter = w
	guard.ServeHTTP(&c.recorder, c.asked.WithContext(c))
	switch {
	case c.tooLarge:
		return TooLarge, c.id
	case c.passed:
		return Passed, c.id
	case c.withheld && c.recorder.status < http.StatusInternalServerError:
		return Forbidden, c.id
	case c.recorder.status == http.StatusForbidden:
		return Forbidden, nil
	case c.recorder.status >= http.StatusInternalServerError:
		return Unavailable, nil
	case c.route.Guard != nil && c.recorder.status < http.StatusMultipleChoices:
		return Passed, nil // it has answered by itself
	case c.route.Guard != nil && c.recorder.status != http.StatusUnauthorized:
		return Refused, nil
	default:
		return Unauthorized, nil
	}
}

// begin starts the one timer of a request to an upstream, which sees that the answer
// begins in time, and that the permission stands for as long as the request lasts.
func (c *call) begin() {
	now, timeout := time.Now(), c.route.servers.Timeout
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slowAt = now.Add(timeout)
	if !c.route.Public && c.route.Guard == nil {
		c.recheckAt = now.Add(recheckEvery)
		timeout = min(timeout, recheckEvery)
	}
	c.timer = time.AfterFunc(timeout, c.tick)
}

// end is called when the request is over.
func (c *call) end() {
	c.mu.Lock()
	c.ended = true
	c.timer.Stop()
	c.mu.Unlock()
	c.cancel(nil)
}

// tick does what is due, and waits for what is due next.
func (c *call) tick() {
	now := time.Now()
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	next := time.Time{}
	if c.waiting {
		if next = c.slowAt; c.clientIsSlow {
			next = now.Add(c.route.servers.Timeout)
		}
		if !now.Before(next) {
			c.slow = true
			c.mu.Unlock()
			c.cancel(errSlow)
			return
		}
	}
	due := !c.recheckAt.IsZero() && !now.Before(c.recheckAt)
	if due {
		c.recheckAt = now.Add(recheckEvery)
	}
	if !c.recheckAt.IsZero() && (next.IsZero() || c.recheckAt.Before(next)) {
		next = c.recheckAt
	}
	if !next.IsZero() {
		c.timer.Reset(next.Sub(now))
	}
	c.mu.Unlock()
	if due && !c.stands() {
		c.cancel(nil)
	}
}

// stands asks the permission again. Where that cannot be found out, it stands; where
// asking panics, it does not: there is no request here for net/http to end, and the
// process is not to.
func (c *call) stands() (stands bool) {
	defer func() {
		if p := recover(); p != nil {
			c.gateway.log.LogAttrs(c.asked.Context(), slog.LevelError, "permission not asked again: that panicked",
				slog.String("route", c.route.Name), slog.Any("panic", p))
			stands = false
		}
	}()
	asked := c.asked.Clone(context.WithoutCancel(c.asked.Context()))
	asked.Body = http.NoBody
	again := &call{Context: context.WithoutCancel(c.asker), gateway: c.gateway, tenant: c.tenant, route: c.route, asked: asked}
	err := c.tenant.Auth.Recheck(asked.WithContext(again), c.route.permissions...)
	return err == nil || errors.Is(err, codegrant.ErrUnavailable)
}

// await says that the one server is asked from now on.
func (c *call) await() {
	c.mu.Lock()
	c.waiting = true
	c.mu.Unlock()
}

// answered says that it has answered, or will not. It reports false where that took
// too long.
func (c *call) answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	return !c.slow
}
