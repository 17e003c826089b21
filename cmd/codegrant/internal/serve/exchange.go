package serve

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/machine"
)

// handOver has the upstreams of routes get tokens of their own, where the configuration
// says so. The routes of the file come first among all.
func (p *process) handOver(s *settings.Settings, routes []gateway.Route) ([]gateway.Route, error) {
	issuer, keys, err := s.NewIssuer()
	if err != nil {
		return nil, err
	}
	for i, e := range s.Exchanges {
		if e == nil {
			continue
		}
		tokens, err := p.exchange(nameOf(routes[i]), e, issuer)
		if err != nil {
			return nil, fmt.Errorf("routes[%d].exchange: %w", i, err)
		}
		routes[i].Handover = tokens
	}
	return append(routes, keys...), nil
}

func (p *process) exchange(route string, e *settings.Exchange, issuer *exchange.Issuer) (*exchange.Tokens, error) {
	c := e.Config
	c.OnEvent = p.metrics.programs.exchange(route)
	if c.Logger = p.log; issuer != nil {
		c.By = issuer
	}
	if e.Pool != nil {
		config := exchange.PoolConfig{Pool: *e.Pool, HTTPClient: p.poolClient(e.PoolName)}
		if e.Machine != nil {
			own, err := machine.New(machine.Config{Pool: *e.Machine, HTTPClient: config.HTTPClient, Logger: p.log})
			if err != nil {
				return nil, err
			}
			config.ActorToken = func(ctx context.Context) (string, error) {
				token, err := own.TokenContext(ctx)
				if err != nil {
					return "", err
				}
				return token.AccessToken, nil
			}
		}
		pool, err := exchange.NewPool(config)
		if err != nil {
			return nil, err
		}
		c.By = pool
	}
	return exchange.New(c)
}
