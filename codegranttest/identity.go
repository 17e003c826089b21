package codegranttest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/asker"
)

// WithIdentity returns a context in which id is who asks: what [codegrant.From] finds in a
// unit test of a handler, with no pool and no middleware. nil is nobody.
//
//	ctx := codegranttest.WithIdentity(t.Context(), &codegrant.Identity{Username: "carol", Groups: []string{"staff"}})
//	handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/orders", nil))
//
// A handler behind Require or Identify can be tested in the same way: they take id for
// what the request proves, and Require asks its permissions about it, as they are. So do
// Recheck and Watch. To test a request that another site caused, use a [Browser].
//
// It panics where no test is running.
func WithIdentity(ctx context.Context, id *codegrant.Identity) context.Context {
	mustBeTesting("WithIdentity")
	return context.WithValue(ctx, asker.Key{}, asker.Given{Identity: id})
}

// WithTokens is WithIdentity where the handler asks for more: claims are what
// [codegrant.Identity.Claim] finds, and access is what AccessToken returns. From then
// returns a copy of id.
func WithTokens(ctx context.Context, id *codegrant.Identity, claims map[string]any, access cognito.Secret) context.Context {
	mustBeTesting("WithTokens")
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("codegranttest: claims are no JSON: %v", err))
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "." // nobody verifies it: it is where a verified one would be
	return context.WithValue(ctx, asker.Key{}, asker.Given{Identity: id, ID: token, Access: access.Reveal()})
}

func mustBeTesting(name string) {
	if !testing.Testing() {
		panic("codegranttest: " + name + " says who asks without any proof, and is only for tests")
	}
}
