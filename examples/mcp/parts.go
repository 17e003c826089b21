package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/mcp"
	"github.com/codegrant/codegrant/session"
)

// agentClientID is the app client of agents, who keep no secret.
const agentClientID = "4h2agents5of6this7example"

// mode says who takes clients.
type mode string

const (
	byGateway mode = "gateway" // registers them, and asks people
	byPool    mode = "pool"    // they register there
	byHand    mode = "hand"    // somebody has made an app client
)

// parts are the pool, the MCP server, and the gateway before it.
type parts struct {
	url                  string // what people give to their client
	pool, tools, gateway http.Handler
	close                func()
}

// newParts joins them. In a configuration of codegrant serve, the gateway's part is
//
//	broker: true
//	routes:
//	  - path: /mcp
//	    upstream: http://127.0.0.1:9000
//	    scopes: http://localhost:8090/mcp/read
//	    mcp:
//	      tools:
//	        search: {}
//	        write: {scopes: http://localhost:8090/mcp/write, listed: true}
//	        delete_*: {groups: admins}
//
// With mode: pool, clients register at the pool itself; without the broker, they are sent to
// the pool, which has to know them. fetch gets documents of clients; nil: from public
// addresses alone.
func newParts(site, poolURL, toolsURL, callback string, by mode, fetch *http.Client, log *slog.Logger) (*parts, error) {
	resource := site + "/mcp"
	read, write := resource+"/read", resource+"/write"

	seed := localpool.DefaultSeed(site)
	seed.Pools[0].ResourceServers = append(seed.Pools[0].ResourceServers, localpool.ResourceServerSeed{Identifier: resource, Scopes: []string{"read", "write"}})
	if by == byPool {
		seed.Pools[0].Registration = &localpool.RegistrationSeed{Open: true, Scopes: []string{read, write}}
	}
	seed.Pools[0].Clients = append(seed.Pools[0].Clients, localpool.ClientSeed{ID: agentClientID, Name: "agents", CallbackURLs: []string{callback}, Scopes: []string{read, write}})
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: poolURL, Logger: log})
	if err != nil {
		return nil, err
	}
	web := pool.Clients()[0]
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: web.PoolID, Domain: poolURL, Issuer: web.Issuer, ClientID: web.ID, ClientSecret: cognito.Secret(web.Secret)},
		BaseURL: site, BearerClientIDs: []string{agentClientID}, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	server := mcp.Config{
		URL: resource, Endpoints: auth.Endpoints(), Name: "Documents", Scopes: []string{read}, Logger: log,
		Tools: []mcp.Tool{
			{Name: "search"},
			{Name: "write", Scopes: []string{write}, Listed: true},
			{Name: "delete_*", Permissions: []codegrant.Permission{codegrant.InGroup("admins")}},
		},
	}
	var routes []gateway.Route
	public := func(path string, h http.Handler) {
		routes = append(routes, gateway.Route{Path: path, Exact: true, Public: true, Handler: h})
	}
	server.PoolClients = by == byPool
	if by == byGateway {
		b, err := broker.New(broker.Config{
			Auth: auth, Keys: session.RandomKeyring(), Logger: log, HTTPClient: fetch,
			Clients:   []broker.Client{{ID: agentClientID, Name: "Agents", RedirectURIs: []string{callback}}},
			Resources: []broker.Resource{{URL: resource, Name: "Documents", Scopes: []string{read, write}, Default: []string{read}}},
		})
		if err != nil {
			return nil, err
		}
		server.AuthorizationServers, server.Issued, server.OnEnd = []string{site}, b.Issued(resource), b.OnEnd
		for path, h := range b.Handlers() {
			public(path, h)
		}
	}
	guard, err := mcp.New(server)
	if err != nil {
		return nil, err
	}
	public(guard.MetadataPath(), guard.Metadata())
	public(mcp.RootMetadataPath, guard.Metadata())
	if by != byGateway {
		public(guard.ServerMetadataPath(), guard.ServerMetadata())
	}
	routes = append(routes, gateway.Route{Name: "mcp", Path: "/mcp", Guard: guard, Upstream: &gateway.Upstream{URLs: []string{toolsURL}}})
	front, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Name: "main", Auth: auth}}, Logger: log,
		Routes: routes,
	})
	if err != nil {
		return nil, err
	}
	return &parts{url: resource, pool: pool, tools: newServer(), gateway: front, close: func() {
		_ = front.Close(context.Background())
		_ = pool.Close()
	}}, nil
}
