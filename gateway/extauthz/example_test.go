package extauthz_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/extauthz"
)

// Envoy asks over gRPC. Its address has to be among the gateway's trusted proxies.
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
	server, err := extauthz.New(extauthz.Config{Gateway: g})
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

	// What Envoy does for each request.
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: http.MethodGet, Host: "app.example.com", Path: "/reports", Scheme: "https",
			Headers: map[string]string{":method": "GET", ":authority": "app.example.com", ":path": "/reports", ":scheme": "https"},
		}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("nobody is signed in:", answer.GetDeniedResponse().GetStatus().GetCode())
	_ = conn.Close()
	stop()
	fmt.Println("stopped:", <-ended)
	// Output:
	// nobody is signed in: Unauthorized
	// stopped: <nil>
}
