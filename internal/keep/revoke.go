package keep

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/fault"
)

const (
	// revokeWait is how long a person waits for a revocation; it goes on behind their
	// back where the pool is slow.
	revokeWait = 2 * time.Second
	// maxRevocations is how many may be under way or wait.
	maxRevocations = 1 << 10
)

// The kinds of work that [Config.OnWork] of the root package gets.
const (
	WorkRefresh    = "refresh"
	WorkRevocation = "revocation"
)

// revoker has the pool revoke refresh tokens that are no longer wanted. What it does not
// revoke is kept, where there is a place for that.
type revoker struct {
	pool   Pool
	behind *behind.Work
	log    *slog.Logger
	owed   *owed        // nil: nothing is kept
	count  atomic.Int64 // under way, or waiting
}

// soon waits a moment for the pool to say so. subject is whose it is, as far as that
// is known, for the log.
func (v *revoker) soon(ctx context.Context, subject string, token cognito.Secret) {
	select {
	case <-v.beside(ctx, subject, token):
	case <-time.After(revokeWait):
	}
}

// beside revokes beside the request, in time of its own: that of the request may be up.
func (v *revoker) beside(ctx context.Context, subject string, token cognito.Secret) <-chan struct{} {
	done := make(chan struct{})
	if token == "" {
		close(done)
		return done
	}
	if v.count.Add(1) > maxRevocations {
		v.count.Add(-1)
		kept := v.owed.keep(context.WithoutCancel(ctx), subject, token)
		v.log.LogAttrs(ctx, slog.LevelWarn, "refresh token not revoked", slog.String("sub", subject),
			slog.String("reason", "too many others are in progress"), slog.Bool("kept", kept))
		close(done)
		return done
	}
	v.behind.Go("revocation", func() {
		defer close(done)
		defer v.count.Add(-1)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		ctx, end := v.behind.Tell(ctx, WorkRevocation)
		err := fault.Panic // unless what follows says otherwise
		defer func() { end(err) }()
		kept := v.keepLate(ctx, subject, token)
		err = v.pool.Revoke(ctx, token)
		switch was := kept(err); {
		case err != nil:
			v.log.LogAttrs(ctx, slog.LevelWarn, "refresh token not revoked", slog.String("sub", subject), slog.String("reason", err.Error()), slog.Bool("kept", was))
			return
		case was:
			v.owed.made(ctx, token)
		}
		v.log.LogAttrs(ctx, slog.LevelInfo, "refresh token revoked", slog.String("sub", subject))
		v.again()
	})
	return done
}

// keepLate keeps a revocation that the pool takes its time for: this process may end
// before it does. over takes the outcome, and reports whether it was kept.
func (v *revoker) keepLate(ctx context.Context, subject string, token cognito.Secret) (over func(error) bool) {
	if v.owed == nil {
		return func(error) bool { return false }
	}
	var mu sync.Mutex
	var done, kept bool
	timer := time.AfterFunc(revokeWait, func() {
		v.behind.Go("keeping a revocation", func() {
			mu.Lock()
			defer mu.Unlock()
			kept = kept || !done && v.owed.keep(ctx, subject, token)
		})
	})
	return func(err error) bool {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		done = true
		if err != nil && !kept {
			kept = v.owed.keep(context.WithoutCancel(ctx), subject, token)
		}
		return kept
	}
}

// again looks at what is owed, now that the pool has answered.
func (v *revoker) again() {
	if !v.owed.due() {
		return
	}
	v.behind.Go("revocations that were kept", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := v.owed.retry(ctx); err != nil {
			v.log.LogAttrs(ctx, slog.LevelDebug, "revocations that were kept not made", slog.String("reason", err.Error()))
		}
	})
}
