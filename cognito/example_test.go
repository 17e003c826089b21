package cognito_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/codegrant/codegrant/cognito"
)

// A sign-in begins by sending the browser to the pool.
func ExampleClient_AuthorizeURL() {
	client, err := cognito.New(cognito.Config{Pool: cognito.Pool{
		ID:       "eu-west-1_Ab12Cd34E",
		Domain:   "acme.auth.eu-west-1.amazoncognito.com",
		ClientID: "4f9m2q",
	}})
	if err != nil {
		panic(err)
	}
	// Fresh for each attempt: cognito.NewCodeVerifier().
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	u, err := url.Parse(client.AuthorizeURL(cognito.AuthorizationRequest{
		RedirectURI:   "https://app.example.com/auth/callback",
		State:         "of-this-attempt",
		Nonce:         "of-this-attempt-too",
		CodeChallenge: cognito.CodeChallenge(verifier),
		Scopes:        []string{"openid", "email"},
		Lang:          "de",
	}))
	if err != nil {
		panic(err)
	}
	fmt.Println(u.Host, u.Path)
	fmt.Println(u.Query().Get("scope"))
	fmt.Println(u.Query().Get("code_challenge_method"), u.Query().Get("code_challenge"))
	// Output:
	// acme.auth.eu-west-1.amazoncognito.com /oauth2/authorize
	// openid email
	// S256 E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
}

// Three kinds of faults ask for three kinds of answers.
func ExampleClient_Refresh() {
	refresh := func(pool http.HandlerFunc) error {
		server := httptest.NewServer(pool)
		defer server.Close()
		client, err := cognito.New(cognito.Config{Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: server.URL, ClientID: "4f9m2q"}})
		if err != nil {
			return err
		}
		_, err = client.Refresh(context.Background(), "a-refresh-token")
		return err
	}
	refuse := func(code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":%q}`, code)
		}
	}
	for _, pool := range []http.HandlerFunc{
		refuse("invalid_grant"),
		refuse("invalid_client"),
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		switch err := refresh(pool); {
		case errors.Is(err, cognito.ErrInvalid):
			fmt.Println("the session is over: sign in again")
		case errors.Is(err, cognito.ErrMisconfigured):
			fmt.Println("keep the session, wake the operator")
		case errors.Is(err, cognito.ErrUnavailable):
			fmt.Println("keep the session, try again later")
		}
	}
	// Output:
	// the session is over: sign in again
	// keep the session, wake the operator
	// keep the session, try again later
}

// The three settings of the Python package cognito_code_grant are enough.
func ExamplePoolFromURLs() {
	pool, err := cognito.PoolFromURLs("4f9m2q",
		"https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token",
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json")
	if err != nil {
		panic(err)
	}
	endpoints, err := pool.Endpoints()
	if err != nil {
		panic(err)
	}
	fmt.Println(endpoints.Issuer)
	fmt.Println(endpoints.Logout)
	// Output:
	// https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E
	// https://acme.auth.eu-west-1.amazoncognito.com/logout
}

// A Lambda trigger refused a sign-in, with a message in two languages.
func ExampleParseTriggerError() {
	query, err := url.ParseQuery("error_description=PreSignUp+failed+with+error+domain+not+allowed%40" +
		"eyJlbiI6IlVzZSB5b3VyIHdvcmsgYWRkcmVzcy4iLCJpdCI6IlVzaSBsJ2luZGlyaXp6byBkaSBsYXZvcm8uIn0%3D.+" +
		"&state=of-this-attempt&error=invalid_request")
	if err != nil {
		panic(err)
	}
	callback, err := cognito.ParseCallback(query)
	if err != nil {
		panic(err)
	}
	if refusal, ok := cognito.ParseTriggerError(callback.Err.Description); ok {
		fmt.Println(refusal.Trigger+":", refusal.Text)
		fmt.Println(refusal.Message("it-CH", "en"))
		fmt.Println(refusal.Message("fr"))
	}
	// Output:
	// PreSignUp: domain not allowed
	// Usi l'indirizzo di lavoro.
	// Use your work address.
}
