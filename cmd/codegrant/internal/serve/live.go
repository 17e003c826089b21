package serve

import (
	"context"
	"time"
)

const (
	countEvery = time.Minute
	// mostLive is how many sessions are counted at most: the database reads each of them.
	mostLive = 100_000
)

// countSessions counts the live ones until the end, where that is cheap.
func (p *process) countSessions(ctx context.Context) {
	for {
		g := p.enter()
		if g.stores.count != nil {
			try, cancel := context.WithTimeout(ctx, askTimeout)
			n, err := g.stores.count(try, mostLive)
			cancel()
			if err != nil {
				n = -1 // whether the store answers is said elsewhere
			}
			g.stores.live.Store(int64(n))
		}
		g.leave()
		select {
		case <-ctx.Done():
			return
		case <-time.After(countEvery):
		}
	}
}
