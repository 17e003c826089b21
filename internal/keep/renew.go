package keep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// renew is what the holder of the lease does. through ends the time in which others have
// something to say to it, and returns the row as it is held then.
func (e *engine) renew(ctx context.Context, l *Held, through func() *Held) (*Held, error) {
	held, err := l.Tokens()
	if err != nil {
		e.end(ctx, through(), err.Error())
		return nil, ErrEnded
	}
	call, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	tokens, err := e.pool.Refresh(call, held.Refresh)
	if err != nil {
		l = through()
		if !errors.Is(err, cognito.ErrInvalidGrant) {
			e.release(ctx, l)
			return nil, e.undecided(ctx, l, "refresh the tokens", err)
		}
		// Refused for good, unless another process rotated the token meanwhile.
		return e.refused(ctx, l, fmt.Errorf("the pool refused to refresh: %w", err))
	}
	rotated := tokens.RefreshToken != ""
	if !rotated {
		tokens.RefreshToken = held.Refresh
	}
	who, claims, err := e.prover.Renewal(ctx, tokens, prove.Sign{Subject: l.Subject, AuthTime: l.AuthTime, ACR: l.ACR, AMR: l.AMR, Nonce: held.Nonce, Origin: l.origin})
	l = through()
	switch {
	case err != nil && fault.Ours(err):
		return e.unproven(ctx, l, held, tokens, rotated, err)
	case err != nil:
		e.revoke.soon(ctx, l.Subject, tokens.RefreshToken)
		return e.refused(ctx, l, strange{err})
	}
	next := l.renewed(held, tokens)
	next.Person, next.claims = who, claims
	next.UserID, next.Method = l.UserID, l.Method
	return e.keep(ctx, l, next)
}

// strange is why an answer of the pool is not of the sign-in that was to be renewed.
type strange struct{ error }

func (s strange) Unwrap() error { return s.error }

// renewed is the sign-in with other tokens, and whatever else stays as it is.
func (h *Held) renewed(held prove.Set, tokens cognito.TokenSet) *Held {
	next := *h
	next.set = &prove.Set{ID: tokens.IDToken, Access: tokens.AccessToken, Refresh: tokens.RefreshToken, Nonce: held.Nonce, Replicated: held.Replicated}
	next.from, next.Refreshes, next.why = held.Refresh, true, nil
	return &next
}

// unproven is a renewal whose tokens could not be verified here and now. A rotated
// token must outlive that.
func (e *engine) unproven(ctx context.Context, l *Held, held prove.Set, tokens cognito.TokenSet, rotated bool, why error) (*Held, error) {
	if !rotated {
		e.release(ctx, l)
		return nil, e.undecided(ctx, l, "verify the refreshed tokens", why)
	}
	kept := l.renewed(held, cognito.TokenSet{IDToken: held.ID, AccessToken: held.Access, RefreshToken: tokens.RefreshToken})
	again, err := e.write(ctx, l, kept, l.Record.Stale)
	switch {
	case errors.Is(err, errSuperseded):
		return again, nil
	case errors.Is(err, fault.SessionEnded):
		e.revoke.soon(ctx, l.Subject, tokens.RefreshToken) // signed out meanwhile
		return nil, err
	}
	return nil, e.undecided(ctx, l, "verify the refreshed tokens", errors.Join(why, err))
}

// keep writes renewed tokens, and then tells the replica, where they say something
// new. If it does not answer, the digest stays behind and the next renewal tries again.
func (e *engine) keep(ctx context.Context, l, next *Held) (*Held, error) {
	token, claims := next.set.Refresh, next.claims
	renewed, err := e.write(ctx, l, next, false)
	if errors.Is(err, errSuperseded) {
		return renewed, nil
	}
	if err != nil {
		if errors.Is(err, fault.SessionEnded) {
			e.revoke.soon(ctx, l.Subject, token) // signed out meanwhile
		}
		return nil, err
	}
	e.log.LogAttrs(ctx, slog.LevelDebug, "session refreshed", slog.String("sub", l.Subject), slog.String("session", l.Key.Short()))
	if next.ask != askNobody {
		return renewed, nil // asked as it is used
	}
	return e.tell(ctx, renewed, next, claims)
}

func (e *engine) tell(ctx context.Context, renewed, next *Held, claims *verify.Claims) (*Held, error) {
	row, sum, err := e.people.Tell(ctx, claims, false, next.set.Replicated, next.UserID)
	switch {
	case errors.Is(err, fault.UserDisabled):
		e.revoke.soon(ctx, next.Subject, next.set.Refresh)
		e.end(ctx, renewed, err.Error())
		return nil, ErrEnded
	case err != nil:
		e.log.LogAttrs(ctx, slog.LevelError, "replica not updated", slog.String("sub", next.Subject), slog.String("reason", err.Error()))
		return renewed, nil
	case sum == next.set.Replicated:
		return renewed, nil
	}
	applied, set := *next, *next.set
	set.Replicated = sum
	applied.UserID, applied.set = row, &set
	if again, err := e.write(ctx, renewed, &applied, false); err == nil || errors.Is(err, errSuperseded) {
		return again, nil
	}
	return renewed, nil
}

// write puts next in the place of the row that l holds, and frees the lease. Whoever
// changed the row meanwhile keeps their change; a row that is gone stays gone. A fault
// is tried again while the lease lasts: a rotated refresh token exists nowhere else.
// Where the lease has gone to another process, tokens that it wrote already are the
// newer ones: errSuperseded.
func (e *engine) write(ctx context.Context, l, next *Held, stale bool) (*Held, error) {
	record, taken, lost := l.Record, l.Record.Version, false
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		own := *next
		own.Record = record
		if !lost {
			own.Record.LeaseUntil = time.Time{}
		}
		// A stale mark that was set after the lease was taken asks for tokens
		// newer than these.
		own.Record.Stale = stale || (record.Stale && record.Version != taken)
		written, err := e.keeper.Swap(ctx, &own)
		switch {
		case err == nil, errors.Is(err, fault.SessionEnded):
			return written, err
		case errors.Is(err, ErrChanged):
			var now *Held
			if now, err = e.keeper.Now(ctx, l); err == nil {
				record = now.Record
				lost = !l.leases(record)
				if lost && !sameTokens(l, now) {
					return now, errSuperseded
				}
				continue
			}
			if errors.Is(err, fault.SessionEnded) {
				return nil, err
			}
		}
		if pauseErr := pause(ctx, delay); pauseErr != nil {
			return nil, fault.Away("store the refreshed session", err)
		}
	}
}

// sameTokens reports whether two versions of a row hold the same tokens.
func sameTokens(a, b *Held) bool {
	mine, err := a.Tokens()
	if err != nil {
		return false
	}
	others, err := b.Tokens()
	return err == nil && mine.Access == others.Access && mine.Refresh == others.Refresh
}

// release frees the lease after a failed attempt, so that the next one need not
// wait for its end, also where the row was touched or marked meanwhile.
func (e *engine) release(ctx context.Context, l *Held) {
	now := l
	for {
		own := *now
		own.Record.LeaseUntil = time.Time{}
		_, err := e.keeper.Swap(ctx, &own)
		if errors.Is(err, ErrChanged) {
			if now, err = e.keeper.Now(ctx, l); err == nil && l.leases(now.Record) {
				continue
			}
		}
		if err != nil {
			e.log.LogAttrs(ctx, slog.LevelDebug, "lease not released", slog.String("session", l.Key.Short()), slog.String("reason", err.Error()))
		}
		return
	}
}

// undecided makes a failed renewal one that says nothing about the session.
func (e *engine) undecided(ctx context.Context, l *Held, what string, err error) error {
	e.log.LogAttrs(ctx, slog.LevelWarn, "refresh failed", slog.String("sub", l.Subject), slog.String("session", l.Key.Short()), slog.String("reason", err.Error()))
	return fault.NoVerdict(what, err)
}

// refused is the end of tokens that cannot be renewed.
func (e *engine) refused(ctx context.Context, l *Held, why error) (*Held, error) {
	now, err := e.keeper.Refused(ctx, l, why)
	switch {
	case err == nil:
		return now, nil
	case errors.Is(err, ErrSpent):
		e.log.LogAttrs(ctx, slog.LevelInfo, "shared tokens refused", slog.String("sub", l.Subject), slog.String("session", l.Key.Short()), slog.String("reason", why.Error()))
		return nil, err
	case errors.Is(err, fault.SessionEnded):
		e.end(ctx, l, why.Error())
		return nil, ErrEnded
	}
	return nil, err
}

// end ends a sign-in that can no longer prove anything.
func (e *engine) end(ctx context.Context, l *Held, reason string) {
	e.log.LogAttrs(ctx, slog.LevelInfo, "session ended", slog.String("sub", l.Subject),
		slog.String("session", l.Key.Short()), slog.String("reason", reason))
	if _, err := e.keeper.End(ctx, l); err != nil {
		e.log.LogAttrs(ctx, slog.LevelError, "session not deleted", slog.String("session", l.Key.Short()), slog.String("reason", err.Error()))
	}
}
