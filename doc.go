// Package codegrant signs people in to net/http services with Amazon Cognito's
// OAuth 2.0 authorization code grant.
//
// It owns the steps of the flow (login, callback, refresh, logout), the proof of who makes
// a request, and the wiring of the parts. It is the only package that sees both the pool's
// tokens and the application's sessions. It does not know how tokens are verified (package
// verify), how Cognito is called (package cognito), where sessions are stored (package
// session) and where the copy of the users is stored (package replica).
//
// # A service in a dozen lines
//
//	auth, err := codegrant.New(codegrant.Config{
//		Pool: cognito.Pool{
//			Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E",
//			Domain:   "acme.auth.eu-west-1.amazoncognito.com",
//			ClientID: "…", ClientSecret: "…",
//		},
//		BaseURL: "https://app.example.com",
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux := http.NewServeMux()
//	auth.Mount(mux, "/auth")
//	mux.Handle("/reports/", auth.Require(codegrant.InGroup("analysts"))(reports))
//
// A handler behind [Auth.Require] learns who is calling with [From]:
//
//	id, ok := codegrant.From(r.Context())
//
// # What a request meets
//
// If a browser navigates to a protected page without a session, it goes to Cognito and then
// returns to the page. A form that it sends gets 401 with a page that has a link to sign in.
// Anything else gets 401 with WWW-Authenticate and a problem document (RFC 9457). A person who is signed in but lacks the permission gets 403. If a dependency
// does not respond, the answer is 503 with Retry-After. It is never 401, and no session is
// lost.
//
// # Sessions
//
// The browser holds a random id and a random key in a cookie. The store holds
// the hash of that id and the tokens encrypted under that key, so a leaked store
// holds no token. With no store configured, sessions live in memory and end with
// the process.
package codegrant
