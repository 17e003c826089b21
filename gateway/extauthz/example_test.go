package extauthz_test

import (
	"context"
	"log"
	"net"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
)

// Envoy asks over gRPC. Its address has to be among the gateway's trusted proxies.
func Example() {
	var g *gateway.Gateway // by gateway.New
	server, err := extauthz.New(extauthz.Config{Gateway: g})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:9191")
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Serve(context.Background(), listener); err != nil { // until the context ends
		log.Fatal(err)
	}
}
