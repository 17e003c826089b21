package settings

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// broker makes an authorization server of the settings, for the MCP servers of its pool
// that name no other.
func (r *reader) broker(f *file, s *Settings) {
	const key = "broker"
	c := f.Broker
	if c == nil || !c.Enabled && (r.has(key+".enabled") || !r.hasBelow(key)) || len(s.Pools) == 0 {
		return
	}
	pool := &s.Pools[0]
	if c.Pool != "" {
		i := slices.IndexFunc(s.Pools, func(p Pool) bool { return p.Name == c.Pool })
		if i < 0 {
			r.fault(key+".pool", "there is no pool of this name")
			return
		}
		pool = &s.Pools[i]
	}
	if c.Mode != "" {
		r.oneOf(key+".mode", c.Mode, "gateway", "pool")
	}
	if c.Mode == "pool" {
		r.poolBrokers(f, s, pool)
		return
	}
	if s.Sessions == InCookies || pool.Config.InsecureSharedTokensDomain != "" {
		r.fault(key, "it needs sessions in memory, a database or Redis: the gateway cannot end sessions that are in cookies")
	}
	config := &broker.Config{
		Issuer: cmp.Or(c.Issuer, pool.Config.BaseURL), Prefix: c.Prefix, RedirectHosts: c.RedirectHosts, RedirectSchemes: c.RedirectSchemes, Keys: s.Keys, Algorithm: c.Algorithm,
		NoRegistration: r.has(key+".registration") && !c.Registration, NoDocuments: r.has(key+".client_id_documents") && !c.ClientDocuments,
		TokenLifetime: c.TokenLifetime, GrantLifetime: c.GrantLifetime,
	}
	if config.Issuer != pool.Config.BaseURL && !strings.HasPrefix(config.Issuer, pool.Config.BaseURL+"/") {
		r.fault(key+".issuer", "it must be a URL on %s, where people sign in", pool.Config.BaseURL)
	}
	if prefix := "/" + strings.Trim(c.Prefix, "/"); prefix == pool.Prefix {
		r.fault(key+".prefix", "the endpoints of the pool have this prefix; choose another one")
	}
	if c.Algorithm != "" {
		r.oneOf(key+".algorithm", c.Algorithm, "RS256", "ES256", "EdDSA")
	}
	for id, own := range c.Clients {
		config.Clients = append(config.Clients, broker.Client{ID: id, Name: own.Name, RedirectURIs: own.RedirectURIs})
	}
	for i, server := range s.MCP {
		if server == nil || len(server.AuthorizationServers) > 0 || poolOf(s, f.Routes[i]) != pool {
			continue
		}
		server.AuthorizationServers, server.RegistrationEndpoint, server.ClientDocuments = []string{config.Issuer}, "", false
		resource := broker.Resource{URL: server.URL, Name: server.Name, Scopes: slices.Clone(server.Scopes), Default: server.Scopes}
		for _, tool := range server.Tools {
			for _, scope := range tool.Scopes {
				if !slices.Contains(resource.Scopes, scope) {
					resource.Scopes = append(resource.Scopes, scope)
				}
			}
		}
		slices.Sort(resource.Scopes[len(server.Scopes):])
		config.Resources = append(config.Resources, resource)
	}
	if r.faulty(key) || r.faulty("routes") {
		return
	}
	if len(config.Resources) == 0 {
		r.fault(key, "no route of the pool has mcp; add mcp to a route, or remove broker")
		return
	}
	if err := config.Check(); err != nil {
		for _, leaf := range leaves(err) {
			r.fault(key, "%s", strings.TrimPrefix(leaf.Error(), "configure broker: "))
		}
		return
	}
	s.Broker, s.BrokerPool = config, pool.Name
}

// poolBrokers has clients of MCP servers be those of the pool.
func (r *reader) poolBrokers(f *file, s *Settings, pool *Pool) {
	const key = "broker"
	for _, line := range slices.Sorted(maps.Keys(r.lines)) {
		if name, ok := strings.CutPrefix(line, key+"."); ok && !slices.Contains([]string{"enabled", "mode", "pool"}, name) && !strings.ContainsAny(name, ".[") {
			r.fault(line, "with mode: pool, the pool decides this; remove it")
		}
	}
	found := false
	for i, server := range s.MCP {
		if server == nil || len(server.AuthorizationServers) > 0 || poolOf(s, f.Routes[i]) != pool {
			continue
		}
		server.PoolClients, found = true, true
		if server.InsecureNoAudience {
			r.fault(fmt.Sprintf("routes[%d].mcp.insecure_no_audience", i), "with broker.mode: pool, anybody can be a client: tokens must be bound to the server; remove it")
		}
	}
	if !found && !r.faulty("routes") {
		r.fault(key, "no route of the pool has mcp; add mcp to a route, or remove broker")
	}
}

// brokered reports whether clients of an MCP server are sent to the broker.
func (s *Settings) brokered(c mcp.Config) bool {
	return s.Broker != nil && len(c.AuthorizationServers) == 1 && c.AuthorizationServers[0] == s.Broker.Issuer
}

// brokerRoutes lead to the broker, or to nobody.
func (s *Settings) brokerRoutes(b *broker.Broker) (all []gateway.Route, err error) {
	if s.Broker == nil {
		return nil, nil
	}
	handlers := make(map[string]http.Handler)
	if b != nil {
		handlers = b.Handlers()
	} else {
		paths, err := s.Broker.Paths()
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			handlers[path] = http.NotFoundHandler()
		}
	}
	host := ""
	for _, p := range s.Pools {
		if u, err := url.Parse(s.Broker.Issuer); err == nil && p.Name == s.BrokerPool && len(p.Hosts) > 0 {
			host = u.Hostname()
		}
	}
	for path, h := range handlers {
		all = append(all, gateway.Route{Name: "broker " + path, Host: host, Path: path, Exact: true, Tenant: s.BrokerPool, Public: true, Handler: h})
	}
	slices.SortFunc(all, func(a, b gateway.Route) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}
