package serve

import (
	"context"
	"time"
)

// owedEvery is how often pools are asked to revoke what they did not revoke before, if
// a try is due.
const owedEvery = 10 * time.Second

// revokeKept does so until the end, also of what a process before this one has left.
func (p *process) revokeKept(ctx context.Context) {
	for {
		g := p.enter()
		for name, pool := range g.pools {
			try, cancel := context.WithTimeout(ctx, time.Minute)
			left, err := pool.auth.RevokeKept(try)
			cancel()
			if err != nil {
				left = -1
				if ctx.Err() == nil {
					p.log.Warn("revocations that were kept cannot be looked at", "pool", name, "reason", err.Error())
				}
			}
			pool.owed.Store(int64(left))
		}
		g.leave()
		select {
		case <-ctx.Done():
			return
		case <-time.After(owedEvery):
		}
	}
}
