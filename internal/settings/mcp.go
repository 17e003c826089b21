package settings

import (
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
)

// mcp makes a protected resource of a route's settings; nil: it is none.
func (r *reader) mcp(key string, c route, s *Settings) *mcp.Config {
	m := c.MCP
	if m == nil || !m.Enabled && (r.has(key+".enabled") || !r.hasBelow(key)) {
		return nil
	}
	switch {
	case c.Public:
		r.fault(key, "the route is public, and an MCP server cannot be; remove one of them")
	case c.Upstream == nil:
		r.fault(key, "the route has no upstream; set the URL of the MCP server")
	case c.ReadOnlyForOthers:
		r.fault(key, "read_only_for_others does not work for MCP: all calls are POST; remove it")
	}
	config := &mcp.Config{
		URL: m.URL, AuthorizationServers: m.Servers, Name: m.Title, Documentation: m.Documentation, Scopes: c.Scopes,
		RegistrationEndpoint: m.Registration, ClientDocuments: m.ClientDocuments, Origins: m.Origins, InsecureNoAudience: m.NoAudience, MaxMessage: int64(m.MaxMessage), Keys: s.Keys,
	}
	if pool := poolOf(s, c); pool != nil {
		if config.URL == "" {
			config.URL = pool.Config.BaseURL + strings.TrimSuffix(c.Path, "/")
		}
		config.Endpoints, _ = pool.Config.Pool.Endpoints() // its faults are the pool's
	}
	for name, t := range m.Tools {
		tool := mcp.Tool{Name: name, Scopes: t.Scopes, Listed: t.Listed}
		for _, group := range t.Groups {
			if group != "" { // it has a fault already
				tool.Permissions = append(tool.Permissions, s.People.InGroup(group))
			}
		}
		if len(t.AnyGroups) > 0 && !slices.Contains(t.AnyGroups, "") {
			tool.Permissions = append(tool.Permissions, s.People.InAnyGroup(t.AnyGroups...))
		}
		named := r.named(key+".tools."+label(name), route{Roles: t.Roles, AnyRoles: t.AnyRoles}, s)
		tool.Permissions = append(tool.Permissions, named...)
		config.Tools = append(config.Tools, tool)
	}
	if r.faulty(key) {
		return nil
	}
	for i, other := range s.MCP {
		if other != nil && other.URL == config.URL {
			r.fault(key, "routes[%[2]d] has the same url %[1]s; choose another one", config.URL, i)
		}
	}
	if _, err := mcp.New(*config); err != nil {
		for _, leaf := range leaves(err) {
			r.fault(key, "%s", strings.TrimPrefix(leaf.Error(), "configure MCP resource: "))
		}
		return nil
	}
	return config
}

// hasBelow reports whether the file has a key below this one.
func (r *reader) hasBelow(key string) bool {
	for line := range r.lines {
		if strings.HasPrefix(line, key+".") {
			return true
		}
	}
	return false
}

// poolOf is the pool whose people a route is for: the one that it names, that of its host,
// or the first that names no host.
func poolOf(s *Settings, c route) *Pool {
	var found *Pool
	for i := range s.Pools {
		p := &s.Pools[i]
		named := slices.ContainsFunc(p.Hosts, func(h string) bool { return hostOf(h) == hostOf(c.Host) })
		switch {
		case c.Tenant != "" && p.Name == c.Tenant, c.Tenant == "" && c.Host != "" && named:
			return p
		case c.Tenant == "" && found == nil && len(p.Hosts) == 0:
			found = p
		}
	}
	if found == nil && c.Tenant == "" && len(s.Pools) > 0 {
		found = &s.Pools[0]
	}
	return found
}

// AllRoutes are those of the file, with what follows from them: guards of MCP servers,
// where their metadata are, the endpoints of the broker, and the console, which answers
// nobody yet. hear completes what a
// server's guard tells of its calls; it may be nil. So may b be, where nobody is to be
// answered.
func (s *Settings) AllRoutes(hear func(route string, config *mcp.Config), b *broker.Broker) ([]gateway.Route, error) {
	all := slices.Clone(s.Routes)
	hosts := make(map[string]int) // of routes, with how many servers
	for i, c := range s.MCP {
		if c != nil {
			hosts[hostOf(all[i].Host)]++
		}
	}
	for i, c := range s.MCP {
		if c == nil {
			continue
		}
		route, config := &all[i], *c
		if b != nil && s.brokered(config) {
			config.Issued, config.OnEnd = b.Issued(config.URL), b.OnEnd
		}
		if hear != nil {
			hear(nameOf(*route), &config)
		}
		resource, err := mcp.New(config)
		if err != nil {
			return nil, err
		}
		route.Guard = resource
		serve := func(what, path string, h http.Handler) {
			all = append(all, gateway.Route{
				Name: nameOf(s.Routes[i]) + " " + what, Host: s.Routes[i].Host, Path: path, Exact: true, Tenant: s.Routes[i].Tenant, Public: true, Handler: h,
			})
		}
		serve("metadata", resource.MetadataPath(), resource.Metadata())
		if hosts[hostOf(s.Routes[i].Host)] == 1 && resource.MetadataPath() != mcp.RootMetadataPath {
			serve("metadata", mcp.RootMetadataPath, resource.Metadata())
		}
		if server := resource.ServerMetadata(); server != nil {
			serve("pool metadata", resource.ServerMetadataPath(), server)
		}
	}
	brokers, err := s.brokerRoutes(b)
	if s.Console != nil {
		brokers = append(brokers, s.Console.Route)
	}
	return append(all, brokers...), err
}

func nameOf(route gateway.Route) string {
	if route.Name != "" {
		return route.Name
	}
	return hostOf(route.Host) + pathOf(route)
}
