package mcp_test

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/mcp"
)

// An MCP server as a protected resource of the pool. Everybody with the scope may search,
// and administrators may delete. A client without a token is told where to get one.
func Example() {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	server := http.NotFoundHandler() // of any SDK: codegrant.From(r.Context()) says who asks
	resource, err := mcp.New(mcp.Config{
		URL: "https://app.example.com/mcp", Endpoints: auth.Endpoints(), Scopes: []string{"https://app.example.com/mcp/read"},
		Tools: []mcp.Tool{
			{Name: "search"},
			{Name: "delete_*", Permissions: []codegrant.Permission{codegrant.InGroup("admins")}},
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	resource.Mount(mux, auth, server)

	call := httptest.NewRequest(http.MethodPost, "https://app.example.com/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	call.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, call)
	fmt.Println(answer.Code, "and the metadata are at", resource.MetadataURL())
	// Output: 401 and the metadata are at https://app.example.com/.well-known/oauth-protected-resource/mcp
}
