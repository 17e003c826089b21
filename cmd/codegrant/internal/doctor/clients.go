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
		does = append(does, "accepts client ID metadata documents")
	}
	by := slices.IndexFunc(servers, func(c *mcp.Config) bool { return c.PoolClients }) >= 0
	switch said := slices.ContainsFunc(servers, func(c *mcp.Config) bool { return c.RegistrationEndpoint != "" || c.ClientDocuments }); {
	case len(does) == 0 && by && !said:
		e.fault("clients", "set broker: {mode: gateway}, which needs no setting of the pool; or, on the Essentials or Plus plan, turn on registration or a policy for client metadata documents",
			"the pool neither registers clients nor accepts their metadata documents: with broker.mode: pool, no client of an MCP server can sign in")
	case len(does) == 0:
		e.fine("clients", "for MCP servers, the pool allows only broker.mode: gateway: it neither registers clients nor accepts their metadata documents")
	case by:
		e.warn("clients", "if clients need the consent of people, set broker: {mode: gateway}",
			"the pool %s for MCP servers, and asks nobody for consent: a client acts for people who are signed in at the pool, without a question", strings.Join(does, " and "))
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
	if len(lacks) > 0 {
		e.fault("clients", "add them to the scopes of clients that register:\n"+updatePool(api.poolID, ".DcrConfiguration.AllowedScopes += "+jsonOf(lacks)), "clients that register at the pool cannot request %s: DcrConfiguration.AllowedScopes does not have it", strings.Join(lacks, " and "))
	}
	if !rules.OpenDcrEnabled {
		e.warn("clients", "set broker: {mode: gateway}, have clients use documents, or open the registration to everybody:\n"+updatePool(api.poolID, ".DcrConfiguration.OpenDcrEnabled = true"),
			"the pool registers clients only with an access token, and clients of MCP servers have none: it refuses their registration")
	}
}
