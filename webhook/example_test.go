package webhook_test

import (
	"fmt"
	"log"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// An endpoint has a secret that its receiver knows messages by, and hears of the events
// that it names.
func ExampleEndpoint() {
	secret, err := webhook.ParseSecret(webhook.NewSecret())
	if err != nil {
		log.Fatal(err)
	}
	crm := webhook.Endpoint{
		Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []webhook.Secret{secret},
		Events: []string{replica.EventCreated, replica.EventDeleted},
	}
	fmt.Println(crm.Check())
	crm.URL = "http://crm.example.com/hooks"
	fmt.Println(crm.Check() != nil)
	// Output:
	// <nil>
	// true
}
