package machine_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/machine"
)

// A service calls another one with a token of its own. The token goes to that service only.
func Example() {
	// The pool's token endpoint, and the other service.
	pool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": "token-for-%s", "token_type": "Bearer", "expires_in": 3600}`, r.PostFormValue("scope"))
	}))
	defer pool.Close()
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.URL.Path, r.Header.Get("Authorization"))
	}))
	defer orders.Close()

	source, err := machine.New(machine.Config{
		Pool: cognito.Pool{
			Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Domain: pool.URL,
			ClientID: "5n8servicesEXAMPLE", ClientSecret: "from your secret store",
		},
		Scopes: []string{"orders/read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	transport, err := source.Transport(nil, orders.URL)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	for range 2 { // with one token
		answer, err := client.Get(orders.URL + "/orders")
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Print(string(body), err, "\n")
	}
	// Output:
	// /orders Bearer token-for-orders/read
	// <nil>
	// /orders Bearer token-for-orders/read
	// <nil>
}
