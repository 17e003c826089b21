package serve

import (
	"cmp"
	"context"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// hearCalls has a route's MCP server count its calls: by the rule for the tool, as what a
// client calls it is the client's invention.
func (p *process) hearCalls(route string, config *mcp.Config) {
	config.Logger = p.log
	config.OnCall = func(_ context.Context, c mcp.Call) {
		decision := gateway.Forbidden
		if c.Allowed {
			decision = gateway.Passed
		}
		rule := cmp.Or(c.Rule, "none")
		if len(config.Tools) == 0 {
			rule = "*"
		}
		p.metrics.tools.WithLabelValues(route, rule, label(string(decision))).Inc()
	}
}
