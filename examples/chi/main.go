// Command chi is a service on the router chi. Its middleware is net/http's, and
// so is Codegrant's: nothing stands between them.
//
// How to run it is in the README one folder up.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/examples/shop"
)

func main() {
	listen := flag.String("listen", "localhost:8080", "address to listen on")
	flag.Parse()
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	auth, err := codegrant.New(config)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, routes(auth, shop.New())))
}

func routes(auth *codegrant.Auth, s *shop.Shop) http.Handler {
	r := chi.NewRouter()
	r.Mount("/auth", auth.Handler("/auth"))

	// Everybody, and people who are signed in by name.
	r.With(auth.Identify).Get("/", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := codegrant.From(r.Context()); ok {
			fmt.Fprintf(w, "Hello %s, you are in %v.\n", id.Email, id.Groups)
			return
		}
		fmt.Fprintln(w, "Hello stranger.")
	})

	// One route, by scope.
	r.With(auth.Require(codegrant.HasScope("profile"))).Get("/profile", func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		answer(w, http.StatusOK, map[string]string{"username": id.Username, "name": id.Name})
	})

	// A subtree, by group.
	r.Route("/reports", func(r chi.Router) {
		r.Use(auth.Require(codegrant.InGroup("analysts")))
		r.Get("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, []string{"sales"}) })
		r.Get("/{report}", func(w http.ResponseWriter, r *http.Request) {
			answer(w, http.StatusOK, "all about "+r.PathValue("report"))
		})
	})

	// A subtree that some may change, and all others read.
	r.Route("/products", func(r chi.Router) {
		r.Use(auth.Require(codegrant.Any(codegrant.InAnyGroup("admins", "editors"), codegrant.ReadOnly())))
		r.Get("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Products()) })
		r.Post("/", func(w http.ResponseWriter, r *http.Request) {
			s.AddProduct(r.FormValue("name"))
			answer(w, http.StatusCreated, s.Products())
		})
	})

	// By object. A path value is known once its route is found: ask for it with
	// With, which runs then, and not with Use, which runs before.
	own := codegrant.PermissionFunc("an order of your own", func(_ context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
		order, ok := s.Order(r.PathValue("order"))
		return ok && order.Owner == id.Subject, nil
	})
	r.Route("/orders", func(r chi.Router) {
		r.Use(auth.Require())
		r.Post("/", func(w http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			answer(w, http.StatusCreated, s.Place(id.Subject, r.FormValue("product")))
		})
		r.With(auth.Require(codegrant.Any(own, codegrant.InGroup("admins")))).Get("/{order}", func(w http.ResponseWriter, r *http.Request) {
			order, ok := s.Order(r.PathValue("order"))
			if !ok {
				http.NotFound(w, r)
				return
			}
			answer(w, http.StatusOK, order)
		})
	})
	return r
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
