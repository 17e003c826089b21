package account_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/cognito"
)

// An application lets people change their profile and password, and shows their team, which
// they cannot change. Accounts are not deleted here.
func ExampleNew() {
	pool := cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"}
	auth, err := codegrant.New(codegrant.Config{Pool: pool, BaseURL: "https://app.example.com", Scopes: []string{"openid", "email", "profile", account.Scope}})
	if err != nil {
		log.Fatal(err)
	}
	pages, err := account.New(account.Config{
		Auth: auth, Pool: pool,
		Attributes: []account.Attribute{{Name: "email"}, {Name: "name"}, {Name: "custom:team", Label: "Team", ReadOnly: true}},
		Hide:       []account.Page{account.DeletionPage},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	pages.Mount(mux) // at /auth/account

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "https://app.example.com/auth/account", nil))
	fmt.Println("nobody is signed in:", answer.Code)
	// Output: nobody is signed in: 401
}
