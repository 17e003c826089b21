package keep

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/internal/prove"
)

const (
	// All that a refresh may take: one call to the token endpoint, verifying and storing.
	// The call may take most of it: where the pool rotates without grace, an answer that
	// nobody waits for is a session lost.
	refreshTime    = 30 * time.Second
	refreshTimeout = 25 * time.Second
	// How long a request waits for a refresh that it cannot do without.
	refreshWait = 15 * time.Second
)

var (
	errNoRefresh = errors.New("its token has expired and there is no refresh token")
	// errSuperseded comes with the sign-in as another process has renewed it.
	errSuperseded = errors.New("another process has refreshed the session")
)

// engine renews sign-ins. No other code calls Pool.Refresh.
type engine struct {
	keeper  Keeper
	pool    Pool
	prover  *prove.Prover
	people  *people.People
	revoke  *revoker
	behind  *behind.Work
	flights *flights
	before  time.Duration // the most that a token is renewed before its end
	clock   func() time.Time
	log     *slog.Logger
}

// fresh returns the sign-in with tokens that can be used. One that is about to expire
// is renewed beside the request, which goes on with what it has, or at once where the
// browser has to be handed the new tokens. One that has expired, or was marked stale,
// is renewed first. What is returned with an error is for the browser to keep.
func (e *engine) fresh(ctx context.Context, h *Held) (*Held, error) {
	now := e.clock()
	usable := now.Before(h.Expires) && !h.Record.Stale
	if usable {
		if now.Before(h.Expires.Add(-e.leeway(h))) || !h.Refreshes {
			return h, nil
		}
		if !e.keeper.Carried() {
			e.start(ctx, h)
			return h, nil
		}
	}
	if !h.Refreshes {
		return e.refused(ctx, h, errors.Join(errNoRefresh, h.why))
	}
	renewed, err := e.wait(ctx, h)
	if err == nil || !e.keeper.Carried() {
		return renewed, err
	}
	known, knownErr := e.keeper.Now(ctx, h)
	switch {
	case knownErr != nil:
		return nil, knownErr // ended meanwhile
	case usable:
		return known, nil // not yet needed
	case known.handOut:
		return known, err // a token that was rotated, and more is not known
	}
	return nil, err
}

// wait has the sign-in renewed, and waits for it.
func (e *engine) wait(ctx context.Context, h *Held) (*Held, error) {
	wait, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	for again := false; ; again = true {
		flight := e.start(ctx, h)
		select {
		case <-flight.done:
		case <-wait.Done():
			return nil, fault.Away("refresh the session", wait.Err())
		}
		if flight.err != nil {
			return nil, flight.err
		}
		// One that was under way already may have asked the pool before the
		// session was marked stale.
		if !flight.result.Record.Stale || again {
			own := *flight.result // others have waited for it too
			return &own, nil
		}
	}
}

// leeway spreads sign-ins that began together, so that they do not all refresh in the
// same second, and keeps a token of a short life from being due from the start.
func (e *engine) leeway(h *Held) time.Duration {
	leeway := min(e.before, h.Expires.Sub(h.Issued)/5)
	sum := fnv.New32a()
	sum.Write([]byte(h.Key))
	return leeway/2 + leeway/2*time.Duration(sum.Sum32()%1024)/1024
}

// start joins the renewal of this sign-in that is under way in this process, or begins
// one. It does not end with the request that began it: a person who closes the page
// must not cost a rotated token.
func (e *engine) start(ctx context.Context, h *Held) *flight {
	name := h.flight()
	f, leader := e.flights.join(name)
	if !leader {
		return f
	}
	e.behind.Go("refresh", func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTime+refreshTimeout)
		defer cancel()
		f.err = fault.Away("refresh the session", fault.Panic) // unless what follows says otherwise
		defer e.flights.finish(name, f)
		f.result, f.err = e.safely(ctx, h)
	})
	return f
}

func (e *engine) safely(ctx context.Context, h *Held) (result *Held, err error) {
	end := func(error) {}
	defer func() { end(err) }()
	defer func() {
		if p := recover(); p != nil {
			e.log.LogAttrs(ctx, slog.LevelError, "refresh panicked", slog.String("session", h.Key.Short()), slog.Any("panic", p))
			result, err = nil, fault.Away("refresh the session", fault.Panic)
		}
	}()
	ctx, end = e.behind.Tell(ctx, WorkRefresh)
	return e.refresh(ctx, h)
}

// refresh takes the lease and renews the tokens, unless another process has done
// so or is about to.
func (e *engine) refresh(ctx context.Context, h *Held) (*Held, error) {
	var seen leaseSeen
	for {
		l, err := e.keeper.Now(ctx, h)
		if err != nil {
			return nil, err
		}
		now := e.clock()
		if !l.Record.Stale && now.Before(l.Expires.Add(-e.leeway(l))) {
			return l, nil // somebody else has refreshed it
		}
		if seen.held(l.Record.LeaseUntil, now) {
			if err := pause(ctx, leasePoll); err != nil {
				return nil, fault.Away("wait for another process to refresh the session", err)
			}
			continue
		}
		leased := *l
		leased.Record.LeaseUntil = e.leaseEnd()
		l, err = e.keeper.Swap(ctx, &leased)
		switch {
		case errors.Is(err, ErrChanged):
			continue
		case err != nil && errors.Is(err, fault.SessionEnded):
			return nil, err
		case err != nil:
			return nil, fault.Away("lease the session", err)
		}
		// However long it took to get the lease, its holder has all of the time.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTime)
		defer cancel()
		through := e.hold(ctx, l)
		defer through()
		defer func() {
			if p := recover(); p != nil {
				e.release(ctx, through()) // whoever comes next need not wait for its end
				panic(p)
			}
		}()
		return e.renew(ctx, l, through)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
