package serve

import (
	"context"
	"time"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/upstream"
)

// consented has upstreams get people's tokens of other services, and serves where people
// agree to it. Where keys or records end with the process, so does what it was given.
func (p *process) consented(g *generation, routes []gateway.Route) ([]gateway.Route, error) {
	for _, c := range g.Upstreams {
		config := c.Config
		config.Auth, config.Logger, config.Cupboard = g.pools[c.PoolName].auth, p.log, p.records
		if g.KeysGiven && g.stores.cupboard != nil {
			config.Cupboard = g.stores.cupboard
		}
		config.OnEvent = p.metrics.programs.upstream(c.Name)
		u, err := upstream.New(config)
		if err != nil {
			return nil, err
		}
		g.upstreams = append(g.upstreams, u)
		for i, name := range g.UpstreamOf {
			if name == c.Name {
				routes[i].Handover = u
			}
		}
		routes = append(routes, g.UpstreamRoutes(c, u)...)
	}
	return routes, nil
}

// sweepEvery is how soon after a sign-out tokens of other services are revoked.
const sweepEvery = 20 * time.Second

// sweepUpstreams ends what people have agreed to in sessions that are over, until the end.
func (p *process) sweepUpstreams(ctx context.Context, every time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		g := p.enter()
		for _, u := range g.upstreams {
			try, cancel := context.WithTimeout(ctx, time.Minute)
			if err := u.Sweep(try); err != nil && ctx.Err() == nil {
				p.log.Warn("tokens of other services cannot be looked at", "upstream", u.Name, "reason", err.Error())
			}
			cancel()
		}
		g.leave()
	}
}
