package serve

import (
	"context"
	"errors"
	"time"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/upstream"
)

// consented has upstreams get people's tokens of other services, and serves where people
// agree to it. Where keys or records end with the process, so does what it was given.
func (p *process) consented(g *generation, routes []gateway.Route) ([]gateway.Route, error) {
	g.unsaved = new(upstream.Unsaved)
	if before := p.current.Load(); before != nil && before.shelf() == g.shelf() {
		g.unsaved = before.unsaved
	}
	for _, c := range g.Upstreams {
		config := c.Config
		config.Auth, config.Logger, config.Cupboard = g.pools[c.PoolName].auth, p.log, p.records
		config.Unsaved = g.unsaved
		if g.shelf() != (shelf{}) {
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

// shelf says where tokens are kept; zero: in the memory of the process.
type shelf struct{ database, redis settings.Secret }

func (g *generation) shelf() shelf {
	switch {
	case !g.KeysGiven || g.stores.cupboard == nil:
		return shelf{}
	case g.stores.database.URL != "":
		return shelf{database: g.stores.database.URL}
	}
	return shelf{redis: g.stores.redis}
}

// saveTokens saves what the store did not take, unless the configuration after this one does.
func (g *generation) saveTokens(ctx context.Context) error {
	if now := g.process.current.Load(); now != nil && now != g && now.unsaved == g.unsaved {
		return nil
	}
	var faults []error
	for _, u := range g.upstreams {
		faults = append(faults, u.Close(ctx))
	}
	return errors.Join(faults...)
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
