package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

// unsaved is what the other server has given in place of a token that is good no more, while
// the store does not take it. It is in the memory of this process alone.
type unsaved struct {
	held
	old held // what it takes the place of
}

// Unsaved are tokens that a store did not take, in the memory of this process. The zero value
// has none. It is safe for concurrent use.
type Unsaved struct {
	mu  sync.Mutex
	all map[string]unsaved
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
func (u *Upstream) carry(ctx context.Context, h, old held, fault error) {
	ctx = context.WithoutCancel(ctx)
	key := u.key(h.Issuer, h.Subject)
	trying, full := u.Unsaved.put(key, unsaved{h, old})
	if full {
		u.log(ctx, slog.LevelError, "upstream token lost: too many are not saved", h, fault)
		return
	}
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

// put adds a token, and reports whether the one before it is being saved, and whether there
// is no room.
func (s *Unsaved) put(key string, left unsaved) (trying, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, trying = s.all[key]; !trying && len(s.all) >= maxKnown {
		return false, true
	}
	if s.all == nil {
		s.all = make(map[string]unsaved)
	}
	s.all[key] = left
	return trying, false
}

// of returns the keys of one server's tokens.
func (s *Unsaved) of(name string) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, left := range s.all {
		if left.Name == name {
			keys = append(keys, key)
		}
	}
	return keys
}

func (u *Upstream) carried(key string) (unsaved, bool) {
	u.Unsaved.mu.Lock()
	defer u.Unsaved.mu.Unlock()
	left, ok := u.Unsaved.all[key]
	return left, ok
}

// forget drops a token that is carried, and reports whether it was that one.
func (u *Upstream) forget(key, access string) bool {
	u.Unsaved.mu.Lock()
	defer u.Unsaved.mu.Unlock()
	if left, ok := u.Unsaved.all[key]; !ok || left.Access != access {
		return false
	}
	delete(u.Unsaved.all, key)
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
	case err == nil && readable && there.is(left.held): // it had arrived
	case err != nil, !readable, !there.is(left.old): // signed out meanwhile, agreed anew, or renewed by another process
		if u.forget(key, left.Access) && (err != nil || there.Refresh != left.Refresh) {
			_ = u.revoke(ctx, left.held) // the log knows
		}
		return true
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
	for _, key := range u.Unsaved.of(u.Name) {
		_ = u.save(ctx, key) // or later
	}
}

// Close saves the tokens that the store did not take, until ctx ends. Tokens that are not
// saved then are lost, and the log says so. Call it before the process or the store ends, but
// not where another Upstream has the same [Unsaved].
func (u *Upstream) Close(ctx context.Context) error {
	for wait := firstTry; ; wait = min(2*wait, time.Second) {
		u.saveAll(ctx)
		left := u.Unsaved.of(u.Name)
		if len(left) == 0 {
			return nil
		}
		select {
		case <-time.After(wait):
			continue
		case <-ctx.Done():
		}
		for _, key := range left {
			if lost, ok := u.carried(key); ok && u.forget(key, lost.Access) {
				u.log(context.WithoutCancel(ctx), slog.LevelError, "upstream token lost: the store did not respond before the end", lost.held, nil)
			}
		}
		return fmt.Errorf("tokens of %s not saved: %d: %w", u.Name, len(left), ctx.Err())
	}
}

// errUnsure is the answer while the token may be spent.
var errUnsure = away("renew the token", errors.New("another process may have the next one, and has not saved it"))
