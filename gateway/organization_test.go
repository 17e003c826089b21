package gateway_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// TestS738_UpstreamsAreToldTheOrganization, of now, in headers and assertions, and believe
// no client that says so itself.
func TestS738_UpstreamsAreToldTheOrganization(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	var acting atomic.Pointer[codegrant.Organization]
	s := newSite(t, []gateway.Route{
		{Path: "/", Assertion: true}, {Path: "/admin", Permissions: []codegrant.Permission{codegrant.InOrganization("admin")}},
	}, func(g *gateway.Config, c *codegrant.Config) {
		g.Assertions = &gateway.Assertions{Keys: []ed25519.PrivateKey{key}, Issuer: "https://app.example.com"}
		c.Organization = func(context.Context, *codegrant.Identity) (*codegrant.Organization, error) { return acting.Load(), nil }
	})
	bob := s.signIn("/", "bob@example.com")
	forged := map[string]string{"X-Auth-Organization": "org_forged", "X_Auth_Organization_Role": "org_forged"}
	for _, tt := range []struct {
		o        *codegrant.Organization
		id, role string
		admin    int
	}{
		{nil, "", "", http.StatusForbidden},
		{&codegrant.Organization{ID: "org_1", Name: "Zoë & Co", Role: "member"}, "org_1", "member", http.StatusForbidden},
		{&codegrant.Organization{ID: "org_1", Name: "Zoë & Co", Role: "admin"}, "org_1", "admin", http.StatusOK},
		{&codegrant.Organization{ID: "org_1", Name: "Zoë & Sons", Role: "admin"}, "org_1", "admin", http.StatusOK},
		{nil, "", "", http.StatusForbidden},
	} {
		acting.Store(tt.o)
		got := s.echoed(bob.Client, "/x", forged)
		if got.Header.Get("X-Auth-Organization") != tt.id || got.Header.Get("X-Auth-Organization-Role") != tt.role || strings.Contains(fmt.Sprint(got.Header), "org_forged") {
			t.Errorf("%+v: the upstream saw %v", tt.o, got.Header)
		}
		var claims struct {
			Organization *struct{ ID, Name, Role string }
		}
		parts := strings.Split(got.Header.Get("X-Auth-Assertion"), ".")
		if len(parts) != 3 {
			t.Fatalf("%v", got.Header)
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(payload, &claims) != nil {
			t.Fatal(err)
		}
		if o := claims.Organization; (o == nil) != (tt.o == nil) || o != nil && (o.ID != tt.o.ID || o.Name != tt.o.Name || o.Role != tt.o.Role) {
			t.Errorf("%+v: the assertion says %+v", tt.o, o)
		}
		if r, _ := s.ask(bob.Client, "GET", "/admin", forged); r.StatusCode != tt.admin {
			t.Errorf("%+v: %d", tt.o, r.StatusCode)
		}
	}
}
