package machine_test

import (
	"log"
	"net/http"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/machine"
)

// A service calls another one with a token of its own. The token goes to that service only.
func Example() {
	source, err := machine.New(machine.Config{
		Pool: cognito.Pool{
			ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com",
			ClientID: "5n8servicesEXAMPLE", ClientSecret: "from your secret store",
		},
		Scopes: []string{"orders/read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	transport, err := source.Transport(nil, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	_ = client // client.Get("https://orders.example.com/orders")
}
