package gateway_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
)

// A reverse proxy in front of a service: everybody sees /public, and analysts see /reports.
func Example() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %q", r.URL.Path, r.Header.Get("X-Auth-Email"))
	}))
	defer service.Close()
	auth, err := codegrant.New(codegrant.Config{
		Pool: cognito.Pool{
			Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "2example3client4",
		},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	upstream := &gateway.Upstream{URLs: []string{service.URL}}
	g, err := gateway.New(gateway.Config{
		Tenants: []gateway.Tenant{{Auth: auth}},
		Routes: []gateway.Route{
			{Path: "/public", Public: true, Upstream: upstream},
			{Path: "/reports", Permissions: []codegrant.Permission{codegrant.InGroup("analysts")}, Upstream: upstream},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/public", "/reports", "/other"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "app.example.com"
		r.Header.Set("X-Auth-Email", "forged@example.com") // it does not reach the service
		g.ServeHTTP(w, r)
		fmt.Println(path, w.Code)
		if w.Code == http.StatusOK {
			fmt.Println(w.Body)
		}
	}
	// Output:
	// /public 200
	// /public for ""
	// /reports 401
	// /other 404
}
