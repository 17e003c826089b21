package codegranttest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// newShop is the application under test, as it is in production.
func newShop(t *testing.T, config codegrant.Config) http.Handler {
	auth, err := codegrant.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/orders", auth.Require(codegrant.InGroup("staff"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		_, _ = w.Write([]byte("orders for " + id.Email))
	})))
	return mux
}

// TestOrders is what a test of an application looks like.
func TestOrders(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	pool.AddUser("carol", "carol@example.com", "staff")
	shop := pool.App(func(config codegrant.Config) http.Handler { return newShop(t, config) })

	carol := codegranttest.NewBrowser(t)
	if page := carol.SignIn(shop+"/orders", "carol@example.com", codegranttest.Password); page.Body != "orders for carol@example.com" {
		t.Errorf("carol sees %s", page.Body)
	}
	bob := codegranttest.NewBrowser(t)
	if page := bob.SignIn(shop+"/orders", "bob@example.com", codegranttest.Password); page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Not allowed") {
		t.Errorf("bob gets status %d", page.Status)
	}
}
