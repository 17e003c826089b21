package keep

import (
	"context"
	"log/slog"
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
	// maxRevocations is how many may be under way or wait: where tokens are shared in
	// cookies, anybody can have invented ones revoked.
	maxRevocations = 1 << 10
)

// What [Config.OnWork] of the root package hears of.
const (
	WorkRefresh    = "refresh"
	WorkRevocation = "revocation"
)

// revoker has the pool revoke refresh tokens that are no longer wanted, best effort.
type revoker struct {
	pool   Pool
	behind *behind.Work
	log    *slog.Logger
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
		v.log.LogAttrs(ctx, slog.LevelWarn, "refresh token not revoked", slog.String("sub", subject), slog.String("reason", "too many others are under way"))
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
		if err = v.pool.Revoke(ctx, token); err != nil {
			v.log.LogAttrs(ctx, slog.LevelWarn, "refresh token not revoked", slog.String("sub", subject), slog.String("reason", err.Error()))
			return
		}
		v.log.LogAttrs(ctx, slog.LevelInfo, "refresh token revoked", slog.String("sub", subject))
	})
	return done
}
