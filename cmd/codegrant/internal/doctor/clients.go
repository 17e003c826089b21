package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/mcp"
)

// unknownClients says what a pool can do for clients of MCP servers that it does not know,
// and so whether broker has to stand in front of it.
func (e *examination) unknownClients(ctx context.Context, s *settings.Settings, pool settings.Pool) {
	endpoints, err := pool.Config.Pool.Endpoints()
	var servers []*mcp.Config
	for _, server := range s.MCP {
		if server != nil && server.Endpoints.Issuer == endpoints.Issuer {
			servers = append(servers, server)
		}
	}
	if err != nil || len(servers) == 0 {
		return
	}
	a, err := e.ask(ctx, http.MethodGet, endpoints.Issuer+"/.well-known/openid-configuration", nil, "")
	var can struct {
		Registration string `json:"registration_endpoint"`
		Documents    bool   `json:"client_id_metadata_document_supported"`
	}
	if err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &can) != nil {
		return // said with the issuer
	}
	var does []string
	if can.Registration != "" {
		does = append(does, "registers clients")
	}
	if can.Documents {
		does = append(does, "takes client ID metadata documents")
	}
	by := slices.IndexFunc(servers, func(c *mcp.Config) bool { return c.PoolClients }) >= 0
	switch said := slices.ContainsFunc(servers, func(c *mcp.Config) bool { return c.RegistrationEndpoint != "" || c.ClientDocuments }); {
	case len(does) == 0 && by && !said:
		e.fault("clients", "write broker: {mode: gateway}, which needs nothing of the pool; or turn registration or a policy of client metadata documents on, on the Essentials or Plus plan",
			"the pool neither registers clients nor takes their metadata documents: with broker.mode: pool, no client of an MCP server gets in")
	case len(does) == 0:
		e.fine("clients", "for MCP servers, the pool allows broker.mode: gateway alone: it neither registers clients nor takes their metadata documents")
	case by:
		e.warn("clients", "where a client that people have not agreed to must not act for them, write broker: {mode: gateway}",
			"the pool %s for MCP servers, and asks nobody whether a client may act for them: who is signed in at the pool is not asked anything", strings.Join(does, " and "))
	default:
		e.fine("clients", "for MCP servers, the pool allows broker.mode: pool, too: it %s, and asks nobody for consent", strings.Join(does, " and "))
	}
	if by && can.Registration != "" {
		e.registrationScopes(ctx, pool, servers)
	}
}

// registrationScopes finds scopes of MCP servers that no client can get which registers itself.
func (e *examination) registrationScopes(ctx context.Context, pool settings.Pool, servers []*mcp.Config) {
	endpoints, err := pool.Config.Pool.Endpoints()
	if err != nil {
		return
	}
	api, err := e.api(ctx, pool.Config, endpoints)
	if err != nil || api == nil {
		return // said with the plan
	}
	var described struct {
		UserPool struct {
			DcrConfiguration *struct {
				OpenDcrEnabled bool
				AllowedScopes  []string
			}
		}
	}
	if api.ofPool(ctx, "DescribeUserPool", &described) != nil || described.UserPool.DcrConfiguration == nil {
		return
	}
	rules := described.UserPool.DcrConfiguration
	var lacks []string
	for _, server := range servers {
		wanted := slices.Clone(server.Scopes)
		for _, tool := range server.Tools {
			wanted = append(wanted, tool.Scopes...)
		}
		for _, scope := range wanted {
			if !slices.Contains(append([]string{"openid", "email", "phone", "profile"}, rules.AllowedScopes...), scope) && !slices.Contains(lacks, scope) {
				lacks = append(lacks, scope)
			}
		}
	}
	const change = ", together with the pool's other settings, which update-user-pool replaces: see describe-user-pool"
	if len(lacks) > 0 {
		e.fault("clients", "add them to AllowedScopes of the pool's DcrConfiguration"+change, "clients that register at the pool cannot ask for %s: DcrConfiguration.AllowedScopes does not have it", strings.Join(lacks, " and "))
	}
	if !rules.OpenDcrEnabled {
		e.warn("clients", "set OpenDcrEnabled of the pool's DcrConfiguration"+change+", write broker: {mode: gateway}, or have clients use documents",
			"the pool registers nobody without an access token, which clients of MCP servers do not have: their registration is refused")
	}
}
