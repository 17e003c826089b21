package keep

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/behind"
)

type countedPool struct {
	Pool
	revoked atomic.Int32
}

func (p *countedPool) Revoke(ctx context.Context, _ cognito.Secret) error {
	p.revoked.Add(1)
	return ctx.Err()
}

// A sign-in or refresh whose time is up must still give its grant back.
func TestS033_AGrantIsGivenBackWhenTimeIsUp(t *testing.T) {
	pool, log := new(countedPool), slog.New(slog.DiscardHandler)
	v := &revoker{pool: pool, behind: behind.New(log, nil), log: log}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v.soon(ctx, "alice", "the-refresh-token")
	if n := pool.revoked.Load(); n != 1 {
		t.Errorf("revoked %d times", n)
	}
}
