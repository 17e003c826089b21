package codegrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

const (
	// The lease must outlast everything that its holder does: one call to the
	// token endpoint, which has a timeout of its own, verifying and storing.
	refreshLease   = 30 * time.Second
	refreshTimeout = 20 * time.Second
	// How long a request waits for a refresh that it cannot do without.
	refreshWait = 15 * time.Second
	leasePoll   = 50 * time.Millisecond
	// How far the clocks of two processes may be apart without harm.
	clockSkew = 2 * time.Minute
)

// fresh returns the session with tokens that can be used. One that is about to
// expire is refreshed beside the request, which goes on with what it has. One
// that has expired, or was marked stale, is refreshed first.
func (a *Auth) fresh(ctx context.Context, l *live) (*live, error) {
	now := a.Now()
	expired := !now.Before(l.identity.Expires)
	if !expired && !l.record.Stale {
		if now.Before(l.identity.Expires.Add(-a.leeway(l))) || !l.refreshes {
			return l, nil
		}
		a.startRefresh(ctx, l)
		return l, nil
	}
	if !l.refreshes {
		a.endSession(ctx, l, "its token has expired and there is no refresh token")
		return nil, ErrSessionEnded
	}
	wait, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	for again := false; ; again = true {
		flight := a.startRefresh(ctx, l)
		select {
		case <-flight.done:
		case <-wait.Done():
			return nil, unavailable("refresh the session", wait.Err())
		}
		if flight.err != nil {
			return nil, flight.err
		}
		// One that was under way already may have asked the pool before the
		// session was marked stale.
		if !flight.result.record.Stale || again {
			own := *flight.result // others have waited for it too
			return &own, nil
		}
	}
}

// leeway spreads sessions that began together, so that they do not all refresh
// in the same second.
func (a *Auth) leeway(l *live) time.Duration {
	leeway := a.leewayOf(l.payload)
	h := fnv.New32a()
	h.Write([]byte(l.record.ID))
	return leeway/2 + leeway/2*time.Duration(h.Sum32()%1024)/1024
}

// leewayOf keeps a token of a short life from being due from the start.
func (a *Auth) leewayOf(p *payload) time.Duration {
	return min(a.RefreshLeeway, p.identity.Expires.Sub(p.issued)/5)
}

// startRefresh joins the refresh of this session that is under way in this
// process, or begins one. It does not end with the request that began it: a
// person who closes the page must not cost a rotated token.
func (a *Auth) startRefresh(ctx context.Context, l *live) *flight {
	f, leader := a.refreshes.join(l.record.ID)
	if !leader {
		return f
	}
	a.behind("refresh", func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLease+refreshTimeout)
		defer cancel()
		f.err = unavailable("refresh the session", errPanic) // unless what follows says otherwise
		defer a.refreshes.finish(l.record.ID, f)
		f.result, f.err = a.refreshSafely(ctx, l)
	})
	return f
}

func (a *Auth) refreshSafely(ctx context.Context, l *live) (result *live, err error) {
	end := func(error) {}
	defer func() { end(err) }()
	defer func() {
		if p := recover(); p != nil {
			a.audit(ctx, slog.LevelError, "refresh panicked", slog.String("session", shortID(l.record.ID)), slog.Any("panic", p))
			result, err = nil, unavailable("refresh the session", errPanic)
		}
	}()
	ctx, end = a.work(ctx, WorkRefresh)
	return a.refresh(ctx, l.handle)
}

// refresh takes the lease and renews the tokens, unless another process has done
// so or is about to.
func (a *Auth) refresh(ctx context.Context, handle session.Handle) (*live, error) {
	var seen leaseSeen
	for {
		l, err := a.load(ctx, handle)
		if err != nil {
			return nil, err
		}
		now := a.Now()
		if !l.record.Stale && now.Before(l.identity.Expires.Add(-a.leeway(l))) {
			return l, nil // somebody else has refreshed it
		}
		if seen.held(l.record.LeaseUntil, now) {
			if err := pause(ctx, leasePoll); err != nil {
				return nil, unavailable("wait for another process to refresh the session", err)
			}
			continue
		}
		leased := l.record
		// In what every store keeps: the end of a lease also says whose it is.
		leased.LeaseUntil = now.Add(refreshLease).Truncate(time.Microsecond)
		leased, err = a.Sessions.CompareAndSwap(ctx, leased)
		switch {
		case errors.Is(err, session.ErrConflict):
			continue
		case errors.Is(err, session.ErrNotFound):
			return nil, ErrSessionEnded
		case err != nil:
			return nil, unavailable("lease the session", err)
		}
		l.record = leased
		// However long it took to get the lease, its holder has all of it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLease)
		defer cancel()
		return a.renew(ctx, l)
	}
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

// renew is what the holder of the lease does.
func (a *Auth) renew(ctx context.Context, l *live) (*live, error) {
	held, err := l.openTokens()
	if err != nil {
		a.endSession(ctx, l, err.Error())
		return nil, ErrSessionEnded
	}
	call, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	tokens, err := a.client.Refresh(call, held.refresh)
	if err != nil {
		if !errors.Is(err, cognito.ErrInvalidGrant) {
			a.release(ctx, l)
			return nil, a.undecided(ctx, l, "refresh the tokens", err)
		}
		// Refused for good, unless another process rotated the token meanwhile.
		now, loadErr := a.load(ctx, l.handle)
		if loadErr == nil {
			if other, openErr := now.openTokens(); openErr == nil && other.refresh != held.refresh {
				return now, nil
			}
		} else if !errors.Is(loadErr, ErrSessionEnded) {
			return nil, loadErr
		}
		a.endSession(ctx, l, "the pool refused to refresh: "+err.Error())
		return nil, ErrSessionEnded
	}
	rotated := tokens.RefreshToken != ""
	if !rotated {
		tokens.RefreshToken = held.refresh
	}

	p, claims, err := a.verifyIssued(ctx, tokens, verify.IDExpectations{Nonce: held.nonce, NonceOptional: true})
	switch {
	case err != nil && ourFault(err):
		// A rotated token must outlive that.
		if rotated {
			kept := *l.payload
			kept.tokens = held
			kept.tokens.refresh = tokens.RefreshToken
			again, keepErr := a.store(ctx, l, &kept, l.record.Stale)
			switch {
			case errors.Is(keepErr, errSuperseded):
				return again, nil
			case errors.Is(keepErr, ErrSessionEnded):
				a.revokeSoon(ctx, l.identity.Subject, tokens.RefreshToken) // signed out meanwhile
				return nil, ErrSessionEnded
			case keepErr != nil:
				err = errors.Join(err, keepErr)
			}
		} else {
			a.release(ctx, l)
		}
		return nil, a.undecided(ctx, l, "verify the refreshed tokens", err)
	case err == nil && p.identity.Subject != l.identity.Subject:
		err = ErrSubjectMismatch
	case err == nil && p.identity.AuthTime.IsZero():
		p.identity.AuthTime = l.identity.AuthTime
	case err == nil && !p.identity.AuthTime.Equal(l.identity.AuthTime):
		err = fmt.Errorf("%w: auth_time changed in a refresh", ErrTokenRefused) // OpenID Connect Core, section 12.2
	}
	if err != nil {
		a.revokeSoon(ctx, l.identity.Subject, tokens.RefreshToken)
		a.endSession(ctx, l, err.Error())
		return nil, ErrSessionEnded
	}
	p.identity.UserID, p.tokens.nonce, p.tokens.replicated = l.identity.UserID, held.nonce, held.replicated

	renewed, err := a.store(ctx, l, p, false)
	if errors.Is(err, errSuperseded) {
		return renewed, nil
	}
	if err != nil {
		if errors.Is(err, ErrSessionEnded) {
			a.revokeSoon(ctx, l.identity.Subject, tokens.RefreshToken) // signed out meanwhile
		}
		return nil, err
	}
	a.audit(ctx, slog.LevelDebug, "session refreshed", slog.String("sub", l.identity.Subject), slog.String("session", shortID(l.record.ID)))

	// The tokens are safe; now the replica, where they say something new. If it
	// does not answer, the digest stays behind and the next refresh tries again.
	snapshot := a.snapshot(claims)
	if sum := digest(snapshot); a.Replica != nil && sum != p.tokens.replicated {
		snapshot.Entering = true
		change, err := a.Replica.Apply(ctx, snapshot)
		if err != nil {
			a.audit(ctx, slog.LevelError, "replica not updated", slog.String("sub", p.identity.Subject), slog.String("reason", err.Error()))
			return renewed, nil
		}
		a.accounts.saw(change.User)
		if !change.User.Enabled {
			a.revokeSoon(ctx, l.identity.Subject, tokens.RefreshToken)
			a.endSession(ctx, renewed, ErrUserDisabled.Error())
			return nil, ErrSessionEnded
		}
		applied := *p
		applied.identity.UserID, applied.tokens.replicated = change.User.ID, sum
		if again, err := a.store(ctx, renewed, &applied, false); err == nil || errors.Is(err, errSuperseded) {
			renewed = again
		}
	}
	return renewed, nil
}

// ourFault reports whether tokens that the pool has just made did not verify for a
// reason on this side: keys that are out of reach or out of date, or the clock.
func ourFault(err error) bool {
	for _, target := range []error{verify.ErrUnknownKey, verify.ErrIssuedAt, verify.ErrNotYetValid, verify.ErrExpired} {
		if errors.Is(err, target) {
			return true
		}
	}
	return isUnavailable(err)
}

// undecided makes a failed refresh one that says nothing about the session.
func (a *Auth) undecided(ctx context.Context, l *live, what string, err error) error {
	a.audit(ctx, slog.LevelWarn, "refresh failed", slog.String("sub", l.identity.Subject), slog.String("session", shortID(l.record.ID)), slog.String("reason", err.Error()))
	return noVerdict(what, err)
}

// noVerdict makes a fault one that says nothing about the person, whatever it was.
func noVerdict(what string, err error) error {
	if errors.Is(err, ErrInvalid) || !isUnavailable(err) {
		err = errors.New(err.Error()) // no longer an ErrInvalid
	}
	return unavailable(what, err)
}

// errSuperseded comes with the session as another process has refreshed it.
var errSuperseded = errors.New("another process has refreshed the session")

// store writes a payload over the session that l holds, and frees the lease.
// Whoever changed the record meanwhile keeps their change; a record that is gone
// stays gone. A fault is tried again while the lease lasts: a rotated refresh
// token exists nowhere else. Where the lease has gone to another process, tokens
// that it stored already are the newer ones: errSuperseded.
func (a *Auth) store(ctx context.Context, l *live, p *payload, stale bool) (*live, error) {
	record, taken, lost := l.record, l.record.Version, false
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		next := record
		if !lost {
			next.LeaseUntil = time.Time{}
		}
		// A stale mark that was set after the lease was taken asks for tokens
		// newer than these.
		next.Stale = stale || (record.Stale && record.Version != taken)
		next.Sealed = p.seal(l.handle, next)
		stored, err := a.Sessions.CompareAndSwap(ctx, next)
		switch {
		case err == nil:
			return a.open(ctx, l.handle, stored)
		case errors.Is(err, session.ErrNotFound):
			return nil, ErrSessionEnded
		case errors.Is(err, session.ErrConflict):
			if record, err = a.Sessions.Get(ctx, l.record.ID); err == nil {
				lost = l.record.LeaseUntil.IsZero() || !record.LeaseUntil.Equal(l.record.LeaseUntil)
				if lost && !l.sameTokens(record) {
					now, err := a.open(ctx, l.handle, record)
					return now, cmp.Or(err, errSuperseded)
				}
				continue
			}
			if errors.Is(err, session.ErrNotFound) {
				return nil, ErrSessionEnded
			}
		}
		if pauseErr := pause(ctx, delay); pauseErr != nil {
			return nil, unavailable("store the refreshed session", err)
		}
	}
}

// sameTokens reports whether a record of the session holds the tokens that l does.
func (l *live) sameTokens(record session.Record) bool {
	mine, err := l.openTokens()
	if err != nil {
		return false
	}
	others, err := openTokens(l.handle, record)
	return err == nil && mine.access == others.access && mine.refresh == others.refresh
}

// release frees the lease after a failed attempt, so that the next one need not
// wait for its end, also where the session was touched or marked meanwhile.
func (a *Auth) release(ctx context.Context, l *live) {
	record := l.record
	for {
		record.LeaseUntil = time.Time{}
		_, err := a.Sessions.CompareAndSwap(ctx, record)
		if errors.Is(err, session.ErrConflict) {
			if record, err = a.Sessions.Get(ctx, l.record.ID); err == nil && record.LeaseUntil.Equal(l.record.LeaseUntil) {
				continue
			}
		}
		if err != nil {
			a.audit(ctx, slog.LevelDebug, "lease not released", slog.String("session", shortID(l.record.ID)), slog.String("reason", err.Error()))
		}
		return
	}
}

// endSession deletes a session that can no longer prove anything.
func (a *Auth) endSession(ctx context.Context, l *live, reason string) {
	a.audit(ctx, slog.LevelInfo, "session ended", slog.String("sub", l.identity.Subject),
		slog.String("session", shortID(l.record.ID)), slog.String("reason", reason))
	if err := a.Sessions.Delete(ctx, l.record.ID); err != nil {
		a.audit(ctx, slog.LevelError, "session not deleted", slog.String("session", shortID(l.record.ID)), slog.String("reason", err.Error()))
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
