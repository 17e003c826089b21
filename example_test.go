package codegrant_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

var reports = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	id, _ := codegrant.From(r.Context())
	fmt.Fprintf(w, "reports for %s\n", id.Email)
})

// A service that signs people in. A program that is not signed in is told so; a
// browser would be sent to Cognito and come back.
func Example() {
	auth, err := codegrant.New(codegrant.Config{
		Pool: cognito.Pool{
			Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E",
			Domain:   "acme.auth.eu-west-1.amazoncognito.com",
			ClientID: "2example3client4", ClientSecret: "from your secret store",
		},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/reports/", auth.Require(codegrant.InGroup("analysts"))(reports))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/reports/", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="codegrant"
}

func exampleAuth() *codegrant.Auth {
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "2example3client4"},
		BaseURL: "https://app.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	return auth
}

// Permissions combine. Browsers that navigate are sent to sign in.
func ExampleAuth_Require() {
	auth := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/orders/", auth.Require(codegrant.Any(codegrant.InGroup("admins"), codegrant.ReadOnly()))(reports))

	r := httptest.NewRequest("GET", "/orders/7?tab=items", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 302 /auth/login?redirect_uri=%2Forders%2F7%3Ftab%3Ditems
}

// A page for everybody, which greets those who are signed in.
func ExampleAuth_Identify() {
	auth := exampleAuth()
	home := auth.Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := codegrant.From(r.Context()); ok {
			fmt.Fprintf(w, "Hello %s", id.Name)
			return
		}
		fmt.Fprint(w, "Hello stranger")
	}))
	w := httptest.NewRecorder()
	home.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 Hello stranger
}

// A rule of the application's own. An error is answered with 503, never taken for
// a yes.
func ExamplePermissionFunc() {
	owners := map[string]string{"7": "s-1"}
	own := codegrant.PermissionFunc("your own order", func(_ context.Context, id *codegrant.Identity, r *http.Request) (bool, error) {
		return owners[r.PathValue("order")] == id.Subject, nil
	})
	fmt.Println(codegrant.All(codegrant.SignedIn(), own))
	// Output: (signed in and your own order)
}
