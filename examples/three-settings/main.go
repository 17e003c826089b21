// Command three-settings is a whole service that signs people in: the three
// settings of the environment are all that it needs.
//
//	AUTH_COGNITO_CLIENT_ID, AUTH_COGNITO_CODE_GRANT_URL, AUTH_COGNITO_JWKS_URL
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/codegrant/codegrant"
)

func main() {
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	auth, err := codegrant.New(config)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, "Hello %s, you are in %v.\n", id.Email, id.Groups)
	})))
	log.Fatal(http.ListenAndServe("localhost:8080", mux))
}
