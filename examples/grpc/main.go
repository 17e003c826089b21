// Command grpc is a gRPC service that takes its callers' access tokens, and the web
// site in front of it: people sign in there, and it calls the service on their
// behalf.
//
// guard.go is what to take along. How to run it is in the README one folder up.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/examples/grpc/orders"
	"github.com/codegrant/codegrant/examples/shop"
)

func main() {
	listen := flag.String("listen", "localhost:8080", "address of the site")
	listenGRPC := flag.String("grpc", "localhost:9090", "address of the gRPC service")
	flag.Parse()
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	auth, err := codegrant.New(config)
	if err != nil {
		log.Fatal(err)
	}

	listener, err := net.Listen("tcp", *listenGRPC)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(newServer(auth, shop.New()).Serve(listener)) }()

	// In the clear because both ends are on this machine: a token is as good as
	// whoever it stands for.
	conn, err := grpc.NewClient(*listenGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, site(auth, orders.NewOrdersClient(conn))))
}

func site(auth *codegrant.Auth, client orders.OrdersClient) http.Handler {
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	signedIn := auth.Require()
	mux.Handle("GET /{$}", signedIn(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>Orders</title><form method="post" action="/orders"><input name="product" value="tea"> <button>Order</button></form>`)
	})))
	mux.Handle("POST /orders", signedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		order, err := client.Place(onBehalf(r), &orders.PlaceRequest{Product: r.FormValue("product")})
		answer(w, order, err)
	})))
	mux.Handle("GET /orders/{order}", signedIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		order, err := client.Get(onBehalf(r), &orders.GetRequest{Id: r.PathValue("order")})
		answer(w, order, err)
	})))
	return mux
}

// onBehalf hands the access token of a request on to the calls that it makes. It is
// a live one: the session sees to that.
func onBehalf(r *http.Request) context.Context {
	id, _ := codegrant.From(r.Context())
	return metadata.AppendToOutgoingContext(r.Context(), "authorization", "Bearer "+id.AccessToken().Reveal())
}

// answer says in HTTP what the service said in gRPC.
func answer(w http.ResponseWriter, order *orders.Order, err error) {
	switch status.Code(err) {
	case codes.OK:
		body, err := protojson.Marshal(order)
		if err != nil {
			http.Error(w, "The answer cannot be shown.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client may have gone
	case codes.Unauthenticated:
		http.Error(w, "Sign in.", http.StatusUnauthorized)
	case codes.PermissionDenied:
		http.Error(w, "Not yours.", http.StatusForbidden)
	case codes.NotFound:
		http.Error(w, "There is no such order.", http.StatusNotFound)
	default:
		http.Error(w, "Try again.", http.StatusServiceUnavailable)
	}
}
