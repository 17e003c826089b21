package cedar_test

import (
	"fmt"
	"log"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/rule/cedar"
)

// A policy lets everybody read, and nobody else than its owner change an order.
func Example() {
	policies, err := cedar.New(cedar.Config{Namespace: "Shop", Policies: []cedar.File{{Name: "shop.cedar", Text: []byte(`
		@id("all read") permit (principal, action == Shop::Action::"view", resource);
		@id("owners change") permit (principal, action == Shop::Action::"change", resource) when { resource.owner == principal.email };
	`)}}})
	if err != nil {
		log.Fatal(err)
	}
	alice := &codegrant.Identity{
		Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: "s-1",
		Email: "alice@example.com", EmailVerified: true,
	}
	for _, owner := range []string{"alice@example.com", "bob@example.com"} {
		verdict, err := policies.Decide(alice, cedar.Target{Action: "change", Resource: `Order::"42"`, Attributes: map[string]any{"owner": owner}})
		fmt.Println(owner, verdict.Allowed, verdict.Policies, err)
	}
	// Output:
	// alice@example.com true [owners change] <nil>
	// bob@example.com false [] <nil>
}
