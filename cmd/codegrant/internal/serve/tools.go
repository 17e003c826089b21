package serve

import (
	"cmp"
	"context"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// askForClients has MCP servers learn what their pools can do for clients, and the log hear
// of those that can do nothing, before the first client comes.
func (p *process) askForClients(servers []*mcp.Resource) {
	for _, server := range servers {
		p.open.Go(func() { _ = server.CheckPool(context.Background()) }) // it tells the log
	}
}

// hearCalls has a route's MCP server count its calls: by the rule for the tool, as what a
// client calls it is the client's invention.
func (p *process) hearCalls(route string, config *mcp.Config) {
	route = label(route)
	config.Logger = p.log
	config.OnCall = func(_ context.Context, c mcp.Call) {
		decision := gateway.Forbidden
		if c.Allowed {
			decision = gateway.Passed
		}
		rule := cmp.Or(c.Rule, noRule)
		if len(config.Tools) == 0 {
			rule = "*"
		}
		p.metrics.tools.WithLabelValues(route, rule, label(string(decision))).Inc()
	}
}

// noRule counts calls of tools that no rule is for.
const noRule = "none"

// beginCalls has the series of a configuration's tools there before the first call.
func (p *process) beginCalls(g *generation) {
	for i, config := range g.MCP {
		if config == nil {
			continue
		}
		route := nameOf(g.Routes[i])
		if len(config.Tools) == 0 {
			p.metrics.tools.WithLabelValues(route, "*", label(string(gateway.Passed)))
			continue
		}
		p.metrics.tools.WithLabelValues(route, noRule, label(string(gateway.Forbidden)))
		for _, tool := range config.Tools {
			for _, decision := range []gateway.Decision{gateway.Passed, gateway.Forbidden} {
				p.metrics.tools.WithLabelValues(route, tool.Name, label(string(decision)))
			}
		}
	}
}
