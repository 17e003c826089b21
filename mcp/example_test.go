package mcp_test

import (
	"log"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/mcp"
)

// An MCP server as a protected resource of the pool. Everybody with the scope may search,
// and administrators may delete.
func Example() {
	var auth *codegrant.Auth // by codegrant.New
	var server http.Handler  // of any SDK: codegrant.From(r.Context()) says who asks
	resource, err := mcp.New(mcp.Config{
		URL: "https://app.example.com/mcp", Endpoints: auth.Endpoints(), Scopes: []string{"https://app.example.com/mcp/read"},
		Tools: []mcp.Tool{
			{Name: "search"},
			{Name: "delete_*", Permissions: []codegrant.Permission{codegrant.InGroup("admins")}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	resource.Mount(mux, auth, server)
}
