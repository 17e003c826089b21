// Command echo is a service on the router echo, whose WrapMiddleware and
// WrapHandler are all that it needs.
//
// How to run it is in the README one folder up.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/labstack/echo/v5"

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
	require := func(permissions ...codegrant.Permission) echo.MiddlewareFunc {
		return echo.WrapMiddleware(auth.Require(permissions...))
	}

	e := echo.New()
	e.Any("/auth/*", echo.WrapHandler(auth.Handler("/auth")))

	// Everybody, and people who are signed in by name.
	e.GET("/", func(c *echo.Context) error {
		if id, ok := codegrant.From(c.Request().Context()); ok {
			return c.String(http.StatusOK, fmt.Sprintf("Hello %s, you are in %v.\n", id.Email, id.Groups))
		}
		return c.String(http.StatusOK, "Hello stranger.\n")
	}, echo.WrapMiddleware(auth.Identify))

	// One route, by scope.
	e.GET("/profile", func(c *echo.Context) error {
		id, _ := codegrant.From(c.Request().Context())
		return c.JSON(http.StatusOK, map[string]string{"username": id.Username, "name": id.Name})
	}, require(codegrant.HasScope("profile")))

	// A subtree, by group.
	reports := e.Group("/reports", require(codegrant.InGroup("analysts")))
	reports.GET("/", func(c *echo.Context) error { return c.JSON(http.StatusOK, []string{"sales"}) })
	reports.GET("/:report", func(c *echo.Context) error { return c.JSON(http.StatusOK, "all about "+c.Param("report")) })

	// A subtree that some may change, and all others read.
	products := e.Group("/products", require(codegrant.Any(codegrant.InAnyGroup("admins", "editors"), codegrant.ReadOnly())))
	products.GET("", func(c *echo.Context) error { return c.JSON(http.StatusOK, s.Products()) })
	products.POST("", func(c *echo.Context) error {
		s.AddProduct(c.FormValue("name"))
		return c.JSON(http.StatusCreated, s.Products())
	})

	// By object: WrapMiddleware hands echo's path parameters on as path values.
	own := codegrant.PermissionFunc("an order of your own", func(_ context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
		order, ok := s.Order(r.PathValue("order"))
		return ok && order.Owner == id.Subject, nil
	})
	orders := e.Group("/orders", require())
	orders.POST("", func(c *echo.Context) error {
		id, _ := codegrant.From(c.Request().Context())
		return c.JSON(http.StatusCreated, s.Place(id.Subject, c.FormValue("product")))
	})
	orders.GET("/:order", func(c *echo.Context) error {
		order, ok := s.Order(c.Param("order"))
		if !ok {
			return echo.ErrNotFound
		}
		return c.JSON(http.StatusOK, order)
	}, require(codegrant.Any(own, codegrant.InGroup("admins"))))
	return e
}
