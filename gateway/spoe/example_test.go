package spoe_test

import (
	"context"
	"log"
	"net"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/spoe"
)

// HAProxy asks by SPOE. Its address has to be among the gateway's trusted proxies.
func Example() {
	var g *gateway.Gateway // by gateway.New
	server, err := spoe.New(spoe.Config{Gateway: g})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", "/run/codegrant/spoe.sock")
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Serve(context.Background(), listener); err != nil { // until the context ends
		log.Fatal(err)
	}
}
