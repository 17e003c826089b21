package upstream_test

import (
	"log"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/upstream"
)

// People agree once that a service behind gets their token of GitHub.
func Example() {
	var auth *codegrant.Auth // by codegrant.New, with sessions in a store
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
	for path, handler := range github.Handlers() {
		mux.Handle(path, handler)
	}
	mux.Handle("/repos", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		token, err := github.Token(r.Context(), id) // a *upstream.ConsentError has where to agree
		_, _ = token, err
	})))
}
