// Command lambda is a Lambda authorizer for API Gateway: one function for REST, HTTP and
// WebSocket APIs. It verifies access tokens of a user pool with package verify, and needs
// no session, no store and no network but for the pool's keys.
package main

import (
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/codegrant/codegrant/verify"
)

// rules say what a request needs. The first that is for it decides; where none is, nobody
// may pass.
var rules = []rule{
	{method: "GET", path: "/orders", scope: "orders/read"},
	{path: "/orders", scope: "orders/write"},
	{path: "/reports", group: "analysts"},
	{method: connects, scope: "openid"},
}

func main() {
	verifier, err := verify.New(verify.Config{
		Issuer:    os.Getenv("COGNITO_ISSUER"), // https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E
		ClientIDs: strings.Fields(os.Getenv("COGNITO_CLIENT_IDS")),
		JWKSURL:   os.Getenv("COGNITO_JWKS_URL"), // empty: the issuer's
	})
	if err != nil {
		log.Fatal(err)
	}
	a := &authorizer{verifier: verifier, rules: rules, log: slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	lambda.Start(a.handle)
}
