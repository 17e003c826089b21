package console_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/console"
)

// A program gives its operators the console, and asks for a sign-in of the last ten
// minutes before it ends a session.
func ExampleNew() {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	pages, err := console.New(console.Config{
		Auth:   auth,
		Groups: []string{"operators"},
		Unsafe: []codegrant.Permission{codegrant.SignedInWithin(10 * time.Minute)},
		State: func(context.Context) console.State {
			return console.State{Panels: []console.Panel{{Title: "Service", Facts: []console.Fact{{Name: "Version", Text: "v1.2.3"}}}}}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pages.Close()
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/console/", pages)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "https://app.example.com/console/", nil))
	fmt.Println("nobody is signed in:", answer.Code)
	// Output: nobody is signed in: 401
}
