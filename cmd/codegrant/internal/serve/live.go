package serve

import (
	"context"
	"time"
)

const (
	countEvery = time.Minute
	// outboxEvery is how often the outbox is looked at: a fault is to be told of within a minute.
	outboxEvery = 20 * time.Second
	// mostLive is how many sessions are counted at most: the database reads each of them.
	mostLive = 100_000
)

// outboxLate is how long a change may wait in the outbox until the log says so.
const outboxLate = 10 * time.Minute

// lookAtOutbox says when nobody takes what is put into it, and when somebody does again.
func (p *process) lookAtOutbox(ctx context.Context, s *stores, was bool) (late bool) {
	if s.outbox == nil {
		return false
	}
	try, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	size, err := s.outbox(try)
	if err != nil {
		return was // whether the database answers is said elsewhere
	}
	age := time.Since(size.Oldest)
	late = size.Entries > 0 && age > outboxLate
	switch {
	case late && !was:
		p.log.Warn("outbox is not read", "entries", size.Entries, "age", age.Round(time.Second).String(),
			"reason", "see that the program that takes changes out of codegrant_outbox runs")
	case was && !late:
		p.log.Info("outbox is read again", "entries", size.Entries)
	}
	return late
}

// trimHistory takes what is too old out of the history of the people, where one is kept.
func (p *process) trimHistory(ctx context.Context) (int, error) {
	g := p.enter()
	defer g.leave()
	if g.stores.users == nil || !g.stores.prepared.Load() {
		return 0, nil
	}
	return g.stores.users.TrimHistory(ctx)
}

// countSessions counts the live ones until the end, where that is cheap, and looks at the
// outbox meanwhile.
func (p *process) countSessions(ctx context.Context) {
	late, due := false, time.Now()
	for {
		g := p.enter()
		late = p.lookAtOutbox(ctx, g.stores, late)
		if now := time.Now(); g.stores.count != nil && !now.Before(due) {
			due = now.Add(countEvery)
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
		case <-time.After(outboxEvery):
		}
	}
}
