package oauth

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// FuzzRegistration: whatever a client says of itself, it gets what the pool allows, or
// nothing.
func FuzzRegistration(f *testing.F) {
	f.Add([]byte(`{"redirect_uris":["https://app.example/cb"],"grant_types":["authorization_code","refresh_token"],"scope":"openid orders/read"}`), true)
	f.Add([]byte(`{"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_post"}`), false)
	f.Add([]byte(`{"redirect_uris":["javascript:x"],"scope":"aws.cognito/dcr/register"}`), false)
	rules := &state.Registration{AllowedScopes: []string{"orders/read", state.RegisterScope}}
	f.Fuzz(func(t *testing.T, body []byte, open bool) {
		var in registration
		if json.Unmarshal(body, &in) != nil {
			return
		}
		c, refusal := in.client(rules, open)
		if refusal != "" {
			return
		}
		if slices.Contains(c.Scopes, state.RegisterScope) || len(c.Flows) == 0 || slices.ContainsFunc(c.Flows, func(flow string) bool { return !slices.Contains(rules.Grants(open), flow) }) {
			t.Errorf("%q may do %v for %v", body, c.Flows, c.Scopes)
		}
		for _, u := range c.CallbackURLs {
			if state.CheckURL(u) != nil {
				t.Errorf("%q has the callback URL %q", body, u)
			}
		}
	})
}
