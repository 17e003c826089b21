package exchange_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/session"
)

// A service hands on a token that is good at one other service alone, in place of the
// person's own.
func Example() {
	issuer, err := exchange.NewIssuer(exchange.IssuerConfig{URL: "https://app.example.com/exchange", Keys: session.RandomKeyring()})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	for path, handler := range issuer.Handlers() { // the other service finds the keys there
		mux.Handle(path, handler)
	}
	tokens, err := exchange.New(exchange.Config{Audience: "https://orders.example.com", Scopes: []string{"orders/read"}, By: issuer})
	if err != nil {
		log.Fatal(err)
	}
	transport, err := tokens.Transport(nil, "https://orders.example.com") // and to no other host
	client := &http.Client{Transport: transport}
	fmt.Println(client.Transport != nil, err)
	// Output: true <nil>
}
