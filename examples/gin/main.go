// Command gin is a service on the router gin. It needs the few lines of the
// function wrap: gin's middleware is not net/http's.
//
// How to run it is in the README one folder up.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/gin-gonic/gin"

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

// wrap makes middleware of net/http, such as auth.Require(…), gin's. A request
// that the middleware answers itself goes no further: gin.WrapH would run the
// handler all the same.
func wrap(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, p := range c.Params {
			c.Request.SetPathValue(p.Key, p.Value) // for permissions that ask for it
		}
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // carries the identity
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

func routes(auth *codegrant.Auth, s *shop.Shop) http.Handler {
	require := func(permissions ...codegrant.Permission) gin.HandlerFunc { return wrap(auth.Require(permissions...)) }

	r := gin.New() // gin.Default would log the query of the callback, and the code in it
	r.Use(gin.Recovery())
	r.Any("/auth/*endpoint", gin.WrapH(auth.Handler("/auth")))

	// Everybody, and people who are signed in by name.
	r.GET("/", wrap(auth.Identify), func(c *gin.Context) {
		if id, ok := codegrant.From(c.Request.Context()); ok {
			c.String(http.StatusOK, "Hello %s, you are in %v.\n", id.Email, id.Groups)
			return
		}
		c.String(http.StatusOK, "Hello stranger.\n")
	})

	// One route, by scope.
	r.GET("/profile", require(codegrant.HasScope("profile")), func(c *gin.Context) {
		id, _ := codegrant.From(c.Request.Context())
		c.JSON(http.StatusOK, gin.H{"username": id.Username, "name": id.Name})
	})

	// A subtree, by group.
	reports := r.Group("/reports", require(codegrant.InGroup("analysts")))
	reports.GET("/", func(c *gin.Context) { c.JSON(http.StatusOK, []string{"sales"}) })
	reports.GET("/:report", func(c *gin.Context) { c.JSON(http.StatusOK, "all about "+c.Param("report")) })

	// A subtree that some may change, and all others read.
	products := r.Group("/products", require(codegrant.Any(codegrant.InAnyGroup("admins", "editors"), codegrant.ReadOnly())))
	products.GET("", func(c *gin.Context) { c.JSON(http.StatusOK, s.Products()) })
	products.POST("", func(c *gin.Context) {
		s.AddProduct(c.PostForm("name"))
		c.JSON(http.StatusCreated, s.Products())
	})

	// By object.
	own := codegrant.PermissionFunc("an order of your own", func(_ context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
		order, ok := s.Order(r.PathValue("order"))
		return ok && order.Owner == id.Subject, nil
	})
	orders := r.Group("/orders", require())
	orders.POST("", func(c *gin.Context) {
		id, _ := codegrant.From(c.Request.Context())
		c.JSON(http.StatusCreated, s.Place(id.Subject, c.PostForm("product")))
	})
	orders.GET("/:order", require(codegrant.Any(own, codegrant.InGroup("admins"))), func(c *gin.Context) {
		order, ok := s.Order(c.Param("order"))
		if !ok {
			c.Status(http.StatusNotFound)
			return
		}
		c.JSON(http.StatusOK, order)
	})
	return r
}
