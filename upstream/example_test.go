package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/upstream"
)

// People agree once that a service behind gets their token of GitHub. Until then, the error
// says where they do so.
func Example() {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	github, err := upstream.New(upstream.Config{
		Name: "github", Auth: auth,
		AuthorizeURL: "https://github.com/login/oauth/authorize", TokenURL: "https://github.com/login/oauth/access_token",
		ClientID: "Iv1.0123456789abcdef", ClientSecret: "from your secret store", Scopes: []string{"read:user"},
		Keys: session.RandomKeyring(), // the same in every process
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	for path, handler := range github.Handlers() {
		mux.Handle(path, handler)
	}
	mux.Handle("/repos", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		token, err := github.Token(r.Context(), id)
		_, _ = token, err // a *upstream.ConsentError answers the request
	})))

	alice := &codegrant.Identity{Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: "alice"}
	_, err = github.Token(context.Background(), alice)
	var consent *upstream.ConsentError
	if errors.As(err, &consent) {
		fmt.Println(consent.URL)
	}
	// Output: https://app.example.com/upstream/github/connect
}
