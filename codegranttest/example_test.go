package codegranttest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
)

// One handler is tested without a pool: the context says who makes the request.
func ExampleWithIdentity() {
	orders := func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, "orders of %s", id.Username)
	}
	ctx := codegranttest.WithIdentity(context.Background(), &codegrant.Identity{Username: "carol", Groups: []string{"staff"}})
	w := httptest.NewRecorder()
	orders(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil))
	fmt.Println(w.Body)
	// Output: orders of carol
}
