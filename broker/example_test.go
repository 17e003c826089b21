package broker_test

import (
	"log"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/session"
)

// An authorization server for clients that register themselves. People agree to each.
func Example() {
	var auth *codegrant.Auth // by codegrant.New, with sessions in a store
	authority, err := broker.New(broker.Config{
		Auth: auth, Keys: session.RandomKeyring(), // the same in every process
		Resources:     []broker.Resource{{URL: "https://app.example.com/mcp", Name: "Documents", Scopes: []string{"docs/read"}}},
		RedirectHosts: []string{"claude.ai"},
	})
	if err != nil {
		log.Fatal(err)
	}
	authority.Mount(http.NewServeMux())
}
