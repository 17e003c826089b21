// Command apikeys is a service that people sign in to, and that programs call with API
// keys of its own.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
)

func main() {
	issue := flag.String("issue", "", "make a key for this owner, print it and end")
	rotate := flag.String("rotate", "", "make a key in place of the one with this id, print it and end")
	flag.Parse()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "apikeys.db")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := openKeys(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	const life, overlap = 90 * 24 * time.Hour, 24 * time.Hour
	switch {
	case *issue != "":
		key, err := keys.issue(ctx, *issue, []string{"orders/read"}, life)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key)
		return
	case *rotate != "":
		key, err := keys.rotate(ctx, *rotate, life, overlap)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key)
		return
	}
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	handler, err := newService(config, keys)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", handler))
}

func newService(config codegrant.Config, keys *keys) (http.Handler, error) {
	config.Authenticators = []codegrant.Authenticator{keys}
	auth, err := codegrant.New(config)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	orders := codegrant.Any(codegrant.SignedIn(), codegrant.Machine("orders/read"))
	mux.Handle("GET /orders", auth.Require(orders)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, "orders for %s%s\n", id.Username, id.ClientID)
	})))
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })))
	return mux, nil
}
