package e2e

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/device"
	"github.com/codegrant/codegrant/e2e/browser"
)

// TestS585_SessionsInABrowser has a person end one of two sessions, and then sign out
// everywhere, on pages without scripts.
func TestS585_SessionsInABrowser(t *testing.T) {
	const email = "alice@example.com"
	chromium := browser.New(t)
	pool := codegranttest.NewPool(t, nil)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register(server.URL), BaseURL: server.URL, Own: codegrant.OwnSessions{DescribeAgent: device.Describe}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("Welcome")) })))
	handler = mux

	signIn := func(b *browser.Browser) {
		b.Open(server.URL + "/")
		b.See("Sign in to your account")
		b.Fill("#username", email)
		b.Fill("#password", codegranttest.Password)
		b.Click("main button")
		b.See("Welcome")
	}
	desk, phone := chromium.Profile(t), chromium.Profile(t)
	signIn(desk)
	signIn(phone)

	desk.Open(server.URL + "/auth/sessions")
	desk.See("This browser")
	desk.See("Chrome")
	desk.Click("li button") // of the other one alone
	desk.See("The session has ended")
	desk.See("still accepts the tokens in the browser of an ended session")
	desk.Open(server.URL + "/auth/sessions")
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // tokens say in which second somebody signed in
	desk.Click("section > form:last-of-type button")                          // everywhere
	desk.See("You are signed out")
	desk.See("The sign-in service could not be notified")
	desk.Click("main a.button")
	phone.Open(server.URL + "/")
	phone.See("Sign in to your account")
}
