package upstream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

// unsaved is what the other server has given in place of a token that is good no more, while
// the store does not take it. It is in the memory of this process alone.
type unsaved struct {
	held
	old string // the refresh token that it was given for
}

const (
	// unsureTime is how long nobody renews a token after a lease that ended without a word: who
	// had it may have the next token, and a server that sees the former one again may revoke
	// both (RFC 9700, section 4.14.2). After that, the process is believed to have ended.
	unsureTime = 2 * time.Minute
	// tryFor is how long a token is tried to be saved.
	tryFor      = 8 * time.Hour
	firstTry    = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// carry remembers a token that the store did not take, and saves it as soon as it can. With a
// fault, the log says so.
func (u *Upstream) carry(ctx context.Context, h held, old string, fault error) {
	ctx = context.WithoutCancel(ctx)
	key := u.key(h.Issuer, h.Subject)
	u.mu.Lock()
	_, trying := u.unsaved[key]
	if full := len(u.unsaved) >= maxKnown; full && !trying {
		u.mu.Unlock()
		u.log(ctx, slog.LevelError, "upstream token lost: too many are not saved", h, fault)
		return
	}
	if u.unsaved == nil {
		u.unsaved = make(map[string]unsaved)
	}
	u.unsaved[key] = unsaved{h, old}
	u.mu.Unlock()
	if fault != nil {
		u.log(ctx, slog.LevelError, "upstream token not saved: it is in memory until the store responds", h, fault)
	}
	if !trying {
		go u.keepTrying(ctx, key)
	}
}

func (u *Upstream) log(ctx context.Context, level slog.Level, message string, h held, fault error) {
	attrs := []slog.Attr{slog.String("upstream", u.Name), slog.String("sub", h.Subject)}
	if fault != nil {
		attrs = append(attrs, slog.String("fault", fault.Error()))
	}
	u.Logger.LogAttrs(ctx, level, message, attrs...)
}

func (u *Upstream) keepTrying(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	for wait := firstTry; ; wait = min(2*wait, longestWait) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if left, ok := u.carried(key); ok && u.forget(key, left.Access) {
				u.log(context.WithoutCancel(ctx), slog.LevelError, "upstream token lost: the store did not respond for hours", left.held, nil)
			}
			return
		}
		if u.save(ctx, key) {
			return
		}
	}
}

func (u *Upstream) carried(key string) (unsaved, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	left, ok := u.unsaved[key]
	return left, ok
}

// forget drops a token that is carried, and reports whether it was that one.
func (u *Upstream) forget(key, access string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if left, ok := u.unsaved[key]; !ok || left.Access != access {
		return false
	}
	delete(u.unsaved, key)
	return true
}

// save puts what is carried into the store, and reports whether there is nothing left to do.
func (u *Upstream) save(ctx context.Context, key string) bool {
	left, ok := u.carried(key)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	r, err := u.Cupboard.Get(ctx, tokens, key)
	if err != nil && !errors.Is(err, cupboard.ErrNotFound) {
		return false
	}
	switch there, readable := u.open(r); {
	case err != nil, !readable, there.Refresh != left.old && there.Access != left.Access: // signed out meanwhile, or agreed anew
		if u.forget(key, left.Access) {
			_ = u.revoke(ctx, left.held) // the log knows
		}
		return true
	case there.Access == left.Access: // it had arrived
	default:
		record, err := u.record(left.held, r.Version)
		if err == nil {
			_, err = u.Cupboard.Swap(ctx, tokens, record)
		}
		if err != nil {
			return false // or the next attempt finds out why
		}
	}
	if u.forget(key, left.Access) {
		u.log(ctx, slog.LevelInfo, "upstream token saved", left.held, nil)
	}
	return true
}

// saveAll tries to save all that is carried.
func (u *Upstream) saveAll(ctx context.Context) {
	u.mu.Lock()
	var keys []string
	for key := range u.unsaved {
		keys = append(keys, key)
	}
	u.mu.Unlock()
	for _, key := range keys {
		_ = u.save(ctx, key) // or later
	}
}

// errUnsure is the answer while the token may be spent.
var errUnsure = away("renew the token", errors.New("another process may have the next one, and has not saved it"))
