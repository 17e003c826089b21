package serve

import (
	"context"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/directory"
)

const (
	// passesEvery is how often the journal of passes is read, where it is short: a fault is
	// to be told of within a minute.
	passesEvery = 5 * time.Second
	// perPool is the pause that each pool adds.
	perPool = 50 * time.Millisecond
)

// lastPass is when a pass over a pool was last done, as its journal says.
type lastPass struct {
	finished time.Time
	late     bool // as the log was told
}

// watchPasses follows the passes of codegrant sync until the end, which is another process,
// and may not be there: nobody else could say so. Pools over which no pass was ever made
// are left out, since not everybody has passes made.
func (p *process) watchPasses(ctx context.Context) {
	for {
		g := p.enter()
		issuers := p.lookAtPasses(ctx, g)
		g.leave()
		select {
		case <-ctx.Done():
			return
		case <-time.After(passesEvery + time.Duration(issuers)*perPool):
		}
	}
}

func (p *process) lookAtPasses(ctx context.Context, g *generation) (issuers int) {
	was, is := p.passes.Load(), make(map[string]lastPass)
	if g.stores.replica != nil && g.stores.journal != nil {
		away := false // the database: no use to ask it for each pool
		for _, pool := range g.poolsOnce() {
			var last lastPass
			known := false
			if was != nil {
				last, known = (*was)[pool.Name]
			}
			var found directory.Status
			var err error
			if !away {
				try, cancel := context.WithTimeout(ctx, askTimeout)
				found, err = directory.ReadStatus(try, g.stores.journal, pool.Issuer)
				away = try.Err() != nil
				cancel()
			}
			if away || err != nil { // whether the database answers is said elsewhere
				if known {
					is[pool.Name] = last
				}
				continue
			}
			if found.Last.Finished.IsZero() {
				continue
			}
			now, before := lastPass{finished: found.Last.Finished, late: found.Age(time.Now()) > g.PassMaxAge}, last.late
			switch {
			case now.late && !before:
				p.log.Warn("passes are overdue: a person who was disabled since the last one may still be signed in", "pool", pool.Name,
					"last_pass", now.finished.UTC().Format(time.RFC3339), "max_age", g.PassMaxAge.String(), "reason", "see that "+syncCommand+" runs")
			case before && !now.late:
				p.log.Info("passes are no longer overdue", "pool", pool.Name, "last_pass", now.finished.UTC().Format(time.RFC3339))
			}
			is[pool.Name] = now
		}
	}
	p.passes.Store(&is)
	return len(is)
}

// syncCommand is what is to run beside the gateway.
const syncCommand = "codegrant sync --every 5m, or --follow,"

// collectPasses tells how old the last passes are, so that an alert is raised also where
// codegrant sync does not run.
func (s state) collectPasses(g *generation, gauge func(name, help string, value float64, labels ...string)) {
	passes := s.passes.Load()
	if passes == nil {
		return
	}
	for name, last := range *passes {
		ops.Passes(name, max(0, time.Since(last.finished)), g.PassMaxAge, gauge)
	}
}
