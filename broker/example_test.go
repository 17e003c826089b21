package broker_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// An authorization server for clients that register themselves. People agree to each. Clients
// find it by its metadata.
func Example() {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	authority, err := broker.New(broker.Config{
		Auth: auth, Keys: session.RandomKeyring(), // the same in every process
		Resources:     []broker.Resource{{URL: "https://app.example.com/mcp", Name: "Documents", Scopes: []string{"docs/read"}}},
		RedirectHosts: []string{"claude.ai"},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	authority.Mount(mux)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	var metadata struct {
		Issuer   string `json:"issuer"`
		Token    string `json:"token_endpoint"`
		Register string `json:"registration_endpoint"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &metadata); err != nil {
		log.Fatal(err)
	}
	fmt.Println(metadata.Issuer)
	fmt.Println(metadata.Token)
	fmt.Println(metadata.Register)
	// Output:
	// https://app.example.com
	// https://app.example.com/oauth/token
	// https://app.example.com/oauth/register
}
