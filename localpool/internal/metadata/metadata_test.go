package metadata

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

func TestS664_Addresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.1.2.3": false, "192.168.0.1": false, "172.16.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"224.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fd00::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false,
	} {
		if got := isPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("isPublic(%s) = %v", text, got)
		}
	}
}

func TestS664_Patterns(t *testing.T) {
	for _, row := range []struct {
		pattern, id string
		want        bool
	}{
		{"https://app.example/*", "https://app.example/a/client.json", true},
		{"https://*.app.example/*", "https://eu.app.example/c", true},
		{"https://*.app.example/*", "https://evil.example/.app.example/c", false},
		{"https://*.app.example/*", "https://evil.example#.app.example/c", false},
		{"https://*.app.example/*", "https://evil@x.app.example/c", false},
		{"https://app.example/client.json", "https://app.example/clientxjson", false},
		{"https://app.example/client.json", "https://app.example/client.json?x", false},
		{"https://app.example/*", "https://app.example.evil.example/c", false},
		{"https://localhost:*", "https://localhost:3000/c", true},
	} {
		p := policy{state.MetadataPolicy{Patterns: []string{row.pattern}}}
		if got := p.takes(row.id); got != row.want {
			t.Errorf("%s takes %s: %v", row.pattern, row.id, got)
		}
	}
}

// FuzzS664_Document: whatever a document says, it never gives more than the app client has,
// nor a secret.
func FuzzS664_Document(f *testing.F) {
	const id = "https://app.example/client.json"
	f.Add([]byte(`{"client_id":"https://app.example/client.json","redirect_uris":["https://app.example/cb"],"grant_types":["authorization_code","client_credentials"],"scope":"openid admin"}`))
	f.Add([]byte(`{"client_id":"https://app.example/client.json","redirect_uris":["javascript:x"],"token_endpoint_auth_method":"none"}`))
	f.Add([]byte(`{"client_id":"https://other.example/","redirect_uris":["https://app.example/cb"]}`))
	app := state.Client{ID: "app", Secrets: []string{"s"}, Flows: []string{"code", "client_credentials"}, Scopes: []string{"openid"}, CallbackURLs: []string{"https://own.example/cb"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parse(id, body)
		if err != nil {
			return
		}
		c := d.as(app)
		switch {
		case d.ID != id, c.ID != app.ID, c.URL != id, len(c.Secrets) > 0, c.Allows("client_credentials"), c.Allows("implicit"):
			t.Errorf("%q makes %+v", body, c)
		case slices.ContainsFunc(c.Scopes, func(s string) bool { return !slices.Contains(app.Scopes, s) }):
			t.Errorf("%q has scopes %v", body, c.Scopes)
		}
		for _, u := range c.CallbackURLs {
			if state.CheckURL(u) != nil {
				t.Errorf("%q goes to %q", body, u)
			}
		}
	})
}
