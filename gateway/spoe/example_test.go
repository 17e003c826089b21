package spoe_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/spoe"
)

// HAProxy asks by SPOE. Its address has to be among the gateway's trusted proxies.
func Example() {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenants:        []gateway.Tenant{{Name: "customers", Auth: auth}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Routes:         []gateway.Route{{Path: "/"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	server, err := spoe.New(spoe.Config{Gateway: g})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, listener) }() // until the context ends
	stop()
	fmt.Println("stopped:", <-ended)
	// Output: stopped: <nil>
}
